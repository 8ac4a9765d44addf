"""Acknowledging an alert says nothing about the next matter of the same rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from orders.actors import person
from orders.models import Order, ReservationState, Site
from reconciliation import connection
from reconciliation.alerts.actions import acknowledge
from reconciliation.alerts.lifecycle import open_alerts
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.rule import Data
from reconciliation.alerts.rules import RULES
from reconciliation.models import (
    Alert,
    CallHealth,
    Connection,
    HeldFigures,
    OfflineCause,
    Outage,
    ReportDay,
    Run,
    VanishedOrder,
)
from reconciliation.outages import planned
from tests.factories import capture, make_site

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADA = person("ada")


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def alert_of(descriptor: str, minutes: float) -> Alert:
    refresh_alerts(at(minutes), watching_since=at(minutes))
    refresh_alerts(at(minutes), watching_since=at(minutes))
    return open_alerts().get(descriptor=descriptor)


def acknowledged(descriptor: str, minutes: float) -> Alert:
    """Acknowledge the alert; the same matter keeps it so."""
    alert = alert_of(descriptor, minutes)
    assert alert.handling == ""
    acknowledge(alert_id=alert.pk, seen=alert.handled, actor=ADA, now=at(minutes))
    later = alert_of(descriptor, minutes + 0.5)
    assert (later.handling, later.occurrence) == ("acknowledged", alert.occurrence)
    return later


def window(start: float, end: float) -> None:
    planned.plan(
        starts_at=at(start), ends_at=at(end), owner="Ops", note="Update", actor=ADA, now=at(start)
    )
    planned.keep_times(at(start))


def force(start: float, _end: float) -> None:
    connection.force_offline(actor=ADA, reason="Test.", now=at(start))


def fail(minutes: float) -> None:
    """Let calls after `minutes` bring nothing."""
    lost = {"failures": 3, "unanswered": 3, "unanswered_since": at(minutes)}
    CallHealth.objects.update_or_create(pk="read", defaults=lost)
    connection.lose_if_unanswered(at(minutes))


@pytest.mark.parametrize("hold", [window, force])
def test_real_outage_after_one_on_purpose_has_an_alert_of_its_own(
    hold: Callable[[float, float], None],
) -> None:
    connection.note_good(at(-1))
    make_site("shop", offline_capture=False)
    hold(10, 70)
    acknowledged("oci_offline", 11)
    acknowledged("orders_refused", 11)
    if hold is force:
        connection.release_forced(actor=ADA, reason="Done.", now=at(70))
    planned.keep_times(at(70))
    # Until the check of the connection has failed, the matter is the same.
    assert alert_of("oci_offline", 70).handling == "acknowledged"
    assert alert_of("orders_refused", 70).handling == "acknowledged"
    fail(71)
    for descriptor in ("oci_offline", "orders_refused"):
        alert = alert_of(descriptor, 72)
        assert (alert.handling, alert.occurrence) == ("", 2), descriptor
        kinds = list(alert.events.order_by("pk").values_list("kind", flat=True))
        assert kinds == ["raised", "acknowledged", "resolved", "raised"]
    offline = alert_of("oci_offline", 72)
    assert offline.since == at(70)
    assert offline.message.startswith(
        "Omnichannel Inventory has not answered since 1 Mar 2026, 13:10 UTC."
    )


def test_real_outage_within_a_window_has_an_alert_of_its_own() -> None:
    """A person has released the connection early, and it does not come back."""
    connection.note_good(at(-1))
    window(10, 70)
    acknowledged("oci_offline", 11)
    connection.release_forced(actor=ADA, reason="Needed.", now=at(20))
    fail(21)
    alert = alert_of("oci_offline", 22)
    assert (alert.handling, alert.occurrence, alert.since) == ("", 2, at(20))


def test_window_in_a_real_outage_keeps_the_acknowledgement_until_its_end() -> None:
    connection.note_good(at(-1))
    fail(0)
    acknowledged("oci_offline", 1)
    window(10, 70)
    alert = alert_of("oci_offline", 11)
    assert (alert.handling, alert.occurrence, alert.since) == ("acknowledged", 1, NOW)
    planned.keep_times(at(70))
    fail(71)
    alert = alert_of("oci_offline", 72)
    assert (alert.handling, alert.occurrence, alert.since) == ("", 2, NOW)


def test_window_after_a_window_has_an_alert_of_its_own() -> None:
    window(10, 70)
    planned.plan(starts_at=at(70), ends_at=at(90), owner="Ops", note="More", actor=ADA, now=at(15))
    acknowledged("oci_offline", 16)
    planned.keep_times(at(70))
    alert = alert_of("oci_offline", 71)
    assert (alert.handling, alert.occurrence, alert.since) == ("", 2, at(70))


def test_outage_that_follows_between_two_looks_has_an_alert_of_its_own() -> None:
    connection.note_good(at(-1))
    fail(0)
    acknowledged("oci_offline", 1)
    Outage.objects.update(is_open=False, drained_at=at(2))
    Connection.objects.update(state="ONLINE", cause="")
    fail(3)
    alert = alert_of("oci_offline", 4)
    assert (alert.handling, alert.occurrence, alert.since) == ("", 2, at(3))


def test_other_fault_of_our_settings_has_an_alert_of_its_own() -> None:
    connection.current()
    connection.note_configuration_fault(now=NOW, message="401")
    acknowledged("configuration_fault", 1)
    Connection.objects.update(cause=OfflineCause.NOT_SET_UP)
    assert alert_of("configuration_fault", 2).handling == ""


def test_other_kind_of_call_that_fails_has_an_alert_of_its_own() -> None:
    connection.current()

    def lose(kind: str) -> None:
        CallHealth.objects.create(pk=kind, failures=3, unanswered=3, unanswered_since=NOW)

    lose("read")
    acknowledged("oci_impaired", 1)
    CallHealth.objects.all().delete()
    lose("release")
    acknowledged("oci_impaired", 2)
    # One that joins needs somebody as well, and is the same matter.
    lose("read")
    alert = alert_of("oci_impaired", 4)
    assert (alert.handling, alert.occurrence) == ("", 2)
    acknowledged("oci_impaired", 4)
    CallHealth.objects.filter(pk="release").delete()
    assert alert_of("oci_impaired", 5).handling == "acknowledged"


def test_other_fault_of_figures_has_an_alert_of_its_own() -> None:
    HeldFigures.objects.create(list_id="web", why="all_zero", since=NOW, skus=3)
    acknowledged("figures_held", 1)
    HeldFigures.objects.update(why="vanished")
    assert alert_of("figures_held", 2).handling == ""


def test_other_list_whose_figures_are_old_has_an_alert_of_its_own() -> None:
    rule = RULES["stock_is_old"]
    one: Data = {"number": 1, "lists": ["a"]}
    both: Data = {"number": 2, "lists": ["a", "b"]}
    many: Data = {"number": 9, "lists": ["a", "b", "c", "d", "e"]}
    other: Data = {"number": 1, "lists": ["z"]}
    assert not rule.is_same(one, other)
    assert all(rule.is_same(*pair) for pair in [(one, both), (both, one), (many, other)])


def reviewed(site: Site, no: str, minutes: float) -> None:
    capture(site, no, [("MUG", 1)], at=NOW)
    Order.objects.filter(order_no=no).update(
        needs_review_since=at(minutes), needs_review_reason="why"
    )


def test_orders_of_which_none_was_in_review_before_have_an_alert_of_their_own() -> None:
    site = make_site("shop", stock={"MUG": 9})
    reviewed(site, "1", 0)
    reviewed(site, "2", 1)
    acknowledged("needs_review", 2)
    reviewed(site, "3", 3)
    assert alert_of("needs_review", 4).handling == "acknowledged"
    Order.objects.filter(order_no="1").update(needs_review_since=None)
    assert alert_of("needs_review", 5).handling == "acknowledged"
    Order.objects.filter(order_no="2").update(needs_review_since=None)
    alert = alert_of("needs_review", 6)
    assert (alert.handling, alert.since) == ("", at(3))


def test_run_that_another_outage_stopped_has_an_alert_of_its_own() -> None:
    capture(make_site("shop", stock={"MUG": 9}), "1", [("MUG", 1)], at=NOW)

    def stopped(outage: Outage, minutes: float) -> None:
        Run.objects.create(
            trigger="recovery",
            actor="monitor",
            state="oci_offline",
            is_active=False,
            outage=outage,
            created_at=at(minutes),
            finished_at=at(minutes),
        )

    first = Outage.objects.create(is_open=False, lost_at=NOW, detected_at=NOW)
    stopped(first, 0)
    acknowledged("still_offline", 1)
    stopped(first, 2)
    assert alert_of("still_offline", 3).handling == "acknowledged"
    stopped(Outage.objects.create(lost_at=at(4), detected_at=at(4)), 4)
    assert alert_of("still_offline", 5).handling == ""


def change_one(alert: str, minutes: float, change: Callable[[], object]) -> Alert:
    """Acknowledge an alert, then let something else be in the place of what it names."""
    acknowledged(alert, minutes)
    change()
    return alert_of(alert, minutes + 1)


def test_other_report_that_fails_has_an_alert_of_its_own() -> None:
    site, day = make_site("shop"), date(2026, 3, 1)
    offline, live = (
        ReportDay.objects.create(site=site, date=day, report_type=kind, last_error=error)
        for kind, error in (("offline", "No space left."), ("live", ""))
    )

    def instead() -> None:
        ReportDay.objects.filter(pk=offline.pk).update(last_error="")
        ReportDay.objects.filter(pk=live.pk).update(last_error="No space left.")

    alert = change_one("report_failure", 1, instead)
    assert (alert.handling, alert.occurrence, alert.data["reports"]) == ("", 2, 1)
    # One that joins is the same matter, and calls people again; one that leaves does not.
    alert = change_one("report_failure", 3, lambda: ReportDay.objects.update(last_error="Full."))
    assert (alert.handling, alert.occurrence) == ("", 2)
    assert alert.events.order_by("pk").values_list("kind", flat=True).last() == "worse"
    alert = change_one("report_failure", 5, lambda: ReportDay.objects.get(pk=live.pk).delete())
    assert (alert.handling, alert.occurrence) == ("acknowledged", 2)


def vanish(no: str, minutes: float) -> None:
    VanishedOrder.objects.create(
        site_id="shop", order_no=no, date=date(2026, 3, 1), file="a.json", found_at=at(minutes)
    )


def test_other_order_that_vanishes_has_an_alert_of_its_own() -> None:
    def instead() -> None:
        VanishedOrder.objects.update(given_up_at=at(1))
        vanish("2", 1)

    vanish("1", 0)
    alert = change_one("vanished_orders", 1, instead)
    assert (alert.handling, alert.occurrence, alert.data["order_nos"]) == ("", 2, ["2"])
    alert = change_one("vanished_orders", 3, lambda: vanish("3", 3))
    assert (alert.handling, alert.occurrence) == ("", 2)
    given_up = VanishedOrder.objects.filter(order_no="2")
    alert = change_one("vanished_orders", 5, lambda: given_up.update(given_up_at=at(5)))
    assert (alert.handling, alert.occurrence) == ("acknowledged", 2)


def test_other_promised_date_that_passes_has_an_alert_of_its_own() -> None:
    site = make_site("shop", stock={"MUG": 9})
    for no in ("1", "2"):
        capture(site, no, [("MUG", 1)], at=NOW)
    Order.objects.update(reservation_state=ReservationState.NOTHING)
    Order.objects.filter(order_no="1").update(promised_until=at(0))
    Order.objects.filter(order_no="2").update(promised_until=at(60))

    def instead() -> None:
        Order.objects.filter(order_no="1").update(promised_until=at(90))
        Order.objects.filter(order_no="2").update(promised_until=at(1))

    alert = change_one("promise_passed", 1, instead)
    assert (alert.handling, alert.occurrence, alert.data["orders"]) == ("", 2, 1)


def test_more_than_can_be_named_are_compared_by_their_number() -> None:
    rule = RULES["report_failure"]
    few: Data = {"reports": 2, "named": ["a", "b"]}
    many: Data = {"reports": 200, "named": []}
    more: Data = {"reports": 201, "named": []}
    before_names: Data = {"reports": 2}
    assert rule.has_grown(few, many)
    assert rule.has_grown(many, more)
    assert not rule.has_grown(before_names, few)
    for pair in [(few, many), (many, few), (before_names, few)]:
        assert rule.is_same(*pair)
