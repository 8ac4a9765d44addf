"""Whether the product, its files and OCI's books say the same, order by order and SKU by SKU."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.processes.stack import Stack

SETTLED = {"COMPLETELY_RESERVED", "PARTIALLY_RESERVED", "NOTHING_RESERVED"}


def accepted_orders_are_settled(orders: dict[str, Any], accepted: set[str]) -> None:
    """Assert that each accepted order is there with one outcome, and that no other one is kept."""
    for order_no in accepted:
        order = orders[order_no]
        assert order["status"] == "new", order
        assert order["reservationState"] in SETTLED, order
        # A short order waits for its moment, so that somebody can decide first.
        waits = order["reservationState"] != "COMPLETELY_RESERVED" and order["handoverAt"]
        assert order["exportStatus"] == ("not_exported" if waits else "ready"), order
    assert {no for no, order in orders.items() if order["status"] == "new"} == accepted


def reserved_is_what_oci_holds(stack: Stack, orders: dict[str, Any]) -> dict[str, Decimal]:
    """Assert that OCI has reserved what our items say, SKU by SKU; returns the units."""
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders.values():
        for item in order["items"]:
            ours[item["sku"]] += Decimal(str(item["reservedQuantity"]))
    theirs = {
        row["sku"]: Decimal(str(row["reserved"]))
        for row in stack.oci.books()["reserved"]
        if row["reserved"]
    }
    assert {sku: units for sku, units in ours.items() if units} == theirs
    return theirs


def no_order_is_reserved_twice(stack: Stack, orders: dict[str, Any]) -> None:
    """Assert that OCI holds for each order what its items say, under whatever ids."""
    for order_no, order in orders.items():
        held: dict[str, Decimal] = defaultdict(Decimal)
        for document in stack.oci.documents_of(order_no):
            for line in document["lines"]:
                held[line["sku"]] += Decimal(str(line["held"]))
        ours: dict[str, Decimal] = defaultdict(Decimal)
        for item in order["items"]:
            ours[item["sku"]] += Decimal(str(item["reservedQuantity"]))
        assert {s: q for s, q in held.items() if q} == {s: q for s, q in ours.items() if q}


def files_say_what_the_orders_say(stack: Stack, orders: dict[str, Any]) -> dict[str, int]:
    """Assert that the daily reports hold each offline order as it is; returns counts by kind."""
    told: dict[str, dict[str, Any]] = {"offline": {}, "reserved": {}, "oversold": {}}
    for report in stack.reports().values():
        assert report["orderCount"] == len(report["orders"])
        for order in report["orders"]:
            told[report["reportType"]][order["orderNo"]] = order
    offline = {no: order for no, order in orders.items() if order["capturedOffline"]}
    complete = {no for no, o in offline.items() if o["reservationState"] == "COMPLETELY_RESERVED"}
    assert set(told["offline"]) == set(offline)
    assert set(told["reserved"]) == complete
    assert set(told["oversold"]) == set(offline) - complete
    for order_no, order in offline.items():
        outcome = told["reserved"].get(order_no) or told["oversold"][order_no]
        for members in (told["offline"][order_no], outcome):
            assert [
                (
                    i["itemId"],
                    i["sku"],
                    i["quantity"],
                    i["reservedQuantity"],
                    i["shortQuantity"],
                )
                for i in members["items"]
            ] == [
                (
                    i["itemId"],
                    i["sku"],
                    i["quantity"],
                    i["reservedQuantity"],
                    i["shortQuantity"],
                )
                for i in order["items"]
            ]
            assert members["reservationState"] == order["reservationState"]
    return {kind: len(named) for kind, named in told.items()}
