"""Alerts about one kind of call that fails, and about figures that cannot be right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from orders.models import InventoryList, Site
from reconciliation import connection
from reconciliation.alerts.lifecycle import open_alerts
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.site_text import site_texts
from reconciliation.alerts.text import text_of
from reconciliation.models import Alert, AlertEvent, CallHealth, HeldFigures, Outage

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def refreshed(now: datetime = NOW) -> dict[str, Alert]:
    refresh_alerts(now, watching_since=now)
    return {alert.descriptor: alert for alert in open_alerts()}


def lost(kind: str) -> None:
    CallHealth.objects.create(pk=kind, failures=3, unanswered=3, unanswered_since=NOW)


def german(alert: Alert) -> str:
    with translation.override("de"):
        return text_of(alert).message


@pytest.mark.parametrize(
    ("cause", "english", "in_german"),
    [
        (
            "reservations",
            "has taken no reservations since",
            "keine Reservierungen an, beantwortet aber",
        ),
        ("slow", "reserved too slowly", "reserviert seit"),
        ("throttled", "has asked us to slow down", "bittet seit"),
    ],
)
def test_an_outage_of_reservations_says_so_once(cause: str, english: str, in_german: str) -> None:
    connection.current()
    CallHealth.objects.create(pk="read", last_good_at=NOW + timedelta(seconds=1))
    if cause == "reservations":
        CallHealth.objects.create(pk="reserve", failures=3, unanswered=3, unanswered_since=NOW)
    elif cause == "slow":
        good = NOW + timedelta(seconds=1)
        CallHealth.objects.create(
            pk="reserve", slow_calls=2, slow_of=2, slow_since=NOW, last_good_at=good
        )
    else:
        CallHealth.objects.create(pk="reserve", throttles=2, throttled_since=NOW)
    connection.lose_if_unanswered(NOW + timedelta(seconds=5))
    assert connection.current().cause == cause
    for second in range(5, 60, 5):
        alert = refreshed(NOW + timedelta(seconds=second))["oci_offline"]
    assert english in alert.message
    assert in_german in german(alert)
    assert alert.since == NOW
    assert AlertEvent.objects.filter(alert=alert).count() == 1


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def lose_reads(second: float) -> None:
    lost = {"failures": 3, "unanswered": 3, "unanswered_since": at(second)}
    CallHealth.objects.update_or_create(pk="read", defaults=lost)
    assert connection.lose_if_unanswered(at(second)) is True


def come_back(second: float) -> None:
    for step in range(3):
        connection.note_good_probe(at(second + step))
    assert connection.mark_online_if_drained(at(second + 2)) is True


def kinds_of(alert: Alert) -> list[str]:
    return list(alert.events.order_by("pk").values_list("kind", flat=True))


def test_a_relapse_belongs_to_the_alert_of_the_outage() -> None:
    """Nobody who has acknowledged it is asked again, and no channel hears of an end between."""
    connection.note_good(at(-1))
    lose_reads(0)
    alert = refreshed(at(1))["oci_offline"]
    Alert.objects.filter(pk=alert.pk).update(handling="acknowledged")
    come_back(10)
    alert = refreshed(at(13))["oci_offline"]
    assert alert.message == (
        "Omnichannel Inventory has been answering again since 1 Mar 2026, 12:00 UTC. This alert"
        " resolves at 1 Mar 2026, 12:01 UTC unless OCI is lost again. No order is waiting."
    )
    assert "antwortet seit 1. Mär 2026, 12:00 UTC wieder" in german(alert)
    lose_reads(30)
    alert = refreshed(at(31))["oci_offline"]
    assert "has not answered since 1 Mar 2026, 12:00 UTC" in alert.message
    assert (alert.since, alert.occurrence, alert.handling) == (NOW, 1, "acknowledged")
    assert kinds_of(alert) == ["raised", "relapsed"]
    assert Outage.objects.count() == 1


def test_a_refresh_that_began_before_the_recovery_keeps_the_alert() -> None:
    """The monitor reads its clock before the probe that brings the connection back."""
    connection.note_good(at(-1))
    lose_reads(0)
    refreshed(at(1))
    come_back(10)
    alert = refreshed(at(11.5))["oci_offline"]
    assert "answering again since" in alert.message
    lose_reads(30)
    alert = refreshed(at(31))["oci_offline"]
    assert kinds_of(alert) == ["raised", "relapsed"]


def test_an_outage_that_stays_over_for_a_minute_resolves_and_ended_when_oci_answered() -> None:
    Site.objects.create(pk="shop", inventory_list=InventoryList.objects.create(pk="stock"))
    connection.note_good(at(-1))
    lose_reads(0)
    refreshed(at(1))
    come_back(178)
    alert = refreshed(at(239))["oci_offline"]
    assert "answering again since" in site_texts([alert], site_ids=["shop"])[alert.pk]
    assert "oci_offline" not in refreshed(at(240))
    alert.refresh_from_db()
    past = "Omnichannel Inventory was offline from 1 Mar 2026, 12:00 UTC to 1 Mar 2026, 12:03 UTC."
    assert alert.message == past
    assert site_texts([alert], site_ids=["shop"]) == {alert.pk: past}
    assert kinds_of(alert) == ["raised", "resolved"]


def test_a_kind_of_call_that_fails_while_online_is_told_and_resolves() -> None:
    connection.current()
    CallHealth.objects.create(pk="reserve", last_good_at=NOW + timedelta(seconds=1))
    lost("read")
    lost("release")
    alert = refreshed()["oci_impaired"]
    assert (alert.priority, alert.since) == ("WARN", NOW)
    assert "OCI has returned no figures since 1 Mar 2026, 12:00 UTC" in alert.message
    assert "OCI has released no reservation since" in alert.message
    assert "OCI liefert seit" in german(alert)
    assert "oci_offline" not in refreshed()
    connection.note_good(NOW)
    connection.note_good(NOW, kind="release")  # type: ignore[arg-type]
    assert "oci_impaired" not in refreshed()


def test_figures_that_cannot_be_right_are_told_to_those_who_sell_from_the_list() -> None:
    for name in ("north", "south"):
        stock = InventoryList.objects.create(pk=name)
        Site.objects.create(pk=name, inventory_list=stock)
    HeldFigures.objects.create(list_id="north", why="all_zero", since=NOW, skus=40)
    HeldFigures.objects.create(list_id="gone", why="vanished", since=NOW, skus=3)
    refresh_alerts(NOW, watching_since=NOW)
    alerts = {alert.context: alert for alert in open_alerts()}
    assert (
        "40 SKUs of inventory list north that had stock are sold out at once"
        in alerts["north"].message
    )
    assert "OCI has not known inventory list gone" in alerts["gone"].message
    assert {alert.priority for alert in alerts.values()} == {"ACTION"}
    assert "40 SKUs der Bestandsliste north mit Bestand auf einmal ausverkauft" in german(
        alerts["north"]
    )
    rows = list(alerts.values())
    assert list(site_texts(rows, site_ids=["north"])) == [alerts["north"].pk]
    assert site_texts(rows, site_ids=["south"]) == {}
    HeldFigures.objects.all().delete()
    assert refreshed() == {}
