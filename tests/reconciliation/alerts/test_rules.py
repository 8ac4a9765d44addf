"""When each alert is true, and what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from orders.actors import job, person
from orders.events import record
from orders.models import EventKind, InventoryList, Order, OrderEvent, OrderItem, OrderStatus, Site
from orders.units import note_open
from reconciliation import connection
from reconciliation.alerts.actions import acknowledge
from reconciliation.alerts.lifecycle import open_alerts
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.rule import Text
from reconciliation.alerts.rules import button_for
from reconciliation.alerts.site_text import site_texts
from reconciliation.alerts.text import note_of, text_of
from reconciliation.models import (
    Alert,
    Batch,
    CallHealth,
    Connection,
    Outage,
    ReportDay,
    Run,
    RunEntry,
)
from reconciliation.outages import planned
from reconciliation.queue import heartbeats

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
def site() -> Site:
    stock = InventoryList.objects.create(pk="shop")
    return Site.objects.create(pk="shop", inventory_list=stock)


def order(site: Site, no: str, *, units: int = 2, total: str = "10", **values: object) -> Order:
    fields: dict[str, object] = {
        "status": OrderStatus.NEW,
        "captured_at": NOW,
        "currency": "EUR",
        "order_total": Decimal(total),
        "payload_hash": "x",
        "captured_offline": True,
    }
    made = Order.objects.create(site=site, order_no=no, **{**fields, **values})
    OrderItem.objects.create(
        order=made,
        position=1,
        item_id="1",
        sku="SKU",
        inventory_list=site.inventory_list,
        quantity=units,
    )
    return made


def run(state: str, entries: list[tuple[Order, str]], *, minutes: float = 0) -> Run:
    active = state in ("queued", "running")
    made = Run.objects.create(
        trigger="recovery",
        actor="monitor",
        state=state,
        is_active=active,
        created_at=at(minutes),
        finished_at=None if active else at(minutes + 1),
    )
    batch = Batch.objects.create(run=made, lane=0, sequence=0)
    for position, (entry_order, entry_state) in enumerate(entries):
        RunEntry.objects.create(
            run=made, batch=batch, order=entry_order, position=position, state=entry_state
        )
    return made


def said(now: datetime = NOW) -> dict[str, Alert]:
    """Refresh twice (it must be safe) and return the open alerts by descriptor and context."""
    refresh_alerts(now, watching_since=now)
    refresh_alerts(now, watching_since=now)
    for alert in open_alerts():
        kept = Text(alert.message, alert.remedy)
        alert.message = alert.remedy = ""
        with translation.override("en-gb"):  # Told anew from its data, as in any other language.
            assert text_of(alert) == kept
    return {a.descriptor + (f" {a.context}" if a.context else ""): a for a in open_alerts()}


def lose(now: datetime) -> None:
    connection.note_good(now - timedelta(minutes=1))
    lost = {"failures": 3, "unanswered": 3, "unanswered_since": now}
    CallHealth.objects.update_or_create(pk="read", defaults=lost)
    connection.lose_if_unanswered(now)


def test_in_peace_there_is_no_alert() -> None:
    assert said() == {}
    assert Alert.objects.count() == 0


def test_offline_says_since_when_and_what_is_at_stake(site: Site) -> None:
    order(site, "1", units=3, total="1234.5")
    order(site, "2", total="20", currency="USD", captured_at=at(1))
    lose(NOW)
    alert = said(at(2))["oci_offline"]
    assert alert.message == (
        "Omnichannel Inventory has not answered since 1 Mar 2026, 12:00 UTC."
        " 2 orders with 5 units are waiting (1,234.50 EUR and 20.00 USD)."
    )
    assert (alert.priority, alert.since, alert.link) == (
        "WARN",
        NOW,
        "/settings/oci/",
    )
    assert "starts automatically" in alert.remedy
    assert alert.data == {
        "why": "no_answer",
        "by": "",
        "reason": "",
        "outage": Outage.objects.get().pk,
        "onPurpose": False,
        "heldSince": None,
        "since": NOW.isoformat(),
        "orders": 2,
        "units": "5.000",
        "value": {"EUR": "1234.5000", "USD": "20.0000"},
    }
    order(site, "3", units=1200)
    alert = said(at(3))["oci_offline"]
    assert "3 orders with 1,205 units are waiting" in alert.message
    assert (alert.since, alert.updated_at) == (NOW, at(3))
    Connection.objects.update(state="RECOVERING", cause="")
    assert said(at(4)) == {}


def test_forced_offline_says_who_and_why() -> None:
    connection.force_offline(actor=person("ada"), reason="wrong stock.", now=NOW)
    alert = said()["oci_offline"]
    assert alert.message == (
        "ada took Omnichannel Inventory offline at 1 Mar 2026, 12:00 UTC: wrong stock."
        " No order is waiting."
    )
    assert (alert.priority, alert.remedy) == (
        "WARN",
        "Release the connection when OCI may be used again.",
    )


def test_planned_outage_says_when_it_ends_and_asks_nobody_to_release_it(site: Site) -> None:
    window = planned.plan(
        starts_at=at(10), ends_at=at(70), owner="Ops", note="Update", actor=person("ada"), now=NOW
    )
    planned.keep_times(at(11))
    alert = said(at(12))["oci_offline"]
    assert alert.message == (
        "A planned outage began at 1 Mar 2026, 12:11 UTC and ends automatically at"
        " 1 Mar 2026, 13:10 UTC (Ops: Update). No order is waiting."
    )
    assert (alert.remedy, alert.link, button_for(alert)) == (
        "You don't need to do anything. To end it earlier, open the planned outages.",
        "/outages/#planned-title",
        "Open the planned outages",
    )
    assert site_texts([alert], site_ids=["shop"]) == {
        alert.pk: "A planned outage began at 1 Mar 2026, 12:11 UTC and ends automatically at"
        " 1 Mar 2026, 13:10 UTC. No order is waiting."
    }
    planned.end(window.pk, actor=person("ada"), reason="Done.", now=at(30))
    alert = said(at(31))["oci_offline"]
    assert alert.message == (
        "The planned outage that began at 1 Mar 2026, 12:11 UTC has ended and the connection is"
        " being checked. No order is waiting."
    )
    assert (alert.link, button_for(alert)) == ("/settings/oci/", "Open the connection")
    Connection.objects.update(state="ONLINE", cause="")
    said(at(32))
    alert.refresh_from_db()
    assert alert.message == (
        "A planned outage lasted from 1 Mar 2026, 12:11 UTC to 1 Mar 2026, 12:32 UTC (Ops: Update)."
    )


def test_hold_of_a_person_during_a_window_asks_for_its_release() -> None:
    connection.force_offline(actor=person("ada"), reason="Trouble.", now=NOW)
    planned.plan(
        starts_at=at(10), ends_at=at(70), owner="Ops", note="Update", actor=person("ada"), now=NOW
    )
    planned.keep_times(at(11))
    assert said(at(12))["oci_offline"].remedy == (
        "Release the connection when OCI may be used again."
    )


def test_forcing_a_lost_connection_offline_says_when_that_was() -> None:
    lose(NOW)
    connection.force_offline(actor=person("ada"), reason="Wait.", now=at(30))
    message = said(at(31))["oci_offline"].message
    assert message.startswith("ada took Omnichannel Inventory offline at 1 Mar 2026, 12:30 UTC:")


def test_refused_credentials_need_action_once() -> None:
    connection.current()
    connection.note_configuration_fault(now=NOW, message="401")
    alerts = said()
    assert set(alerts) == {"configuration_fault"}
    assert alerts["configuration_fault"].priority == "ACTION"
    assert "COC_OCI_CLIENT_SECRET" in alerts["configuration_fault"].remedy
    Connection.objects.update(cause="unreachable")
    assert set(said()) == {"oci_offline"}


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


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"offline_capture": False}, "OCI is offline and offline capture is switched off."),
        ({"cap_offline_minutes": 1}, "for more than 1 minute, the site's limit."),
        ({"cap_offline_minutes": 5}, "for more than 5 minutes, the site's limit."),
        ({"cap_total_value": 20}, "have reached the site's limit of 20.00 EUR."),
    ],
)
def test_a_site_that_refuses_orders_needs_action(
    site: Site, limits: dict[str, object], text: str
) -> None:
    Site.objects.filter(pk=site.pk).update(currency="EUR", **limits)
    order(site, "1")
    assert said(at(1)) == {}
    lose(at(2))
    key = "orders_refused shop"
    assert (key in said(at(3))) == (limits == {"offline_capture": False})
    order(site, "2")
    alert = said(at(8))[key]
    assert (alert.priority, alert.link) == ("ACTION", "/settings/sites/edit/shop/")
    assert alert.message.startswith("shop has refused orders since ")
    assert alert.message.endswith(text)
    assert site_texts([alert], site_ids=["shop"]) == {alert.pk: alert.message}
    assert site_texts([alert], site_ids=["other"]) == {}
    Connection.objects.update(state="ONLINE", cause="")
    assert key not in said(at(9))
    assert " refused orders from " in Alert.objects.get(descriptor="orders_refused").message


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


def test_silence_of_what_once_worked_is_an_alert() -> None:
    heartbeats.beat(component="worker", instance="a", now=at(-10))
    heartbeats.beat(component="monitor", now=at(-10))
    refresh_alerts(NOW, watching_since=at(-10))
    alerts = {alert.descriptor: alert for alert in open_alerts()}
    assert set(alerts) == {"silent_worker", "silent_monitor"}
    assert "No worker has reported since 1 Mar 2026, 11:50 UTC." in alerts["silent_worker"].message
    assert {alert.priority for alert in alerts.values()} == {"ACTION"}
    assert {alert.since for alert in alerts.values()} == {at(-10)}
    heartbeats.beat(component="worker", instance="b", now=NOW)
    heartbeats.beat(component="monitor", now=NOW)
    refresh_alerts(NOW + timedelta(seconds=10), watching_since=at(-10))
    assert list(open_alerts()) == []
    refresh_alerts(NOW + timedelta(seconds=11), watching_since=at(-10))
    assert [alert.descriptor for alert in open_alerts()] == ["silent_monitor"]


def test_silence_is_not_counted_from_before_we_listened() -> None:
    heartbeats.beat(component="worker", instance="a", now=at(-600))
    heartbeats.beat(component="monitor", now=at(-600))
    refresh_alerts(NOW, watching_since=NOW)
    assert list(open_alerts()) == []


def test_one_that_never_worked_is_missed_when_the_other_works() -> None:
    refresh_alerts(NOW, watching_since=at(-10))
    assert list(open_alerts()) == []
    heartbeats.beat(component="monitor", now=NOW)
    refresh_alerts(NOW, watching_since=at(-10))
    assert [alert.message[:29] for alert in open_alerts()] == ["No worker has reported yet. O"]


def test_old_beats_are_forgotten_but_never_the_last() -> None:
    heartbeats.beat(component="worker", instance="a", now=NOW - timedelta(days=9))
    heartbeats.beat(component="worker", instance="b", now=NOW - timedelta(days=8))
    heartbeats.beat(component="monitor", now=NOW - timedelta(days=8))
    assert heartbeats.forget_old(NOW) == 1
    assert heartbeats.last_beat("worker") == NOW - timedelta(days=8)
    assert heartbeats.last_beat("monitor") == NOW - timedelta(days=8)


def test_an_alert_is_stored_in_english_whoever_refreshes_it() -> None:
    lose(NOW)
    with translation.override("de"):
        refresh_alerts(at(1), watching_since=at(1))
    assert Alert.objects.get().message.startswith("Omnichannel Inventory has not answered since")
