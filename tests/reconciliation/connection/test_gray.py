"""Gray outages: one kind of call works and another does not. Counted and moved directly."""

from __future__ import annotations

import uuid

import pytest

from orders.actors import person
from reconciliation import connection
from reconciliation.models import CallKind, Connection, ConnectionChange, Outage
from tests.reconciliation.connection.test_transitions import NOW, at, changes, waiting_order

pytestmark = pytest.mark.django_db


RESERVE, RELEASE = CallKind.RESERVE, CallKind.RELEASE


def reads_work(*seconds: float) -> None:
    for second in seconds:
        connection.note_good(at(second))


def write_fails(second: float, *, sent: float | None = None, subject: str = "") -> None:
    sent_at = at(second if sent is None else sent)
    connection.note_failure(
        sent_at=sent_at,
        now=at(second),
        message="OCI did not answer in time.",
        kind=RESERVE,
        subject=subject or str(uuid.uuid4()),
    )


def lose_writes() -> None:
    reads_work(0.5)
    for second in (1, 2, 3):
        write_fails(second)


def good_probes(*seconds: float) -> list[bool]:
    return [connection.note_good_probe(at(second)) for second in seconds]


def test_good_reads_do_not_hide_that_writes_are_lost() -> None:
    for second in (0, 1, 2, 3):
        write_fails(second + 0.2)
        reads_work(second + 0.9)
    now = connection.current()
    assert (now.state, now.cause) == ("OFFLINE", "reservations")
    outage = Outage.objects.get()
    assert (outage.cause, outage.lost_at, outage.detected_at) == (
        "reservations",
        at(0.2),
        at(2.2),
    )


def causes() -> tuple[str, str]:
    return connection.current().cause, Outage.objects.get().cause


def test_writes_that_are_refused_before_a_read_is_answered_correct_the_cause_later() -> None:
    lose_writes()
    assert causes() == ("unreachable", "unreachable")
    reads_work(3.5)
    assert connection.lose_if_unanswered(at(4)) is False
    assert causes() == ("reservations", "reservations")
    assert [(one.old_state, one.new_state) for one in ConnectionChange.objects.order_by("pk")] == [
        ("ONLINE", "OFFLINE"),
        ("OFFLINE", "OFFLINE"),
    ]


def test_a_read_that_works_at_the_end_of_an_outage_does_not_change_its_cause() -> None:
    lose_writes()
    connection.note_failure(sent_at=at(3.2), now=at(3.4), message="no answer", subject="probe")
    connection.lose_if_unanswered(at(4))
    reads_work(20)
    assert connection.lose_if_unanswered(at(20.5)) is False
    assert causes() == ("unreachable", "unreachable")


def test_writes_that_hang_are_noticed_in_two_seconds_as_they_are_sent() -> None:
    for second in (0, 1, 2):
        connection.note_sent(at(second), kind=RESERVE)
        reads_work(second + 0.1)
    assert connection.current().state == "OFFLINE"
    assert Outage.objects.get().detected_at == at(2)


def test_an_outage_begins_no_earlier_than_the_last_good_answer_of_another_process() -> None:
    """A process whose call failed counts from then on; the answer came to another one."""
    connection.current()
    Connection.objects.update(since=at(-60))
    write_fails(2, sent=0)
    connection.note_good(at(3), kind=RESERVE, sent_at=at(2.5))
    connection.note_sent(at(4.1), kind=RESERVE, since=at(0))
    connection.note_sent(at(5.1), kind=RESERVE, since=at(4.5))
    reads_work(5.2)
    assert connection.lose_if_unanswered(at(6.9)) is False
    assert connection.lose_if_unanswered(at(7)) is True
    assert Outage.objects.get().lost_at == at(3)


def test_writes_of_two_orders_that_are_lost_for_four_seconds_are_an_outage() -> None:
    """However few orders come, and however many failures the settings bear."""
    write_fails(0)
    write_fails(3)
    reads_work(3.5)
    assert connection.lose_if_unanswered(at(3.9)) is False
    assert connection.lose_if_unanswered(at(4)) is True
    assert Outage.objects.get().lost_at == at(0)


def test_one_document_that_is_never_answered_is_no_outage() -> None:
    poison = str(uuid.uuid4())
    for second in range(0, 200, 20):
        write_fails(second, subject=poison)
    assert connection.lose_if_unanswered(at(300)) is False
    assert connection.current().state == "ONLINE"
    # With another one that fails it is.
    write_fails(301)
    write_fails(302, subject=poison)
    assert connection.current().state == "OFFLINE"


def test_reads_that_fail_are_no_outage_while_reservations_work() -> None:
    for second in range(6):
        connection.note_failure(sent_at=at(second), now=at(second), message="timeout")
        connection.note_good(at(second + 0.5), kind=RESERVE, sent_at=at(second + 0.4))
        if second == 0:
            continue
        assert connection.current().state == "ONLINE", second
    assert connection.is_lost(connection.healths()["read"], at(6)) is True


def test_giving_back_that_fails_is_told_and_no_outage() -> None:
    for second in range(6):
        connection.note_failure(sent_at=at(second), now=at(second), message="timeout", kind=RELEASE)
    assert connection.lose_if_unanswered(at(9)) is False
    assert connection.is_lost(connection.healths()["release"], at(9)) is True
    assert connection.current().state == "ONLINE"


def test_a_recovery_needs_a_write_that_worked_while_an_order_waits() -> None:
    lose_writes()
    order = waiting_order()
    assert good_probes(4, 5, 6, 7, 8, 9) == [False] * 6
    # One that was sent before the loss proves nothing.
    connection.note_good(at(9.5), kind=RESERVE, sent_at=at(1))
    assert connection.mark_recovering(at(9.5)) is False
    connection.note_good(at(10), kind=RESERVE, sent_at=at(9.9))
    assert connection.mark_recovering(at(10)) is True
    now = connection.current()
    assert (now.state, now.is_unproven) == ("RECOVERING", False)
    assert order.pk
    assert changes() == [("ONLINE", "OFFLINE"), ("OFFLINE", "RECOVERING")]


def test_with_nothing_to_try_reads_suffice_and_the_first_write_is_a_trial() -> None:
    lose_writes()
    assert good_probes(4, 5, 6) == [False, False, True]
    assert connection.mark_online_if_drained(at(7)) is True
    assert connection.current().is_unproven is True
    write_fails(8)
    assert connection.current().state == "OFFLINE"
    outage = Outage.objects.get()
    assert (outage.is_open, outage.lost_at, outage.drained_at) == (True, at(1), None)


def test_a_write_that_works_ends_the_trial() -> None:
    lose_writes()
    good_probes(4, 5, 6)
    connection.note_good(at(8), kind=RESERVE, sent_at=at(7.9))
    assert connection.current().is_unproven is False
    write_fails(9)
    assert connection.current().state == "RECOVERING"


def test_a_connection_that_is_lost_again_at_once_is_held_for_longer_each_time() -> None:
    lose_writes()
    second = 3.0
    good_probes(4, 5, 6)
    for held in (60, 120, 300, 300):
        second = (connection.current().since - NOW).total_seconds() + 1
        write_fails(second)
        assert connection.current().state == "OFFLINE"
        assert connection.current().held_until == at(second + held)
        good_probes(second + 1, second + 2, second + held - 1)
        assert connection.current().state == "OFFLINE"
        assert connection.mark_recovering(at(second + held)) is True
    assert Outage.objects.count() == 1
    # One that lasts is none.
    connection.note_good(at(second + 310), kind=RESERVE, sent_at=at(second + 309))
    for later in (400, 401, 402):
        write_fails(second + later)
    assert (connection.current().state, connection.current().held_until) == ("OFFLINE", None)


def online_after_a_proven_write(second: float) -> None:
    good_probes(second, second + 1, second + 2)
    connection.note_good(at(second + 3), kind=RESERVE, sent_at=at(second + 2.5))
    assert connection.mark_online_if_drained(at(second + 4)) is True


def test_a_relapse_within_a_minute_is_the_same_outage_whatever_worked_meanwhile() -> None:
    """OCI flaps, or each second write hangs."""
    lose_writes()
    online_after_a_proven_write(4)
    for second in (20, 21, 22):
        write_fails(second)
    outage = Outage.objects.get()
    assert (outage.is_open, outage.recovered_at, outage.drained_at) == (True, None, None)
    assert outage.lost_at == at(1)
    assert connection.current().held_until == at(82)
    assert set(ConnectionChange.objects.values_list("outage", flat=True)) == {outage.pk}


def test_a_relapse_that_was_seen_before_the_recovery_was_written_is_the_same_outage() -> None:
    """A process reads its clock, waits for the row's lock, and finds a later recovery in it."""
    lose_writes()
    online_after_a_proven_write(4)
    Connection.objects.update(recovered_at=at(23))
    for second in (20, 21, 22):
        write_fails(second)
    assert Outage.objects.get().is_open
    assert connection.current().held_until == at(82)


def test_a_loss_more_than_a_minute_after_the_recovery_is_an_outage_of_its_own() -> None:
    lose_writes()
    online_after_a_proven_write(4)
    for second in (66, 67, 68):
        write_fails(second)
    assert list(Outage.objects.order_by("pk").values_list("is_open", flat=True)) == [False, True]


def test_a_loss_right_after_an_outage_on_purpose_is_an_outage_of_its_own() -> None:
    connection.note_good(at(-1))
    ada = person("ada")
    connection.force_offline(actor=ada, reason="Test.", now=at(0))
    connection.release_forced(actor=ada, reason="Done.", now=at(2))
    online_after_a_proven_write(4)
    for second in (20, 21, 22):
        write_fails(second)
    causes = list(Outage.objects.order_by("pk").values_list("cause", "is_open"))
    assert causes == [("forced", False), ("unreachable", True)]


def test_a_storm_of_429_on_writes_is_an_outage() -> None:
    for second in (0, 2, 4):
        connection.note_throttled(retry_after=2, now=at(second), kind=RESERVE)
        reads_work(second + 0.5)
    now = connection.current()
    assert (now.state, now.cause) == ("OFFLINE", "throttled")
    assert Outage.objects.get().lost_at == at(0)


def test_a_storm_is_noticed_a_whole_look_of_the_monitor_before_its_five_seconds() -> None:
    for second in (0, 2.1):
        connection.note_throttled(retry_after=2, now=at(second), kind=RESERVE)
    assert connection.lose_if_unanswered(at(2.9)) is False
    assert connection.lose_if_unanswered(at(3)) is True
    assert connection.current().cause == "throttled"


@pytest.mark.parametrize("kind", ["read", "reserve", "release"])
def test_a_long_pause_that_oci_asks_for_is_an_outage(kind: str) -> None:
    """Nobody sends anything meanwhile, so that no further 429 comes."""
    connection.note_good(at(0), kind=RESERVE, sent_at=at(0))
    connection.note_throttled(retry_after=60, now=at(1), kind=CallKind(kind))
    assert connection.lose_if_unanswered(at(3.9)) is False
    assert connection.lose_if_unanswered(at(4)) is True
    now = connection.current()
    assert (now.state, now.cause) == ("OFFLINE", "throttled")
    assert Outage.objects.get().lost_at == at(1)


def test_a_short_pause_is_none() -> None:
    connection.note_throttled(retry_after=5, now=at(1), kind=RESERVE)
    assert [connection.lose_if_unanswered(at(second)) for second in (3, 4, 5, 7)] == [False] * 4


def test_writes_that_are_throttled_now_and_then_are_none() -> None:
    for second in (0, 2, 4, 6):
        connection.note_throttled(retry_after=2, now=at(second), kind=RESERVE)
        connection.note_good(at(second + 1), kind=RESERVE, sent_at=at(second + 0.9))
    assert connection.current().state == "ONLINE"
    assert Outage.objects.count() == 0


def test_forced_offline_is_left_alone_by_what_calls_show() -> None:
    connection.current()
    Connection.objects.update(state="FORCED_OFFLINE", cause="forced")
    lose_writes()
    assert connection.current().state == "FORCED_OFFLINE"
    assert ConnectionChange.objects.count() == 0
