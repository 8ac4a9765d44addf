"""Refusals of orders: small classes with data, each with a stable type and an HTTP status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orders.fields import json_number
from orders.payload_reasons import join, say


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field of an input, by its path (`productItems[2].quantity`)."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One SKU with less available to order than requested."""

    sku: str
    inventory_list_id: str
    requested: Decimal
    available: Decimal

    def members(self) -> dict[str, Any]:
        """Return it as problem+json answers and rows have it."""
        return {
            "sku": self.sku,
            "inventoryListId": self.inventory_list_id,
            "requested": json_number(self.requested),
            "available": json_number(self.available),
        }


class OrderRefused(Exception):
    """An order, or something asked for an order, is refused and nothing has changed.

    `type` is a stable slug, `status` the HTTP status that fits, `title` the same for every
    occurrence; the message is about this one.
    """

    type = "order-refused"
    title = "The order was refused"
    status = 409
    # Whether an order was refused that could not be reserved live.
    is_offline = False

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def members(self) -> dict[str, Any]:
        """Return the members of a problem+json answer besides type, title and detail."""
        return {}


class PayloadRefused(OrderRefused):
    """The input is not an acceptable order."""

    type = "order-invalid"
    title = "The order is not valid"
    status = 400

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        path = f"{first.field}:" if first.field else ""
        more = say("and_more", number=len(problems) - 1) if first.field and problems[1:] else ""
        super().__init__(join(path, first.message, more))
        self.problems = list(problems)

    def members(self) -> dict[str, Any]:
        """Return the problems, one per field."""
        return {"problems": [{"field": p.field, "message": p.message} for p in self.problems]}


class ShortOnStock(OrderRefused):
    """Less is available to order than the order asks for."""

    type = "short-on-stock"
    title = "Not enough stock"

    def __init__(self, shortfalls: Sequence[Shortfall]) -> None:
        names = ", ".join(s.sku for s in shortfalls[:5])
        code = "not_enough_and_more" if len(shortfalls) > 5 else "not_enough"
        super().__init__(say(code, skus=names))
        self.shortfalls = list(shortfalls)

    def members(self) -> dict[str, Any]:
        """Return every shortfall."""
        return {"shortfalls": [one.members() for one in self.shortfalls]}


class ShortOnAto(ShortOnStock):
    """Short on the last known figures: refused before anything was kept."""


class ShortAtOci(ShortOnStock):
    """OCI was short for a live shopper: the order has failed; its units are given back."""


class OrderNoTaken(OrderRefused):
    """The order number belongs to an order with other content."""

    type = "order-number-taken"
    title = "The order number is taken"

    def __init__(self, order_no: str) -> None:
        super().__init__(say("number_taken", order=order_no))
        self.order_no = order_no


class OrderInProgress(OrderRefused):
    """The same order is being placed by another request and its end is not known yet."""

    type = "order-in-progress"
    title = "The order is being placed"

    def __init__(self, order_no: str) -> None:
        super().__init__(say("being_placed", order=order_no))


class OrderFailedBefore(OrderRefused):
    """The same order was refused to the shopper before; it stays so."""

    type = "order-failed"
    title = "The order has failed"

    def __init__(self, order_no: str) -> None:
        super().__init__(say("refused_before", order=order_no))


class UnknownSku(OrderRefused):
    """The inventory list does not know some SKUs, and the site refuses such orders."""

    type = "unknown-sku"
    title = "Unknown SKU"

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(say("unknown_skus", skus=", ".join(skus[:10])))
        self.skus = list(skus)

    def members(self) -> dict[str, Any]:
        """Return the unknown SKUs."""
        return {"skus": self.skus}


class OfflineCaptureRefused(OrderRefused):
    """OCI is away and the site does not accept orders meanwhile."""

    type = "offline-capture-off"
    title = "Orders are not accepted at the moment"
    status = 503
    is_offline = True


class OfflineCapExceeded(OrderRefused):
    """A cap that the site set for selling offline would be passed; `cap` names it."""

    type = "offline-cap"
    title = "A limit of offline selling is reached"
    status = 503
    is_offline = True

    def __init__(self, cap: str, detail: str) -> None:
        super().__init__(detail)
        self.cap = cap

    def members(self) -> dict[str, Any]:
        """Return the name of the cap."""
        return {"cap": self.cap}


class CannotCancel(OrderRefused):
    """The order can't be cancelled in its state."""

    type = "cannot-cancel"
    title = "The order cannot be cancelled"


class CannotSettle(OrderRefused):
    """The order can't be recorded as settled outside, or be reopened, in its state."""

    type = "cannot-settle"
    title = "The order cannot be settled that way"


class CannotRemedy(OrderRefused):
    """The remedy is not open to the order in its state."""

    type = "cannot-remedy"
    title = "That cannot be done for the order"


class CannotReplace(CannotRemedy):
    """The short items can't be replaced this way, given order and stock."""

    type = "cannot-replace"
    title = "The item cannot be replaced"


class ReplacementShort(CannotReplace):
    """Less than was wanted is available of what should replace an item; nothing has changed."""

    type = "replacement-short"
    title = "Not enough of the replacement"

    def __init__(self, detail: str, *, sku: str, requested: Decimal, available: Decimal) -> None:
        super().__init__(detail)
        self.sku = sku
        self.requested = requested
        self.available = available

    def members(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "sku": self.sku,
            "requested": json_number(self.requested),
            "available": json_number(self.available),
        }


class CannotAdjust(CannotRemedy):
    """The reservation can't be given back or adjusted, given order and stock."""

    type = "cannot-adjust"
    title = "The reservation cannot be adjusted"


class AdjustmentShort(CannotAdjust):
    """Less is available of what should be kept than OCI must hold twice for a moment."""

    type = "adjustment-short"
    title = "Not enough stock to adjust the reservation"

    def __init__(self, detail: str, *, shortfalls: Sequence[Shortfall]) -> None:
        super().__init__(detail)
        self.shortfalls = list(shortfalls)

    def members(self) -> dict[str, Any]:
        """Return every shortfall."""
        return {"shortfalls": [one.members() for one in self.shortfalls]}


class ExportRefused(OrderRefused):
    """The export status cannot change that way (design 4)."""

    type = "export-refused"
    title = "The export status cannot be changed"


class OrderChanged(ExportRefused):
    """The order's document has another version than the one that is acknowledged."""

    type = "order-changed"
    title = "The order has changed"

    def __init__(self, *, named: int, current: int) -> None:
        super().__init__(f"The order's document has version {current}, not {named}. Read it again.")
        self.current = current

    def members(self) -> dict[str, Any]:
        """Return the current version."""
        return {"version": self.current}
