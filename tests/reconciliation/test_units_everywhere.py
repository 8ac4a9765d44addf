"""Units of every kind of order: the same on each page, in each answer, file and metric."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orders import customer_messages, units
from orders.models import MessageKind, Order
from orders.tables.of_orders import ITEM_COLUMNS
from reconciliation import connection
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.models import Alert, Outage, ReportDay, Run, Scope
from reconciliation.runs.dry_run import dry_run
from tests.coc_admin.api.conftest import Api, api_for
from tests.coc_admin.console import scene
from tests.coc_admin.console.orders.test_order_exports import csv_rows, xlsx_rows
from tests.engine import MIA, D, Engine
from tests.factories import browser_of
from tests.reconciliation.every_order import EXPECTED, LATER, OFFLINE, STATES, Row
from tests.reconciliation.every_order import impex as impex
from tests.reconciliation.every_order import shop as shop

pytestmark = pytest.mark.django_db


def read(**found: object) -> Row:
    """Return what a surface says as a row; it may say numbers as text."""
    return Row(**{name: int(D(str(value))) for name, value in found.items()})  # type: ignore[arg-type]


def short_shown(row: Row) -> str:
    return "–" if row.short is None else str(row.short)


def state_of(name: str) -> str:
    """Return the state that people read of an order."""
    return STATES.get(name, "Partially Reserved")


def told_state(row: Mapping[str, Any]) -> str:
    """Return the state that people read, from what a table or the API says of an order."""
    by_status = {"cancelled": "Cancelled", "cancelling": "Being cancelled", "failed": "Failed"}
    by_resolution = {
        "replaced": "Replaced",
        "short_cancelled": "Short items cancelled",
        "settled_outside": "Settled outside",
    }
    if row["status"] in by_status:
        return by_status[row["status"]]
    if row["needsReviewSince"]:
        return "Needs review"
    if row["resolution"] in by_resolution:
        return by_resolution[row["resolution"]]
    return str(row["reservationState"]).replace("_", " ").title()


def cells(page: str, *labels: str) -> list[list[str]]:
    """Return the text of the cells with these labels, row by row."""
    rows = []
    for row in re.findall(r"<tr\b.*?</tr>", page, re.DOTALL):
        found = {
            label: re.sub(r"<[^>]*>", " ", text).split()
            for label, text in re.findall(
                r"<t[dh][^>]*data-label=\"([^\"]*)\"[^>]*>(.*?)</t[dh]>", row, re.DOTALL
            )
        }
        if all(label in found for label in labels):
            rows.append([" ".join(found[label]) for label in labels])
    return rows


def test_every_surface_says_the_same(shop: Engine) -> None:
    viewer = client()
    api = api_for(Order.objects.first().site)  # type: ignore[union-attr]
    orders = {order.order_no: order for order in Order.objects.all()}
    assert orders.keys() == EXPECTED.keys()
    check_module(orders)
    check_order_pages(viewer, orders)
    check_exports(viewer)
    check_run_pages(viewer)
    check_api(api)
    check_reports(viewer)
    check_desk(viewer)
    check_outage(viewer, shop)
    check_sums(viewer, api, shop)


def client() -> Client:
    return browser_of(scene.make_user("otto", *scene.OPERATOR))


def page_of(viewer: Client, path: str) -> str:
    answer = viewer.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def check_module(orders: Mapping[str, Order]) -> None:
    by_query = units.units_of_orders(orders.values())
    for name, row in EXPECTED.items():
        order = orders[name]
        wanted = units.Units(
            ordered=D(row.ordered),
            reserved=D(row.reserved),
            short=D(row.short or 0),
            cancelled=D(row.cancelled),
            replaced=D(row.replaced),
            is_answered=row.short is not None,
        )
        assert by_query[order.pk] == units.units_of(order, order.items.all()) == wanted, name
        if wanted.is_answered:
            settled = wanted.reserved + wanted.cancelled + wanted.short + row.outside
            assert settled == wanted.ordered, name


def check_order_pages(viewer: Client, orders: Mapping[str, Order]) -> None:
    rows = cells(page_of(viewer, "/orders/"), "Order", "State", "Units", "Short")
    assert {name: tuple(told) for name, *told in rows} == {
        name: (state_of(name), str(row.ordered), short_shown(row)) for name, row in EXPECTED.items()
    }
    for name, row in EXPECTED.items():
        page = page_of(viewer, f"/orders/{orders[name].pk}/")
        assert re.search(rf'<span class="pill [^"]*">{state_of(name)}</span>', page), name
        *items, total = cells(page, "Ordered", "Reserved", "Short")
        assert total == [str(row.ordered), str(row.reserved), short_shown(row)], name
        said = " ".join(item[2] for item in items)
        assert sum(map(int, re.findall(r"(\d+) cancelled", said))) == row.cancelled, name
        assert sum(map(int, re.findall(r"(\d+) settled outside", said))) == row.outside, name
        replaced = re.findall(r"(\d+) replaced", said)
        # What replaced an item may have been replaced itself.
        assert replaced[: row.replaced] == ["1"] * row.replaced, name
        assert bool(replaced) is bool(row.replaced), name
        if row.short is not None:
            # The line of a bundle counts by its parts.
            shorts = [item[2].split()[0] for item in items]
            assert sum(int(one) for one in shorts if one.isdecimal()) == row.short, name
        if row.short is not None and row.short + row.cancelled + row.replaced + row.outside:
            assert f"{row.reserved} of {row.ordered} units are reserved." in page or (
                row.reserved == 0 and "OCI holds none of its items." in page
            ), name


def check_exports(viewer: Client) -> None:
    rows = csv_rows(viewer.get("/orders/export.csv"))
    head, *sheet = xlsx_rows(viewer.get("/orders/export.xlsx"))
    assert [dict(zip(head, line, strict=True)) for line in sheet] == rows
    assert {
        row["orderNo"]: read(ordered=row["units"], reserved=row["reservedUnits"], short=0)
        for row in rows
    } == {name: Row(row.ordered, row.reserved, 0) for name, row in EXPECTED.items()}
    states = {row["orderNo"]: told_state(row) for row in rows}
    assert states == {name: state_of(name) for name in EXPECTED}


def check_run_pages(viewer: Client) -> None:
    seen = {}
    for run in Run.objects.all():
        for name, reserved in cells(page_of(viewer, f"/runs/{run.pk}/"), "Order", "Reserved"):
            seen[name.split()[0]] = reserved
    assert seen == {
        name: f"{row.reserved} of {row.ordered}"
        for name, row in OFFLINE.items()
        if name not in LATER
    }


def added_up(items: Iterable[Mapping[str, Any]]) -> Row:
    """Return an order by its items as the API and the files tell of them, `short` as is open."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for item in items:
        amount = {name: D(item[name] or 0) for name in item if name.lower().endswith("quantity")}
        takes_stock = str(item["takesStock"]).lower() == "true"
        if not takes_stock:
            assert not any(amount[name] for name in amount if name != "quantity")
            continue
        is_ordered = not item["replacesItemId"]
        sums["ordered"] += amount["quantity"] if is_ordered else 0
        sums["replaced"] += amount["replacedQuantity"] if is_ordered else 0
        sums["reserved"] += amount["reservedQuantity"]
        sums["cancelled"] += amount["cancelledQuantity"]
        sums["short"] += amount["shortQuantity"]
        sums["short"] -= amount["cancelledQuantity"] + amount["replacedQuantity"]
        assert amount["shortQuantity"] == amount["quantity"] - amount["reservedQuantity"]
    return read(**sums)


def open_by_items(row: Row) -> Row:
    """Return a row as its items say it: what is not reserved is open, whatever its order is."""
    left = row.ordered - row.reserved - row.cancelled
    return Row(row.ordered, row.reserved, left, row.cancelled, row.replaced)


BY_ITEMS = {name: open_by_items(row) for name, row in EXPECTED.items()}


def told_by_api(order: Mapping[str, Any]) -> Row:
    """Return an order by its items: what is short of each is what is open, once that is known."""
    is_accepted = order["status"] in ("created", "new")
    is_answered = is_accepted and order["reservationState"] != "RESERVATION_MISSING"
    items = []
    for item in order["items"]:
        unreserved = item["quantity"] - item["reservedQuantity"] if item["takesStock"] else 0
        left = unreserved - item["cancelledQuantity"] - item["replacedQuantity"]
        known = left if is_answered else None if is_accepted else 0
        assert item["shortQuantity"] == known, order["orderNo"]
        items.append(item | {"shortQuantity": unreserved})
    return added_up(items)


def check_api(api: Api) -> None:
    listed = json.loads(api.get("sites/shop/orders").content)["orders"]
    assert {one["orderNo"]: told_by_api(one) for one in listed} == BY_ITEMS
    for one in listed:
        assert json.loads(api.get(f"sites/shop/orders/{one['orderNo']}").content) == one


def check_reports(viewer: Client) -> None:
    told: dict[str, dict[str, Any]] = defaultdict(dict)
    for report in ReportDay.objects.all():
        path = f"/reports/{report.pk}"
        content = b"".join(viewer.get(f"{path}.json").streaming_content)
        orders = json.loads(content)["orders"]
        told[report.report_type] |= {one["orderNo"]: one for one in orders}
        by_items = {one["orderNo"]: added_up(one["items"]) for one in orders}
        assert by_items == {name: BY_ITEMS[name] for name in by_items}
        rows = csv_rows(viewer.get(f"{path}.csv"))
        head, *sheet = xlsx_rows(viewer.get(f"{path}.xlsx"), ITEM_COLUMNS)
        truths = {"True": "yes", "False": "no"}  # as a sheet keeps them
        assert [dict(zip(head, line, strict=True)) for line in sheet] == [
            row | {"takesStock": truths[row["takesStock"]]} for row in rows
        ]
        by_rows: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in rows:
            by_rows[row["orderNo"]].append(row)
        assert {name: added_up(items) for name, items in by_rows.items()} == by_items
        for name, items in cells(page_of(viewer, f"{path}/"), "Order", "Items"):
            row = EXPECTED[name.split()[0]]
            short = sum(map(int, re.findall(r"(\d+) short", items)))
            cancelled = sum(map(int, re.findall(r"(\d+) cancelled", items)))
            assert (short, cancelled) == (row.short or 0, row.cancelled), name
    check_identity(told)


def check_identity(told: Mapping[str, Mapping[str, Any]]) -> None:
    """Offline is reserved, oversold, waiting and cancelled while waiting; nothing is in two."""
    offline = told["offline"]
    assert offline.keys() == OFFLINE.keys()
    missing = {
        name: one["resolution"]
        for name, one in offline.items()
        if one["reservationState"] == "RESERVATION_MISSING"
    }
    waiting = {name for name, resolution in missing.items() if resolution is None}
    assert waiting == {"WAITING", "REVIEW"}
    cancelled = missing.keys() - waiting
    assert cancelled == {"CANCELLED-WAITING"}
    reserved, oversold = told["reserved"].keys(), told["oversold"].keys()
    assert reserved == {"COMPLETE", "RESERVED-AGAIN"}
    # What was short and then reserved again is told in both, as is documented.
    assert reserved & oversold == {"RESERVED-AGAIN"}
    parts = [reserved, oversold - reserved, waiting, cancelled]
    assert sum(map(len, parts)) == len(offline) == len(set().union(*parts))


SHORT = {name: row.short for name, row in EXPECTED.items() if row.short}


def check_desk(viewer: Client) -> None:
    rows = cells(page_of(viewer, "/desk/"), "Order", "Short")
    shown = {name.split()[0]: re.findall(r"(\d+) ×", short) for name, short in rows}
    assert {name: sum(map(int, units)) for name, units in shown.items()} == SHORT
    by_sku: dict[str, int] = {}
    for sku, orders, short in cells(
        page_of(viewer, "/desk/skus/"), "SKU", "Short orders", "Short units"
    ):
        assert orders == "1"
        by_sku[sku.split()[0]] = int(short)
    # Of the replaced ones another SKU than the order's own is short.
    own = {
        name: short for name, short in SHORT.items() if not name.startswith(("REPLACED", "SPLIT"))
    }
    assert by_sku == own | {"OTHER": 1, "NEW": 1, "NEWEST": 1}


def check_outage(viewer: Client, shop: Engine) -> None:
    first = Order.objects.order_by("captured_at").values_list("captured_at", flat=True)[0]
    outage = Outage.objects.create(
        is_open=False,
        lost_at=first,
        detected_at=first,
        drained_at=shop.clock() + timedelta(hours=1),
    )
    figures = viewer.get(f"/outages/{outage.pk}/").context["figures"]
    assert figures.units == sum(row.ordered for row in OFFLINE.values())
    assert figures.orders == len(OFFLINE) == sum(number for _, number in figures.outcomes)
    assert dict(figures.outcomes) == {
        "Completely Reserved": 2,
        "Partially Reserved": 18,
        "Nothing Reserved": 1,
        "Waiting": 1,
        "Needs review": 1,
        "Cancelled while waiting": 1,
    }


def check_sums(viewer: Client, api: Api, shop: Engine) -> None:
    home = viewer.get("/").context["status"]
    told = api.get("status").json()
    metrics = dict(re.findall(r"^(coc_\w+) (\S+)$", page_of(viewer, "/metrics"), re.MULTILINE))
    assert (home.oversold, told["oversold"], float(metrics["coc_orders_oversold"])) == (
        len(SHORT),
    ) * 3
    waiting = told["waiting"]
    assert (home.waiting.units, waiting["units"], float(metrics["coc_units_waiting"])) == (4,) * 3
    assert (home.waiting.orders, waiting["orders"], float(metrics["coc_orders_waiting"])) == (
        (1,) * 3
    )
    connection.force_offline(actor=MIA, reason="Test.", now=shop.clock())
    refresh_alerts(shop.clock(), watching_since=shop.clock())
    alert = Alert.objects.get(descriptor="oci_offline")
    assert "1 order with 4 units is waiting" in alert.message
    assert "units: 4" in page_of(viewer, "/orders/")
    found = {
        scope: dry_run(scope=scope, now=timezone.now()).units
        for scope in (Scope.OVERSOLD, Scope.MISSING)
    }
    assert found == {Scope.OVERSOLD: sum(SHORT.values()), Scope.MISSING: 4}


def test_a_customer_is_told_of_each_unit_once(shop: Engine) -> None:
    site = Order.objects.get(order_no="REPLACED").site
    for kind in MessageKind:
        customer_messages.save_template(
            site_id=site.pk,
            kind=kind,
            subject="Your order",
            body="Delivered: {items}\nNot: {cancelledItems}\nInstead: {replacements}",
            seen=0,
            actor=MIA,
            now=shop.clock(),
        )

    def told(name: str) -> list[str]:
        order = Order.objects.get(order_no=name)
        return customer_messages.draft(order, MessageKind.REPLACED).body.splitlines()

    assert told("REPLACED") == [
        "Delivered: 3 × Replaced", "1 × NEW",
        "Not: –",
        "Instead: 1 × NEW (instead of Replaced)",
    ]  # fmt: skip
    assert told("REPLACED-AND-CANCELLED") == [
        "Delivered: –",
        "Not: 4 × Replaced-And-Cancelled",
        "Instead: 1 × NEW (instead of Replaced-And-Cancelled)",
    ]  # fmt: skip
    assert told("REPLACED-AND-SHORT-CANCELLED") == [
        "Delivered: 3 × Replaced-And-Short-Cancelled",
        "Not: 1 × NEW",
        "Instead: –",
    ]
