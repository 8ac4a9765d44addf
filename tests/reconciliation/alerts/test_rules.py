"""Alerts about the connection and the processes: when each is true, and what it says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import translation

from orders.actors import person
from orders.models import Site
from reconciliation import connection
from reconciliation.alerts.lifecycle import open_alerts
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.rules import button_for
from reconciliation.alerts.site_text import site_texts
from reconciliation.models import Alert, Connection, Outage
from reconciliation.outages import planned
from reconciliation.queue import heartbeats
from tests.reconciliation.alerts.ruling import NOW, at, lose, order, said

pytestmark = pytest.mark.django_db


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
