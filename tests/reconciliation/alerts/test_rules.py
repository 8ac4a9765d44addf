"""When each alert is true, and what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from orders.actors import job, person
from orders.events import record
from orders.models import EventKind, InventoryList, Order, OrderEvent, OrderItem, OrderStatus, Site
from reconciliation import connection
from reconciliation.alerts.lifecycle import open_alerts
from reconciliation.alerts.rules import refresh_alerts, refresh_silence_alerts
from reconciliation.alerts.site_text import tellings
from reconciliation.alerts.text import Said, said_by
from reconciliation.models import Alert, Batch, Connection, ReportDay, Run, RunEntry
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
        kept = Said(alert.message, alert.remedy)
        alert.message = alert.remedy = ""
        with translation.override("en-gb"):  # Told anew from its data, as in any other language.
            assert said_by(alert) == kept
    return {a.descriptor + (f" {a.context}" if a.context else ""): a for a in open_alerts()}


def lose(now: datetime) -> None:
    connection.current()
    Connection.objects.update(failures=3)
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
        "Inventory service offline since 1 Mar 2026, 12:00 UTC: OCI does not answer."
        " 2 orders with 5 units wait, worth 1,234.50 EUR and 20.00 USD."
    )
    assert (alert.priority, alert.since, alert.link) == ("WARN", NOW, "/")
    assert "by itself" in alert.remedy
    assert alert.data == {
        "why": "no_answer",
        "by": "",
        "reason": "",
        "since": NOW.isoformat(),
        "orders": 2,
        "units": "5.000",
        "value": {"EUR": "1234.5000", "USD": "20.0000"},
    }
    order(site, "3", units=1200)
    alert = said(at(3))["oci_offline"]
    assert "3 orders with 1,205 units wait" in alert.message
    assert (alert.since, alert.updated_at) == (NOW, at(3))
    Connection.objects.update(state="RECOVERING", cause="")
    assert said(at(4)) == {}


def test_forced_offline_says_who_and_why() -> None:
    connection.force_offline(actor=person("ada"), reason="wrong stock", now=NOW)
    alert = said()["oci_offline"]
    assert alert.message == (
        "Inventory service offline since 1 Mar 2026, 12:00 UTC:"
        " ada took it offline (wrong stock). No order waits."
    )
    assert (alert.priority, alert.remedy) == (
        "WARN",
        "Release the connection when OCI may be used again.",
    )


def test_refused_credentials_need_action_twice_over() -> None:
    connection.current()
    connection.note_configuration_fault(now=NOW, message="401")
    alerts = said()
    assert set(alerts) == {"oci_offline", "configuration_fault"}
    assert {alert.priority for alert in alerts.values()} == {"ACTION"}
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
    run("running", [], minutes=5)
    assert set(said(at(5))) == {"reconciliation_running"}


def test_shortages_need_action_until_each_order_is_settled(site: Site) -> None:
    partial = order(site, "1", reservation_state="PARTIALLY_RESERVED")
    nothing = order(site, "2", reservation_state="NOTHING_RESERVED")
    made = run(
        "completed_with_shortages",
        [(partial, "PARTIALLY_RESERVED"), (nothing, "NOTHING_RESERVED")],
    )
    key = f"reconciliation_shortages run:{made.pk}"
    alerts = said(at(2))
    assert set(alerts) == {key}
    assert alerts[key].message == (
        f"Reconciliation {made.pk} finished at 1 Mar 2026, 12:01 UTC with shortages:"
        " 2 orders could not be reserved in full and wait for a decision."
    )
    assert (alerts[key].priority, alerts[key].since) == ("ACTION", at(1))
    assert alerts[key].link == "/desk/"
    Order.objects.filter(pk=partial.pk).update(resolution="settled_outside")
    assert "1 order could not be reserved in full and waits" in said(at(3))[key].message
    Order.objects.filter(pk=nothing.pk).update(status="cancelled", resolution="cancelled")
    assert said(at(4)) == {}


def test_an_order_left_short_again_belongs_to_the_later_run(site: Site) -> None:
    short = order(site, "1", reservation_state="PARTIALLY_RESERVED")
    other = order(site, "2", reservation_state="NOTHING_RESERVED")
    entries = [(short, "PARTIALLY_RESERVED"), (other, "NOTHING_RESERVED")]
    first = run("completed_with_shortages", entries)
    second = run("completed_with_shortages", entries[:1], minutes=5)
    alerts = said(at(6))
    assert alerts[f"reconciliation_shortages run:{first.pk}"].data["orders"] == 1
    assert alerts[f"reconciliation_shortages run:{second.pk}"].data["orders"] == 1


def test_an_order_counts_once_while_a_later_run_is_still_at_work(site: Site) -> None:
    short = order(site, "1", reservation_state="PARTIALLY_RESERVED")
    entries = [(short, "PARTIALLY_RESERVED")]
    first = run("completed_with_shortages", entries)
    later = run("running", entries, minutes=5)
    key = "reconciliation_shortages run:"
    found = said(at(6))
    assert [name for name in found if name.startswith(key)] == [f"{key}{first.pk}"]
    assert tellings(found.values(), site_ids=["shop"])[found[f"{key}{first.pk}"].pk].endswith(
        "with shortages: 1 order could not be reserved in full."
    )
    Run.objects.filter(pk=later.pk).update(
        state="completed_with_shortages", is_active=False, finished_at=at(7)
    )
    found = said(at(8))
    assert [name for name in found if name.startswith(key)] == [f"{key}{later.pk}"]


def test_a_run_that_oci_left_says_so_while_orders_wait(site: Site) -> None:
    waiting = order(site, "1")
    made = run("oci_offline", [(waiting, "OCI_OFFLINE")])
    alert = said(at(2))["still_offline"]
    assert alert.message == (
        f"Reconciliation {made.pk} ended at 1 Mar 2026, 12:01 UTC because Omnichannel Inventory"
        " remains offline. 1 order with 2 units waits, worth 10.00 EUR."
    )
    assert alert.priority == "WARN"
    Order.objects.update(reservation_state="COMPLETELY_RESERVED")
    assert said(at(3)) == {}


def test_orders_that_only_a_person_can_move_on_need_action(site: Site) -> None:
    order(site, "1", needs_review_since=at(3), needs_review_reason="why")
    order(site, "2", needs_review_since=at(2), needs_review_reason="why")
    alert = said(at(5))["needs_review"]
    assert alert.message == (
        "2 orders cannot go on without a person; the first since 1 Mar 2026, 12:02 UTC."
        " They are not tried again by themselves."
    )
    assert (alert.priority, alert.since) == ("ACTION", at(2))
    Order.objects.update(needs_review_since=None)
    assert said(at(6)) == {}


def test_reports_that_cannot_be_written_need_action(site: Site) -> None:
    ReportDay.objects.create(
        site=site, date=date(2026, 3, 1), report_type="offline", last_error="No space left."
    )
    alert = said()["report_failure"]
    assert alert.message == (
        "1 daily report could not be written; the first is 2026-03-01 offline of shop:"
        " No space left."
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
    refresh_silence_alerts(NOW, watching_since=at(-10))
    alerts = {alert.descriptor: alert for alert in open_alerts()}
    assert set(alerts) == {"silent_worker", "silent_monitor"}
    assert "No worker has reported since 1 Mar 2026, 11:50 UTC." in alerts["silent_worker"].message
    assert {alert.priority for alert in alerts.values()} == {"ACTION"}
    assert {alert.since for alert in alerts.values()} == {at(-10)}
    heartbeats.beat(component="worker", instance="b", now=NOW)
    heartbeats.beat(component="monitor", now=NOW)
    refresh_silence_alerts(NOW + timedelta(seconds=10), watching_since=at(-10))
    assert list(open_alerts()) == []
    refresh_silence_alerts(NOW + timedelta(seconds=11), watching_since=at(-10))
    assert [alert.descriptor for alert in open_alerts()] == ["silent_monitor"]


def test_silence_is_not_counted_from_before_we_listened() -> None:
    heartbeats.beat(component="worker", instance="a", now=at(-600))
    heartbeats.beat(component="monitor", now=at(-600))
    refresh_silence_alerts(NOW, watching_since=NOW)
    assert list(open_alerts()) == []


def test_one_that_never_worked_is_missed_when_the_other_works() -> None:
    refresh_silence_alerts(NOW, watching_since=at(-10))
    assert list(open_alerts()) == []
    heartbeats.beat(component="monitor", now=NOW)
    refresh_silence_alerts(NOW, watching_since=at(-10))
    assert [alert.message[:29] for alert in open_alerts()] == ["No worker has reported yet. O"]


def test_old_beats_are_forgotten_but_never_the_last() -> None:
    heartbeats.beat(component="worker", instance="a", now=NOW - timedelta(days=9))
    heartbeats.beat(component="worker", instance="b", now=NOW - timedelta(days=8))
    heartbeats.beat(component="monitor", now=NOW - timedelta(days=8))
    assert heartbeats.forget_old(NOW) == 1
    assert heartbeats.last_beat("worker") == NOW - timedelta(days=8)
    assert heartbeats.last_beat("monitor") == NOW - timedelta(days=8)
