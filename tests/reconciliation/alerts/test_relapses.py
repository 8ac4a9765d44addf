"""OCI comes back and is lost again within a minute: one outage, and one alert of each matter."""

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
from reconciliation.models import (
    Alert,
    CallHealth,
    Connection,
    Outage,
    Run,
    RunState,
    StockFeed,
)
from tests.engine import MIA, Engine

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def refreshed(second: float) -> dict[str, Alert]:
    refresh_alerts(at(second), watching_since=at(second))
    return {alert.descriptor: alert for alert in open_alerts()}


def lose_reads(second: float) -> None:
    lost = {"failures": 3, "unanswered": 3, "unanswered_since": at(second)}
    CallHealth.objects.update_or_create(pk="read", defaults=lost)
    assert connection.lose_if_unanswered(at(second)) is True


def come_back(second: float, *, drained: bool = True) -> None:
    for step in range(3):
        connection.note_good_probe(at(second + step))
    assert connection.mark_online_if_drained(at(second + 2)) is drained


def kinds_of(alert: Alert) -> list[str]:
    return list(alert.events.order_by("pk").values_list("kind", flat=True))


def german(alert: Alert) -> str:
    with translation.override("de"):
        return text_of(alert).message


def closed_shop() -> Site:
    stock = InventoryList.objects.create(pk="stock")
    return Site.objects.create(pk="shop", inventory_list=stock, offline_capture=False)


def test_refused_orders_are_one_matter_through_a_relapse() -> None:
    closed_shop()
    connection.note_good(at(-1))
    lose_reads(0)
    alert = refreshed(1)["orders_refused"]
    Alert.objects.filter(pk=alert.pk).update(handling="acknowledged")
    come_back(10)
    alert = refreshed(11.5)["orders_refused"]
    assert alert.message == (
        "shop refused orders from 1 Mar 2026, 12:00 UTC to 1 Mar 2026, 12:00 UTC."
        " Omnichannel Inventory has been answering again since 1 Mar 2026, 12:00 UTC. This alert"
        " resolves at 1 Mar 2026, 12:01 UTC unless OCI is lost again."
    )
    assert "antwortet seit 1. Mär 2026, 12:00 UTC wieder" in german(alert)
    assert site_texts([alert], site_ids=["shop"]) == {alert.pk: alert.message}
    lose_reads(30)
    alert = refreshed(31)["orders_refused"]
    assert "shop has refused orders since" in alert.message
    assert (alert.since, alert.occurrence, alert.handling) == (NOW, 1, "acknowledged")
    assert kinds_of(alert) == ["raised", "relapsed"]


def test_refused_orders_end_when_oci_answered_once_that_is_sure() -> None:
    closed_shop()
    connection.note_good(at(-1))
    lose_reads(0)
    refreshed(1)
    come_back(178)
    assert "orders_refused" in refreshed(239)
    assert "orders_refused" not in refreshed(240)
    alert = Alert.objects.get(descriptor="orders_refused")
    assert alert.message == (
        "shop refused orders from 1 Mar 2026, 12:00 UTC to 1 Mar 2026, 12:03 UTC."
    )
    assert kinds_of(alert) == ["raised", "resolved"]


def test_what_a_person_did_on_purpose_ends_at_once() -> None:
    closed_shop()
    connection.note_good(at(-1))
    connection.force_offline(actor=MIA, reason="Works.", now=at(0))
    assert "orders_refused" in refreshed(1)
    connection.release_forced(actor=MIA, reason="Done.", now=at(5))
    come_back(10)
    assert refreshed(13) == {}
    assert Outage.objects.get().cause == "forced"


def test_a_stopped_reconciliation_is_one_matter_through_retries_and_a_relapse(
    engine: Engine,
) -> None:
    """Not even the retry cycle that tries again takes it for over while it runs."""
    site = engine.site({"MUG": 5}, "shop")
    connection.note_good(at(-1))
    lose_reads(0)
    engine.capture(site, "S1", [("MUG", 1)])
    outage = Outage.objects.get()
    stopped = {"state": RunState.OCI_OFFLINE, "is_active": False, "outage": outage}
    Run.objects.create(**stopped, created_at=at(1), finished_at=at(2))
    alert = refreshed(3)["still_offline"]
    Alert.objects.filter(pk=alert.pk).update(handling="acknowledged")

    retry = Run.objects.create(state=RunState.RUNNING, outage=outage, created_at=at(4))
    assert refreshed(5)["still_offline"].handling == "acknowledged"
    Run.objects.filter(pk=retry.pk).update(**stopped, finished_at=at(6))
    assert "stopped at" in refreshed(7)["still_offline"].message

    Connection.objects.update(proved_at=at(9))
    come_back(10, drained=False)
    again = Run.objects.create(state=RunState.RUNNING, outage=outage, created_at=at(12))
    alert = refreshed(13)["still_offline"]
    assert alert.message.startswith(
        f"Reconciliation {retry.pk} stopped at 1 Mar 2026, 12:00 UTC because Omnichannel Inventory"
        " remained offline. Omnichannel Inventory has been answering again since"
    )
    assert alert.message.endswith("1 order with 1 unit is waiting (42.25 USD).")
    assert "antwortet seit" in german(alert)
    assert "answering again since" in site_texts([alert], site_ids=["shop"])[alert.pk]

    lose_reads(30)
    alert = refreshed(31)["still_offline"]
    assert "remains offline" in alert.message
    Run.objects.filter(pk=again.pk).update(**stopped, finished_at=at(32))
    alert = refreshed(33)["still_offline"]
    assert alert.data["run"] == again.pk
    assert (alert.occurrence, alert.handling) == (1, "acknowledged")
    assert kinds_of(alert) == ["raised", "relapsed"]


def test_what_was_impaired_before_an_outage_is_no_news_after_it() -> None:
    connection.note_good(at(-1))
    connection.note_good(at(1))
    CallHealth.objects.create(pk="release", failures=3, unanswered=3, unanswered_since=NOW)
    alert = refreshed(2)["oci_impaired"]
    Alert.objects.filter(pk=alert.pk).update(handling="acknowledged")
    lose_reads(5)
    alert = refreshed(6)["oci_impaired"]
    assert alert.data["kinds"] == ["release"]
    come_back(10)
    alert = refreshed(13)["oci_impaired"]
    assert (alert.occurrence, alert.handling) == (1, "acknowledged")
    connection.note_good(at(14), kind="release")  # type: ignore[arg-type]
    assert "oci_impaired" not in refreshed(15)


def test_an_outage_alone_impairs_nothing() -> None:
    connection.note_good(at(-1))
    lose_reads(5)
    assert "oci_impaired" not in refreshed(6)


def test_figures_that_were_old_before_an_outage_are_no_news_after_it() -> None:
    stock = InventoryList.objects.create(pk="stock")
    Site.objects.create(pk="shop", inventory_list=stock)
    StockFeed.objects.create(inventory_list=stock, records=1, p50_at=at(-9000), p95_at=at(-9000))
    connection.note_good(at(-1))
    Connection.objects.update(since=at(-5000))
    alert = refreshed(1)["stock_is_old"]
    Alert.objects.filter(pk=alert.pk).update(handling="acknowledged")
    lose_reads(5)
    assert refreshed(6)["stock_is_old"].data["lists"] == ["stock"]
    come_back(10)
    alert = refreshed(13)["stock_is_old"]
    assert (alert.occurrence, alert.handling) == (1, "acknowledged")
    StockFeed.objects.update(p95_at=at(13), p50_at=at(13))
    assert "stock_is_old" not in refreshed(14)
