"""How long the report of one long day takes: `python -m tests.benchmarks.merge [--orders N]`.

DATABASE_URL names a PostgreSQL server; the command makes a database beside the one named, fills it
with orders of one site and day that were captured offline, and drops it. The limit beside it is
what any writer of this file must do: fetch these columns by psycopg and dump them with `json`.
The first merge writes the file, the second one all its lines again, and the third one, as during
the day, those of the hundredth of the orders that changed last.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from tests.benchmarks.drain import configure, own_database

NOON = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
LIMIT = """\
SELECT o.order_no, o.captured_at, o.reservation_state, o.currency, o.order_total, o.customer::text,
    (SELECT array_agg(array[i.item_id, i.sku, i.product_name, i.quantity::text,
                            i.reserved_quantity::text]) FROM orders_orderitem i
     WHERE i.order_id = o.id)
FROM orders_order o ORDER BY o.captured_at, o.id
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--orders", type=int, default=20_000)
    options = parser.parse_args()
    with own_database("merge") as url, tempfile.TemporaryDirectory() as folder:
        configure(url, COC_VAR_DIR=folder, COC_IMPEX_DIR=f"{folder}/impex")
        _fill(url, options.orders)
        limit = _limit(url, Path(folder) / "limit.json")
        first, again = _merge(), _merge()
        changes = max(1, options.orders // 100)
        changed = _merge(changed=changes)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"orders {options.orders}: bare fetch and dump {limit:.1f} s")
    for name, seconds in (("first merge", first), ("merge that replaces", again)):
        rate = options.orders / seconds
        print(f"{name} {seconds:.1f} s, {rate:.0f} orders/s: {seconds / limit:.2f} of the limit")
    print(f"merge of {changes} changed orders {changed:.1f} s: {changed / limit:.2f} of the limit")
    print(f"most memory {memory:.0f} MB")


def _fill(url: str, orders: int) -> None:
    from tests.benchmarks import large_shop

    large_shop.fill(orders=orders, skus=5_000, now=NOON, waiting=orders)
    # Without the product's limits for a statement: a million rows take minutes.
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("UPDATE orders_order SET site_id = 'NorthShop' WHERE site_id <> 'NorthShop'")
        link.execute("VACUUM ANALYZE orders_order")


def _limit(url: str, path: Path) -> float:
    """Return the seconds in which psycopg and json alone write such a file."""
    began = time.monotonic()
    with psycopg.connect(url) as link, link.cursor("limit") as cursor, path.open("wb") as file:
        cursor.itersize = 2_000
        cursor.execute(LIMIT)
        for number, at, state, currency, total, customer, items in cursor:
            told = {"siteId": "NorthShop", "orderNo": number, "capturedAt": at.isoformat()}
            told |= {"reservationState": state, "currency": currency, "orderTotal": total}
            told |= {"customer": json.loads(customer), "items": items}
            file.write(json.dumps(told).encode() + b"\n")
    return time.monotonic() - began


def _merge(*, changed: int = 0) -> float:
    """Merge once, and return the seconds; with `changed`, after events of so many orders."""
    from orders.models import OrderEvent, Site
    from reconciliation.models import ReportDay
    from reconciliation.reports import daily

    site = Site.objects.get(pk="NorthShop")
    day = (NOON - timedelta(hours=1)).astimezone(site.zone).date()
    newest = OrderEvent.objects.filter(order__captured_offline=True).order_by("-pk")
    since = newest.values_list("pk", flat=True)[changed - 1] if changed else None
    daily.mark(site=site, kinds={(day, daily.ReportType.OFFLINE)}, since=since)
    report = ReportDay.objects.select_related("site").get(
        site=site, date=day, report_type="offline"
    )
    began = time.monotonic()
    daily.merge(report, keep_lease=lambda: True, now=datetime.now(UTC))
    return time.monotonic() - began


if __name__ == "__main__":
    main()
