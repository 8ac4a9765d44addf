"""Merging a day needs constant memory: four times the orders, about the same peak.

COC_BENCH_ORDERS sets the smaller number (120, read 50 at a time); 10,000 makes a day of 40,000.
"""

from __future__ import annotations

import os
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orders.models import InventoryList, Order, OrderItem, OrderStatus, Site
from reconciliation.models import ReportDay
from reconciliation.reports import daily, downloads, serializers

SMALL = int(os.environ.get("COC_BENCH_ORDERS", "120"))
START = datetime(2026, 2, 2, 1, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def add_orders(site: Site, first: int, number: int) -> None:
    orders = Order.objects.bulk_create(
        [
            Order(
                site=site,
                order_no=f"{n:08}",
                status=OrderStatus.NEW,
                captured_offline=True,
                captured_at=START + timedelta(milliseconds=100 * n),
                currency="EUR",
                order_total=Decimal(30),
                customer={"customerName": "Ada Reed", "email": "ada@example.test"},
                payload_hash="0" * 64,
            )
            for n in range(first, first + number)
        ],
        batch_size=500,
    )
    OrderItem.objects.bulk_create(
        [
            OrderItem(
                order=order,
                position=position,
                item_id=str(position),
                sku=f"SKU-{position}",
                product_name="Stoneware mug with a handle",
                inventory_list_id=site.inventory_list_id,
                quantity=Decimal(1),
                unit_price=Decimal(10),
            )
            for order in orders
            for position in range(3)
        ],
        batch_size=500,
    )


def peak_of(site: Site) -> int:
    """Return the peak of memory in bytes while the day is merged and read as CSV and XLSX."""
    daily.mark(site=site, kinds={(date(2026, 2, 2), daily.ReportType.OFFLINE)})
    report = ReportDay.objects.select_related("site").get()
    tracemalloc.start()
    try:
        daily.merge(report, keep_lease=lambda: True, now=datetime.now(UTC))
        report.refresh_from_db()
        downloads.open_sheet(report, "csv").close()
        downloads.open_sheet(report, "xlsx").close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_day_of_four_times_the_orders_takes_no_more_memory(
    tmp_path: Path,
    settings: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.COC_IMPEX_DIR = tmp_path
    # Both days are to be longer than what is read at a time.
    monkeypatch.setattr(serializers, "CHUNK", min(serializers.CHUNK, SMALL // 2))
    stock = InventoryList.objects.create(id="stock")
    site = Site.objects.create(id="shop", inventory_list=stock)
    add_orders(site, 0, SMALL)
    peak_of(site)  # what is imported and prepared once
    small = peak_of(site)
    add_orders(site, SMALL, 3 * SMALL)
    large = peak_of(site)
    report = ReportDay.objects.get()
    assert report.order_count == 4 * SMALL
    with capsys.disabled():
        print(
            f"\nmerge and downloads: {small / 1e6:.1f} MB for {SMALL} orders,"
            f" {large / 1e6:.1f} MB for {4 * SMALL}, ratio {large / small:.2f}"
        )
    assert large < 2 * small
