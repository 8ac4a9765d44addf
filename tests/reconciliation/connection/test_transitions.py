"""The states of the connection, counted and moved directly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings

from orders.actors import person
from orders.models import InventoryList, ListType, Order, OrderStatus, Site
from reconciliation import connection
from reconciliation.models import CallHealth, CallKind, Connection, ConnectionChange, Outage

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def fail(seconds: float, message: str = "timeout") -> None:
    connection.note_sent(at(seconds))
    connection.note_failure(sent_at=at(seconds), now=at(seconds), message=message)


def go_offline(seconds: float = 0) -> None:
    connection.current()
    # What never answered is a wrong address, and no outage.
    Connection.objects.filter(last_good_at=None).update(last_good_at=at(seconds - 1))
    for step in range(3):
        fail(seconds + step / 10)


def go_recovering(seconds: float = 10) -> None:
    go_offline()
    for step in range(3):
        connection.note_good_probe(at(seconds + step))


def waiting_order(order_no: str = "1", **values: object) -> Order:
    stock = InventoryList.objects.get_or_create(pk="shop", list_type=ListType.GROUP)[0]
    site = Site.objects.get_or_create(pk="shop", defaults={"inventory_list": stock})[0]
    fields: dict[str, object] = {
        "site": site,
        "order_no": order_no,
        "status": OrderStatus.NEW,
        "captured_at": NOW,
        "currency": "EUR",
        "order_total": 10,
        "payload_hash": "x",
        "captured_offline": True,
    }
    return Order.objects.create(**{**fields, **values})


def reads() -> CallHealth:
    return CallHealth.objects.get(pk=CallKind.READ)


def writes() -> CallHealth:
    return CallHealth.objects.get(pk=CallKind.RESERVE)


def changes() -> list[tuple[str, str]]:
    return list(ConnectionChange.objects.values_list("old_state", "new_state"))


def test_the_first_look_makes_the_one_row_and_later_looks_cost_one_query(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    first = connection.current()
    with django_assert_num_queries(1):  # type: ignore[operator]
        again = connection.current()
    assert (first.pk, first.state, again.pk) == (1, "ONLINE", 1)
    assert Connection.objects.count() == 1
    assert changes() == []


def test_three_failures_in_a_row_are_an_outage_that_began_with_the_first() -> None:
    connection.note_good(at(-5))
    fail(0)
    fail(1)
    assert connection.current().state == "ONLINE"
    fail(2, "OCI did not answer in time.")
    now = connection.current()
    assert (now.state, now.cause, now.since) == ("OFFLINE", "unreachable", at(2))
    assert now.last_error == "OCI did not answer in time."
    outage = Outage.objects.get()
    assert (outage.is_open, outage.cause) == (True, "unreachable")
    assert (outage.lost_at, outage.detected_at) == (at(0), at(2))
    assert changes() == [("ONLINE", "OFFLINE")]
    assert ConnectionChange.objects.get().actor == "connection"
    assert ConnectionChange.objects.get().outage == outage


def test_a_good_answer_between_failures_begins_the_count_anew() -> None:
    connection.note_good(at(-5))
    fail(0)
    fail(1)
    connection.note_good(at(1.5))
    fail(2)
    fail(3)
    assert (connection.current().state, reads().failures) == ("ONLINE", 2)
    assert Outage.objects.count() == 0


def test_calls_that_hang_count_when_they_are_sent() -> None:
    connection.note_good(at(-5))
    for second in (0, 1, 2):
        connection.note_sent(at(second))
    assert connection.current().state == "OFFLINE"
    assert (reads().failures, reads().unanswered) == (0, 3)
    outage = Outage.objects.get()
    assert (outage.lost_at, outage.detected_at) == (at(0), at(2))


def test_the_monitor_finds_calls_that_hang_after_the_last_send() -> None:
    for _ in range(3):
        connection.note_sent(at(0))
    assert connection.lose_if_unanswered(at(1.9)) is False
    assert connection.current().state == "ONLINE"
    assert connection.lose_if_unanswered(at(2)) is True
    assert connection.current().state == "OFFLINE"
    assert connection.lose_if_unanswered(at(3)) is False
    assert changes() == [("ONLINE", "OFFLINE")]


def test_many_calls_at_once_are_no_hang() -> None:
    for second in range(10):
        for _ in range(40):
            connection.note_sent(at(second))
        connection.note_good(at(second + 0.9))
    assert connection.current().state == "ONLINE"
    assert Outage.objects.count() == 0


def test_a_call_that_hung_before_the_recovery_does_not_end_the_recovery() -> None:
    go_recovering()
    connection.note_good(at(12))
    for _ in range(5):
        connection.note_failure(sent_at=at(1), now=at(13), message="timeout")
    assert (connection.current().state, reads().failures) == ("RECOVERING", 0)


def test_429_is_slowing_down_and_no_outage() -> None:
    connection.current()
    Connection.objects.update(concurrency=16)
    fail(-1)
    Connection.objects.update(concurrency=16)
    for burst in (0, 3, 6, 9):
        for step in range(4):
            connection.note_sent(at(burst + step / 10))
            connection.note_throttled(retry_after=2.7, now=at(burst + step / 10))
    now = connection.current()
    assert (now.state, reads().failures, reads().unanswered) == ("ONLINE", 1, 1)
    # Halved once for each burst: calls throttled while we wait anyway say nothing new.
    assert (now.concurrency, now.wait_until) == (1, at(12))
    assert Outage.objects.count() == 0
    assert connection.may_call(now)
    assert connection.is_usable(now, now=at(9)) is False
    assert connection.is_usable(now, now=at(10.5)) is True  # within COC_OCI_LIVE_TIMEOUT
    assert connection.is_usable(now, now=at(10.5), patience=0) is False
    assert connection.pace(at(9)) == connection.Pace(concurrency=1, wait_seconds=3.0)
    assert connection.pace(at(13)) == connection.Pace(concurrency=1, wait_seconds=0.0)


def test_retry_after_from_outside_is_bounded_and_never_shortened() -> None:
    connection.current()
    connection.note_throttled(retry_after=86_400, now=at(0))
    assert connection.current().wait_until == at(300)
    connection.note_throttled(retry_after=-5, now=at(1))
    assert connection.current().wait_until == at(300)


def test_the_pace_grows_while_answers_are_good_and_halves_on_failures(
    settings: LazySettings,
) -> None:
    settings.COC_OCI_CONCURRENCY = 6
    connection.current()
    for second in range(5):
        connection.note_good(at(second))
        connection.note_good(at(second + 0.5))
    assert connection.pace().concurrency == 6
    connection.note_sent(at(6))
    connection.note_failure(sent_at=at(6), now=at(6), message="timeout")
    assert connection.pace().concurrency == 3
    connection.note_failure(sent_at=at(6), now=at(6), message="timeout")
    connection.note_failure(sent_at=at(6), now=at(6), message="timeout")
    assert connection.pace().concurrency == 1


def test_refused_credentials_are_offline_at_once_with_their_own_cause() -> None:
    fail(0)
    connection.note_configuration_fault(now=at(1), message="OCI answered 401.")
    now = connection.current()
    assert (now.state, now.cause, reads().failures) == ("OFFLINE", "configuration", 0)
    assert Outage.objects.get().cause == "configuration"
    connection.note_configuration_fault(now=at(2), message="OCI answered 401.")
    assert changes() == [("ONLINE", "OFFLINE")]


def test_settings_that_oci_has_never_answered_are_no_outage_of_oci(settings: LazySettings) -> None:
    for second in (0, 1, 2):
        fail(second)
    assert (connection.current().cause, Outage.objects.get().is_own_fault) == ("not_set_up", True)
    # It is there after all, and goes away later.
    connection.note_good(at(3))
    for second in (4, 5, 6):
        connection.note_good_probe(at(second))
    assert connection.mark_online_if_drained(at(7)) is True
    for second in (8, 9, 10):
        fail(second)
    assert connection.current().cause == "unreachable"
    assert [one.is_own_fault for one in Outage.objects.order_by("pk")] == [True, False]
    # With other settings OCI has never answered.
    for second in (11, 12, 13):
        connection.note_good_probe(at(second + 60))
    settings.COC_OCI_BASE_URL = "https://elsewhere.example"
    for second in (80, 81, 82):
        fail(second)
    assert connection.current().cause == "not_set_up"


def test_a_fault_of_ours_becomes_an_outage_when_oci_goes_away_meanwhile() -> None:
    connection.note_good(at(0))
    connection.note_configuration_fault(now=at(1), message="OCI answered 401.")
    assert Outage.objects.get().is_own_fault is True
    for second in (6, 7, 8):
        fail(second)
    assert (Outage.objects.get().cause, Outage.objects.get().is_own_fault) == ("unreachable", False)


def test_the_cause_of_an_outage_can_change_while_it_lasts() -> None:
    go_offline()
    connection.note_configuration_fault(now=at(5), message="OCI answered 403.")
    assert connection.current().cause == "configuration"
    for second in (6, 7, 8):
        fail(second)
    assert (connection.current().state, connection.current().cause) == ("OFFLINE", "unreachable")
    assert changes() == [("ONLINE", "OFFLINE"), ("OFFLINE", "OFFLINE"), ("OFFLINE", "OFFLINE")]
    assert Outage.objects.count() == 1


def test_good_probes_in_a_row_lead_to_recovery_and_a_bad_one_begins_anew() -> None:
    go_offline()
    assert connection.note_good_probe(at(5)) is False
    assert connection.note_good_probe(at(6)) is False
    connection.note_bad_probe(sent_at=at(7))
    assert connection.note_good_probe(at(8)) is False
    assert connection.note_good_probe(at(9)) is False
    assert connection.note_good_probe(at(10)) is True
    now = connection.current()
    assert (now.state, now.cause, now.since) == ("RECOVERING", "", at(10))
    assert (reads().failures, reads().unanswered, reads().unanswered_since) == (0, 0, None)
    outage = Outage.objects.get()
    assert (outage.is_open, outage.recovered_at, outage.drained_at) == (True, at(10), None)
    assert connection.is_usable(now)


def test_good_probes_while_online_change_nothing() -> None:
    connection.current()
    assert [connection.note_good_probe(at(second)) for second in range(5)] == [False] * 5
    assert connection.current().good_probes == 0
    assert changes() == []


def test_drained_means_online_and_closes_the_outage() -> None:
    go_recovering()
    order = waiting_order()
    assert connection.mark_online_if_drained(at(20)) is False
    assert connection.current().state == "RECOVERING"
    Order.objects.filter(pk=order.pk).update(reservation_state="COMPLETELY_RESERVED")
    assert connection.mark_online_if_drained(at(21)) is True
    assert connection.current().state == "ONLINE"
    outage = Outage.objects.get()
    assert (outage.is_open, outage.drained_at) == (False, at(21))
    assert connection.mark_online_if_drained(at(22)) is False
    assert changes()[-1] == ("RECOVERING", "ONLINE")


def test_an_order_that_is_just_being_captured_offline_keeps_the_recovery_going() -> None:
    go_recovering()
    order = waiting_order(status=OrderStatus.CREATED)
    assert connection.mark_online_if_drained(at(20)) is False
    Order.objects.filter(pk=order.pk).update(captured_offline=False)
    assert connection.mark_online_if_drained(at(21)) is True


def test_lost_again_while_recovering_is_the_same_outage() -> None:
    go_recovering()
    for second in (20, 21, 22):
        fail(second)
    assert connection.current().state == "OFFLINE"
    outage = Outage.objects.get()
    assert (outage.is_open, outage.lost_at, outage.recovered_at) == (True, at(0), None)
    assert changes() == [
        ("ONLINE", "OFFLINE"),
        ("OFFLINE", "RECOVERING"),
        ("RECOVERING", "OFFLINE"),
    ]


def test_a_second_outage_is_a_row_of_its_own() -> None:
    go_recovering()
    connection.mark_online_if_drained(at(20))
    go_offline(80)
    assert list(Outage.objects.order_by("pk").values_list("is_open", flat=True)) == [False, True]


def test_forcing_needs_a_reason_and_changes_nothing_without() -> None:
    connection.current()
    for act in (connection.force_offline, connection.release_forced):
        with pytest.raises(connection.ReasonRequired, match="Say why"):
            act(actor=person("ada"), reason="  ", now=NOW)
    assert connection.current().state == "ONLINE"
    assert (changes(), Outage.objects.count()) == ([], 0)


def test_forced_offline_stays_until_released_and_then_recovers_by_probes() -> None:
    assert connection.force_offline(actor=person("ada"), reason="OCI gives wrong stock", now=NOW)
    now = connection.current()
    assert (now.state, now.cause, now.forced_by) == ("FORCED_OFFLINE", "forced", "ada")
    assert not connection.is_usable(now)
    for second in range(1, 6):
        connection.note_good(at(second))
        assert connection.note_good_probe(at(second)) is False
    go_offline(7)
    connection.note_configuration_fault(now=at(8), message="OCI answered 401.")
    assert connection.current().state == "FORCED_OFFLINE"
    assert connection.current().good_probes == 0

    assert connection.release_forced(actor=person("bob"), reason="stock is right", now=at(9))
    now = connection.current()
    assert (now.state, now.good_probes, now.forced_by) == ("OFFLINE", 0, "")
    for second in (10, 11):
        assert connection.note_good_probe(at(second)) is False
    assert connection.note_good_probe(at(12)) is True
    outage = Outage.objects.get()
    assert (outage.cause, outage.lost_at, outage.recovered_at) == ("forced", NOW, at(12))
    assert list(ConnectionChange.objects.values_list("new_state", "actor", "reason")) == [
        ("FORCED_OFFLINE", "ada", "OCI gives wrong stock"),
        ("OFFLINE", "bob", "stock is right"),
        ("RECOVERING", "connection", "OCI answers again."),
    ]


def test_forcing_an_outage_keeps_it_and_twice_is_once() -> None:
    go_offline()
    assert connection.force_offline(actor=person("ada"), reason="drill", now=at(5)) is True
    assert connection.force_offline(actor=person("bob"), reason="other", now=at(6)) is False
    assert connection.current().reason == "drill"
    assert Outage.objects.get().cause == "unreachable"
    assert connection.release_forced(actor=person("ada"), reason="done", now=at(7)) is True
    assert connection.release_forced(actor=person("ada"), reason="done", now=at(8)) is False
    assert len(changes()) == 3


def test_released_while_oci_is_away_is_an_unreachable_outage() -> None:
    connection.force_offline(actor=person("ada"), reason="drill", now=NOW)
    connection.release_forced(actor=person("ada"), reason="done", now=at(1))
    assert connection.current().cause == "forced"
    go_offline(2)
    assert (connection.current().state, connection.current().cause) == ("OFFLINE", "unreachable")
