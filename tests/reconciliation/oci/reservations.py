"""A reservation of three lines, and answers to it made by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reconciliation.oci.documents import Judgement, Line, Place, PlaceKind, build_body

US = Place(PlaceKind.GROUP, "site-us")
STORE = Place(PlaceKind.LOCATION, "store-042")
LINES = [
    Line(US, "TEE", Decimal("2.000")),
    Line(US, "MUG", Decimal("1.5")),
    Line(STORE, "TEE", Decimal(1)),
]
BODY = build_body(order_no="0000012345", lines=LINES)


def held(judgement: Judgement) -> list[Decimal]:
    """What an answer gives each line."""
    return [judgement.held[(line.place, line.sku)] for line in LINES]


def answer(
    *, tee: Any = 2, mug: Any = Decimal("1.5"), store: Any = 1, success: object = True
) -> dict[str, Any]:
    """An answer that holds the quantities given; None leaves a SKU out."""
    details = [{"sku": s, "quantity": q} for s, q in (("TEE", tee), ("MUG", mug)) if q is not None]
    in_store = [] if store is None else [{"sku": "TEE", "quantity": store}]
    return {
        "reservationTime": "2026-02-02T12:00:00Z",
        "success": success,
        "groups": [{"id": "site-us", "details": details}],
        "locations": [{"id": "store-042", "details": in_store}],
    }
