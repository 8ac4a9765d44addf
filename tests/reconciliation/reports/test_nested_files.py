"""Orders with bundles, bundles in bundles, options and the lines of a set, in every report file."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orders.models import Order, Site
from orders.tables.of_orders import ITEM_COLUMNS
from reconciliation.models import Outage, ReportDay
from reconciliation.reports import publish
from tests import factories
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.console import scene
from tests.coc_admin.console.orders.test_order_exports import csv_rows, xlsx_rows
from tests.engine import Engine
from tests.engine import engine as engine
from tests.engine import simulator as simulator
from tests.factories import browser_of
from tests.reconciliation.every_order import impex as impex

pytestmark = pytest.mark.django_db

# A set is sold as its products, each a line of its own; here a bundle, and a chair with an option.
DINNER = {
    "productId": "DINNER",
    "productName": "Dinner set",
    "quantity": 2,
    "basePrice": 60,
    "bundledProductItems": [
        {"productId": "PLATE", "productName": "Plate", "quantity": 4},
        {
            "productId": "CUTLERY",
            "productName": "Cutlery box",
            "quantity": 1,
            "bundledProductItems": [
                {"productId": "FORK", "productName": "Fork, small", "quantity": 6},
                {"productId": "KNIFE", "productName": "Knife", "quantity": 6},
            ],
        },
    ],
}
CHAIR = {
    "productId": "CHAIR",
    "productName": "Chair",
    "quantity": 3,
    "basePrice": 45.5,
    "optionItems": [{"productId": "CUSHION", "productName": "Cushion", "basePrice": 5}],
}
STOCK = {"PLATE": 99, "FORK": 99, "KNIFE": 99, "CHAIR": 99, "CUSHION": 99}
# SKU, product, part of, kind, ordered, takes stock, unit price; quantities of parts are as sent.
LINES = [
    ("DINNER", "Dinner set", "", "product", "2", "no", "60.00"),
    ("PLATE", "Plate", "DINNER", "bundled", "4", "yes", ""),
    ("CUTLERY", "Cutlery box", "DINNER", "bundled", "1", "no", ""),
    ("FORK", "Fork, small", "CUTLERY", "bundled", "6", "yes", ""),
    ("KNIFE", "Knife", "CUTLERY", "bundled", "6", "yes", ""),
    ("CHAIR", "Chair", "", "product", "3", "yes", "45.50"),
    ("CUSHION", "Cushion", "CHAIR", "option", "3", "yes", "5.00"),
]
# What OCI has reserved of each line: all of the first order; of the second it lacks four forks.
RESERVED = {
    "WHOLE": {"PLATE": 4, "FORK": 6, "KNIFE": 6, "CHAIR": 3, "CUSHION": 3},
    "SHORT": {"PLATE": 4, "FORK": 2, "KNIFE": 6, "CHAIR": 3, "CUSHION": 3},
}


def capture(engine: Engine, site: Site, number: str) -> Order:
    engine.captured_at += timedelta(seconds=1)
    return factories.capture(
        site, number, [], at=engine.captured_at, productItems=[DINNER, CHAIR], orderTotal=271.5
    )


@pytest.fixture
def shop(engine: Engine, impex: Path) -> Engine:
    site = engine.site(STOCK)
    for number in ("WHOLE", "SHORT"):
        capture(engine, site, number)
    engine.at_oci({**STOCK, "FORK": 8})
    outage = Outage.objects.create(
        is_open=False,
        lost_at=engine.captured_at - timedelta(minutes=5),
        detected_at=engine.captured_at - timedelta(minutes=5),
        recovered_at=engine.clock() + timedelta(minutes=5),
        drained_at=engine.clock() + timedelta(minutes=5),
    )
    engine.reconcile()
    publish.project_and_merge(now=engine.clock())
    assert outage.pk
    return engine


def lines_of(items: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the items of an order as LINES, read from a file whose values are of any kind."""
    ids = {str(one["itemId"]): str(one["sku"]) for one in items}
    return [
        (
            str(one["sku"]),
            str(one["productName"]),
            ids.get(str(one["parentItemId"] or ""), ""),
            str(one["kind"]),
            str(one["quantity"]),
            {"True": "yes", "true": "yes", "False": "no", "false": "no"}.get(
                str(one["takesStock"]), str(one["takesStock"])
            ),
            "" if one["unitPrice"] in ("", None) else f"{float(one['unitPrice']):.2f}",
        )
        for one in items
    ]


def by_order(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row["orderNo"]), []).append(row)
    return found


def check(orders: dict[str, list[dict[str, Any]]], wanted: set[str]) -> None:
    assert orders.keys() == wanted
    for number, items in orders.items():
        assert lines_of(items) == LINES
        reserved = {str(one["sku"]): float(one["reservedQuantity"]) for one in items}
        assert reserved == {sku: RESERVED[number].get(sku, 0) for sku in reserved}
        short = {str(one["sku"]): float(one["shortQuantity"]) for one in items}
        assert {sku: n for sku, n in short.items() if n} == (
            {"FORK": 4.0} if number == "SHORT" else {}
        )


def of_json(content: bytes) -> dict[str, list[dict[str, Any]]]:
    return {one["orderNo"]: one["items"] for one in json.loads(content)["orders"]}


WANTED = {"offline": {"WHOLE", "SHORT"}, "reserved": {"WHOLE"}, "oversold": {"SHORT"}}


def test_each_file_names_each_part_with_its_quantities(shop: Engine) -> None:
    viewer = browser_of(scene.make_user("otto", *scene.OPERATOR))
    reports = {one.report_type: one for one in ReportDay.objects.all()}
    assert reports.keys() == WANTED.keys()
    api = api_for(Site.objects.get())
    files = {one["reportType"]: one["fileName"] for one in api.get("reports").json()["reports"]}
    for kind, report in reports.items():
        path = f"/reports/{report.pk}"
        content = b"".join(viewer.get(f"{path}.json").streaming_content)
        check(of_json(content), WANTED[kind])
        check(by_order(csv_rows(viewer.get(f"{path}.csv"))), WANTED[kind])
        head, *sheet = xlsx_rows(viewer.get(f"{path}.xlsx"), ITEM_COLUMNS)
        check(by_order([dict(zip(head, row, strict=True)) for row in sheet]), WANTED[kind])
        assert b"".join(api.get(f"reports/{files[kind]}").streaming_content) == content


def test_the_zip_of_the_outage_holds_the_same_files(shop: Engine) -> None:
    viewer = browser_of(scene.make_user("otto", *scene.OPERATOR))
    answer = viewer.get(f"/outages/{Outage.objects.get().pk}/reports.zip")
    packed = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    names = packed.namelist()
    assert len(names) == 4
    for name in (name for name in names if name != "summary.txt"):
        check(of_json(packed.read(name)), WANTED[name.split("_")[1]])
    summary = packed.read("summary.txt").decode()
    assert "Captured offline: 2 orders, 44 units, worth 543.00 USD" in summary
    assert "Value short: – (units: 4)" in summary
