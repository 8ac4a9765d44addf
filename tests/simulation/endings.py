"""Checks at the end: books, items, files and promises agree."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from typing import Any

from orders.models import Order, OrderItem, Site
from reconciliation.maintenance import integrity_check
from reconciliation.maintenance.findings import Broken as Finding
from reconciliation.maintenance.findings import Fault
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports import lines, names
from reconciliation.reports.missing_orders import ORDER_LINE
from tests.simulation import bundles
from tests.simulation.nature import Nature
from tests.simulation.rows import Broken
from tests.simulation.world import World

_QUANTITIES = ("reservedQuantity", "cancelledQuantity", "replacedQuantity")


def calm(nature: Nature) -> Nature:
    """The same world without deaths and interruptions."""
    return dataclasses.replace(nature, deadly=0.0, busy=0.0)


def settled() -> list[tuple[Any, ...]]:
    """Return the state that repeating any work must not change."""
    orders = Order.objects.order_by("pk").values_list(
        "site_id", "order_no", "status", "reservation_state", "export_status", "captured_offline"
    )
    items = OrderItem.objects.order_by("order", "position").values_list(
        "order__order_no",
        "sku",
        "quantity",
        "reserved_quantity",
        "cancelled_quantity",
        "replaced_quantity",
    )
    return [*orders, *items]


def broken(world: World) -> list[Finding]:
    """Return the broken promises visible in the rows."""
    found = integrity_check.check()
    if not world.nature.hands_over:
        return list(found)
    # The database's clock decides whether a hand-over is late, and it differs from the world's.
    return [one for one in found if one.fault != Fault.EXPORT]


def check(world: World) -> None:
    """Raise Broken unless books, items, files and promises agree."""
    found = broken(world)
    if found:
        raise Broken(str(found[0]))
    bundles.check(world.placed)
    _documents_equal_items(world)
    _books_equal_items(world)
    for site in Site.objects.order_by("pk"):
        _files_equal_orders(site)
        _lines_are_current(site)
    work = names.work_folder()
    left = sorted(path.name for path in work.iterdir()) if work.is_dir() else []
    if left:
        raise Broken(f"work files are left: {left}")


def _documents_equal_items(world: World) -> None:
    """Check order by order, so that a failure names the order."""
    documents = world.simulator.books.documents.by_id
    for order in Order.objects.order_by("pk"):
        held: dict[str, int] = defaultdict(int)
        for row in order.documents.all():
            document = documents.get(str(row.reservation_id))
            for line in document.lines if document and document.state == "OPEN" else ():
                held[line.sku] += line.held
        items: dict[str, int] = defaultdict(int)
        for item in order.items.all():
            items[item.sku] += int(item.reserved_quantity * 1000)
        if {sku: n for sku, n in held.items() if n} != {sku: n for sku, n in items.items() if n}:
            raise Broken(f"OCI holds {dict(held)} for {order}, {order.status}: {items}")


def _books_equal_items(world: World) -> None:
    held: dict[tuple[str, str], int] = defaultdict(int)
    for row in world.simulator.books.reserved():
        place = "web" if "group" in row else str(row["location"])
        held[(place, str(row["sku"]))] += round(float(str(row["reserved"])) * 1000)
    items: dict[tuple[str, str], int] = defaultdict(int)
    for item in OrderItem.objects.filter(reserved_quantity__gt=0):
        items[(item.inventory_list_id, item.sku)] += int(item.reserved_quantity * 1000)
    if held != items:
        raise Broken(f"OCI holds {dict(held)}, the items say {dict(items)}")


def _lines_are_current(site: Site) -> None:
    """Check that what merges have copied is what they would write of all orders now."""
    for report in ReportDay.objects.filter(site=site).select_related("site"):
        with names.path_of(report).open("rb") as file:
            there = [line.rstrip(b",\n") for line in file if line.startswith(ORDER_LINE)]
        now = list(lines.all_lines(report, lambda row: None))
        captured = [json.loads(line)["capturedAt"] for line in there]
        if captured != sorted(captured):
            raise Broken(f"{names.name_of(report)} is not sorted by capture")
        for old, new in zip(sorted(there), sorted(now), strict=True):
            if old != new:
                raise Broken(f"{names.name_of(report)} holds {old!r}, and should hold {new!r}")


def _files_equal_orders(site: Site) -> None:
    told: dict[str, set[str]] = {}
    for kind in ReportType:
        told[kind] = set()
        for path in names.folder().glob(f"*_{kind}_{site.pk}.json"):
            body = json.loads(path.read_bytes())
            numbers = [order["orderNo"] for order in body["orders"]]
            if len(numbers) != body["orderCount"] or len(set(numbers)) != len(numbers):
                raise Broken(f"{path.name} counts {body['orderCount']} and holds {numbers}")
            for order in body["orders"]:
                _check_line(site, path.name, order)
            told[kind].update(numbers)
    offline = Order.objects.filter(site=site, captured_offline=True)
    captured = set(offline.values_list("order_no", flat=True))
    never = set(
        offline.filter(reservation_state="RESERVATION_MISSING").values_list("order_no", flat=True)
    )
    if told["offline"] != captured:
        raise Broken(f"offline reports hold {told['offline']}, the database {captured}")
    complete = set(
        offline.filter(reservation_state="COMPLETELY_RESERVED").values_list("order_no", flat=True)
    )
    short = set(offline.filter(short_at__isnull=False).values_list("order_no", flat=True))
    if told["reserved"] != complete or told["oversold"] != short:
        raise Broken(f"the reports hold {told}; reserved are {complete}, were short {short}")
    if told["reserved"] | told["oversold"] | never != captured:
        raise Broken(f"{captured} are not {told} and {never} that never were answered")


def _check_line(site: Site, name: str, line: dict[str, Any]) -> None:
    order = Order.objects.get(site=site, order_no=line["orderNo"])
    day = names.day_of(order.captured_at, site)
    if not name.startswith(f"{day:%Y%m%d}_"):
        raise Broken(f"{name} holds {order}, which was captured on {day}")
    if line["reservationState"] != order.reservation_state:
        raise Broken(f"{name} says that {order} is {line['reservationState']}")
    resolution = line["resolution"] and line["resolution"]["what"]
    if (resolution or "") != order.resolution:
        raise Broken(f"{name} says that {order} is {resolution}; it is {order.resolution}")
    told = [[float(item[name]) for name in _QUANTITIES] for item in line["items"]]
    there = [
        [float(i.reserved_quantity), float(i.cancelled_quantity), float(i.replaced_quantity)]
        for i in order.items.order_by("position")
    ]
    if told != there:
        raise Broken(f"{name} says that {order} has {told}, not {there}")
