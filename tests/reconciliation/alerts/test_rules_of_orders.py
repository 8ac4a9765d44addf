"""Alerts about runs, orders and reports: when each is true, and what it says."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import translation

from orders.actors import job, person
from orders.events import record
from orders.models import EventKind, Order, OrderEvent, OrderItem, Site
from orders.units import note_open
from reconciliation.alerts.actions import acknowledge
from reconciliation.alerts.site_text import site_texts
from reconciliation.alerts.text import note_of, text_of
from reconciliation.models import Alert, ReportDay, Run, RunEntry
from tests.reconciliation.alerts.ruling import NOW, at, order, run, said

pytestmark = pytest.mark.django_db


def test_a_run_tells_its_progress_then_its_counts_until_the_next_begins(site: Site) -> None:
    first, second = order(site, "1"), order(site, "2")
    made = run("running", [(first, "COMPLETELY_RESERVED"), (second, "pending")])
    alert = said()["reconciliation_running"]
    assert alert.message == (
        f"Reconciliation {made.pk} has been running since 1 Mar 2026, 12:00 UTC:"
        " 1 of 2 orders done (50 %)."
    )
    assert (alert.priority, alert.link) == ("INFO", f"/runs/{made.pk}/")
    RunEntry.objects.update(state="COMPLETELY_RESERVED")
    Run.objects.update(state="completed", is_active=False, finished_at=at(1))
    alerts = said(at(1))
    assert set(alerts) == {"reconciliation_finished"}
    assert alerts["reconciliation_finished"].message == (
        f"Reconciliation {made.pk} finished at 1 Mar 2026, 12:01 UTC: 2 Completely Reserved."
    )
    # The last refresh while it ran had seen a half of it.
    over = Alert.objects.get(descriptor="reconciliation_running")
    ended = (
        f"Reconciliation {made.pk} ran from 1 Mar 2026, 12:00 UTC to 1 Mar 2026, 12:01 UTC:"
        " 2 of 2 orders done."
    )
    assert (over.message, over.remedy) == (ended, "")
    later = run("running", [], minutes=5)
    assert set(said(at(5))) == {"reconciliation_running"}
    # The row is about the next run now; what it said of the first one is kept in its history.
    notes = list(over.events.order_by("pk").values_list("kind", "note"))
    assert notes[1] == ("resolved", ended)
    assert notes[2][1].startswith(f"Reconciliation {later.pk} has been running")
    with translation.override("de"):
        german = note_of(over.events.order_by("pk")[1], descriptor=over.descriptor)
    assert german.startswith(f"Abgleich {made.pk} lief (1. Mär 2026, 12:00 UTC bis ")


SHORT = "reconciliation_shortages"


def shorten(site: Site, minutes: float, *nos: str) -> Run:
    """Let a reconciliation leave these orders short."""
    states = ["PARTIALLY_RESERVED", "NOTHING_RESERVED"]
    entries = []
    for number, no in enumerate(nos):
        state = states[number % 2]
        made = Order.objects.filter(site=site, order_no=no).first() or order(site, no)
        Order.objects.filter(pk=made.pk).update(reservation_state=state)
        note_open(OrderItem.objects.filter(order=made))
        entries.append((made, state))
    return run("completed_with_shortages", entries, minutes=minutes)


def decide(no: str) -> None:
    Order.objects.filter(order_no=no).update(resolution="settled_outside")


def test_shortages_need_action_until_each_order_is_decided(site: Site) -> None:
    made = shorten(site, 0, "1", "2")
    alerts = said(at(2))
    assert set(alerts) == {SHORT}
    assert alerts[SHORT].message == (
        "2 orders are oversold: OCI couldn't reserve them in full. 4 units short."
        f" Reconciliation {made.pk} was the last with shortages, at 1 Mar 2026, 12:01 UTC."
    )
    assert (alerts[SHORT].priority, alerts[SHORT].since) == ("ACTION", at(1))
    assert alerts[SHORT].link == "/desk/"
    decide("1")
    assert (
        "1 order is oversold: OCI couldn't reserve it in full. 2 units"
        in said(at(3))[SHORT].message
    )
    decide("2")
    assert said(at(4)) == {}
    # What was so does not shrink with each decision, and nothing changes it later.
    past = (
        "2 orders were oversold between 1 Mar 2026, 12:01 UTC and 1 Mar 2026, 12:04 UTC."
        " All have been decided. 4 units short."
    )
    for minutes in (5, 9):
        assert said(at(minutes)) == {}
        assert Alert.objects.get(descriptor=SHORT).message == past


def test_one_desk_has_one_alert_however_many_runs_left_orders_short(site: Site) -> None:
    shorten(site, 0, "1", "2")
    said(at(2))
    shorten(site, 5, "1", "3")
    alerts = said(at(7))
    assert list(alerts) == [SHORT]
    assert alerts[SHORT].data["orders"] == Order.objects.oversold().count() == 3
    assert alerts[SHORT].since == at(1)


def test_another_run_with_shortages_needs_somebody_again(site: Site) -> None:
    shorten(site, 0, "1", "2")
    alert = said(at(2))[SHORT]
    mia = person("mia")
    acknowledge(alert_id=alert.pk, seen=alert.handled, actor=mia, now=at(3))
    decide("1")
    assert said(at(4))[SHORT].handling == "acknowledged"
    shorten(site, 5, "3")
    alert = said(at(7))[SHORT]
    assert (alert.handling, alert.turn) == ("", alert.revision)
    kinds = list(alert.events.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["raised", "acknowledged", "worse"]


def test_an_order_counts_once_while_a_later_run_is_still_at_work(site: Site) -> None:
    shorten(site, 0, "1")
    entries = [(Order.objects.get(), "PARTIALLY_RESERVED")]
    later = run("running", entries, minutes=5)
    alert = said(at(6))[SHORT]
    text = "1 order is oversold: OCI couldn't reserve it in full. 2 units short."
    assert alert.message.startswith(text)
    assert site_texts([alert], site_ids=["shop"]) == {alert.pk: text}
    Run.objects.filter(pk=later.pk).update(
        state="completed_with_shortages", is_active=False, finished_at=at(7)
    )
    assert said(at(8))[SHORT].data["orders"] == 1


def test_a_run_that_oci_left_says_so_while_orders_wait(site: Site) -> None:
    waiting = order(site, "1")
    made = run("oci_offline", [(waiting, "OCI_OFFLINE")])
    alert = said(at(2))["still_offline"]
    assert alert.message == (
        f"Reconciliation {made.pk} stopped at 1 Mar 2026, 12:01 UTC because Omnichannel Inventory"
        " remains offline. 1 order with 2 units is waiting (10.00 EUR)."
    )
    assert alert.priority == "WARN"
    Order.objects.update(reservation_state="COMPLETELY_RESERVED")
    assert said(at(3)) == {}


def test_orders_that_only_a_person_can_move_on_need_action(site: Site) -> None:
    order(site, "1", needs_review_since=at(3), needs_review_reason="why")
    order(site, "2", needs_review_since=at(2), needs_review_reason="why")
    alert = said(at(5))["needs_review"]
    assert alert.message == (
        "2 orders need review, the first since 1 Mar 2026, 12:02 UTC."
        " They won't be retried automatically."
    )
    assert (alert.priority, alert.since) == ("ACTION", at(2))
    Order.objects.update(needs_review_since=None)
    assert said(at(6)) == {}


def test_orders_near_the_thirty_days_of_oci_need_action(site: Site) -> None:
    other = Site.objects.create(pk="other", inventory_list_id="shop")
    waiting = order(site, "1", captured_at=NOW - timedelta(days=26))
    order(site, "2", captured_at=NOW - timedelta(days=24))
    order(other, "3", captured_at=NOW - timedelta(days=27))
    assert "reservations_expire" in said()
    alert = said()["reservations_expire"]
    assert (alert.priority, alert.data["orders"]) == ("ACTION", 2)
    assert text_of(alert).message.startswith(
        "2 orders have waited or been undecided for more than 25 days, the first since"
    )
    assert list(site_texts([alert], site_ids=["shop"]).values()) == [
        "1 order has waited or been undecided for more than 25 days."
        " OCI releases reservations after 30 days."
    ]
    assert not any(site_texts([alert], site_ids=["third"]).values())
    # An order that OCI could not reserve in full counts until somebody decides.
    Order.objects.filter(pk=waiting.pk).update(reservation_state="PARTIALLY_RESERVED")
    Order.objects.filter(order_no="3").update(reservation_state="COMPLETELY_RESERVED")
    assert said(at(1))["reservations_expire"].data["orders"] == 1
    Order.objects.filter(pk=waiting.pk).update(resolution="settled")
    assert "reservations_expire" not in said(at(2))


def test_reports_that_cannot_be_written_need_action(site: Site) -> None:
    ReportDay.objects.create(
        site=site, date=date(2026, 3, 1), report_type="offline", last_error="No space left."
    )
    alert = said()["report_failure"]
    assert alert.message == (
        "1 daily report could not be written: 2026-03-01, offline, shop. No space left."
    )
    assert alert.priority == "ACTION"
    ReportDay.objects.update(last_error="")
    assert said() == {}


def test_reports_that_fall_behind_are_an_alert(site: Site) -> None:
    record(
        order=order(site, "1"),
        kind=EventKind.CAPTURED_OFFLINE,
        actor=job("test"),
        reason="test",
        now=NOW,
    )
    assert said(at(2)) == {}
    assert "1 Mar 2026, 12:00 UTC" in said(at(3))["report_failure behind"].message
    OrderEvent.objects.update(projected=True)
    assert said(at(4)) == {}
