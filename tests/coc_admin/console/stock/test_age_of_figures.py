"""The age of figures on the inventory page, in the API and for Prometheus, and its alert."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orders import ledger
from orders.ledger import Figure
from orders.models import InventoryList, InventoryRecord, Site
from reconciliation.alerts.lifecycle import open_alerts
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.site_text import site_texts
from reconciliation.models import (
    Alert,
    AlertState,
    Connection,
    ConnectionState,
    FeedState,
    StockFeed,
)
from reconciliation.stock_mirror import age
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.console.scene import Scene
from tests.engine import D, set_connection

LIST = "NorthShop-stock"


def feed(list_id: str, *, seconds: float, **values: Any) -> StockFeed:
    """Create the feed of a list with figures of this age."""
    at = timezone.now() - timedelta(seconds=seconds)
    fields = {"records": 3, "p50_at": at, "p95_at": at, "oldest_at": at, "current_at": None}
    list_ = InventoryList.objects.get(pk=list_id)
    return StockFeed.objects.create(inventory_list=list_, **{**fields, **values})


def online_for(minutes: float) -> None:
    set_connection(ConnectionState.ONLINE)
    Connection.objects.update(since=timezone.now() - timedelta(minutes=minutes))


def alerts() -> list[Any]:
    refresh_alerts(timezone.now(), watching_since=timezone.now())
    return [alert for alert in open_alerts() if alert.descriptor == "stock_is_old"]


def test_the_page_shows_the_age_by_list_and_the_last_error(viewer: Client, outage: Scene) -> None:
    assert "Age of the figures" not in viewer.get("/inventory/").content.decode()
    feed(LIST, seconds=2, state=FeedState.FOLLOWING, delta_token="t")
    feed("South-stock", seconds=600, state=FeedState.NEW, last_error="OCI <failed>.")
    page = viewer.get("/inventory/").content.decode()
    assert "Age of the figures" in page
    assert "10 min" in page
    assert "OCI &lt;failed&gt;." in page
    assert "Follows the changes" in page


def test_skus_that_never_run_out_and_those_that_are_gone_are_shown_as_such(
    viewer: Client, outage: Scene
) -> None:
    now = timezone.now()
    ledger.apply_snapshot(
        figures=[
            Figure(LIST, "MUG-01", D(999_999_999)),
            Figure(LIST, "JUG-03", D(0), gone=True),
        ],
        taken_at=now,
        lag=timedelta(seconds=3),
        now=now,
    )
    page = viewer.get(f"/inventory/?list={LIST}").content.decode()
    assert "unlimited" in page
    assert "no longer listed at OCI" in page
    for sku in ("MUG-01", "JUG-03"):
        record = InventoryRecord.objects.get(inventory_list=LIST, sku=sku)
        page = viewer.get(f"/inventory/{record.pk}/").content.decode()
        assert ("unlimited" in page) is (sku == "MUG-01")
        assert ("no longer listed at OCI" in page) is (sku == "JUG-03")


def test_status_has_the_ages_of_the_lists_of_its_site(outage: Scene) -> None:
    api = api_for(outage.site)
    assert api.get("status").json()["stock"] == []
    feed(LIST, seconds=600)
    feed("South-stock", seconds=2)
    (one,) = api.get("status").json()["stock"]
    assert one["inventoryListId"] == LIST
    assert 600 <= one.pop("p95Seconds") < 700
    assert (one["feed"], one["records"], one["isKept"]) == ("new", 3, False)


def test_metrics_have_the_ages_by_list(client: Client, outage: Scene) -> None:
    feed(LIST, seconds=600, state=FeedState.FOLLOWING, delta_token="t", current_at=timezone.now())
    text = client.get("/metrics").content.decode()
    assert f'coc_stock_figures{{list="{LIST}"}} 3.0' in text
    assert f'coc_stock_feed{{list="{LIST}",state="following"}} 1.0' in text
    (line,) = [one for one in text.splitlines() if 'quantile="0.95"' in one and LIST in one]
    assert float(line.split()[-1]) < 60


def test_a_broken_promise_is_raised_only_while_online_and_for_lists_in_use(
    outage: Scene,
) -> None:
    online_for(10)
    assert alerts() == []
    feed(LIST, seconds=61)
    (alert,) = alerts()
    assert alert.data["lists"] == [LIST]
    assert LIST in alert.message
    own, other = outage.site.pk, Site.objects.get(pk="South Shop & Co").pk
    assert LIST not in site_texts([alert], site_ids=[own])[alert.pk]
    assert alert.pk not in site_texts([alert], site_ids=[other])
    StockFeed.objects.update(p95_at=timezone.now())
    assert alerts() == []
    StockFeed.objects.update(p95_at=timezone.now() - timedelta(minutes=5))
    # Just back after an outage: the figures have as long as promised to become young.
    online_for(0.5)
    assert alerts() == []
    online_for(2)
    (alert,) = alerts()
    # What was old before an outage is no news after it, so the alert lives through it.
    set_connection(ConnectionState.OFFLINE)
    assert [(one.pk, one.occurrence) for one in alerts()] == [(alert.pk, alert.occurrence)]
    Alert.objects.update(state=AlertState.RESOLVED, resolved_at=timezone.now())
    assert alerts() == []
    online_for(10)
    Site.objects.update(inventory_list="South-stock")
    assert alerts() == []


@pytest.mark.parametrize(("seconds", "is_kept"), [(59, True), (62, False)])
def test_the_promise_is_a_setting(outage: Scene, seconds: float, is_kept: bool) -> None:
    feed(LIST, seconds=seconds)
    (one,) = age.ages(timezone.now())
    assert one.is_kept is is_kept
