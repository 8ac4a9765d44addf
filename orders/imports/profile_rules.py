"""What known shops and data sets say about the orders in their files, line by line.

A rule gets the cells of a line by column. It returns why the order can't be placed, or why the line
takes no stock; "" if the file doesn't say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from orders.imports.reasons import say

Cell = Callable[[str], str]  # the text of a column, "" if the file has none

# The lines of a grouped product are its parts already.
_MADE_OF_OTHERS = ("configurable", "bundle")
# Database exports write an empty value like this.
_NULLS = ("NULL", "\\N")
_ZERO = re.compile(r"-?0+([.,]0+)?|\[\]")
# Columns that a table without a profile may have beside those that are read.
_STATUS_COLUMNS = ("status", "orderStatus", "order_status", "Order Status")
_STANDS = (
    *("created", "new", "open", "completed", "complete", "pending", "pending-payment", "paid"),
    *("processing", "on-hold", "confirmed", "authorized", "unfulfilled", "fulfilled", "shipped"),
)
_ENDED = (
    *("cancelled", "canceled", "failed", "failed-with-reopen", "replaced", "refunded", "voided"),
    *("closed", "deleted", "expired", "returned", "partially-refunded", "trash", "draft"),
)


def value(cell: Cell, column: str) -> str:
    """Return the text of a column, "" for the NULL of a database."""
    text = cell(column)
    return "" if text in _NULLS else text


def nothing(_cell: Cell) -> str:
    """Return "": the file says nothing."""
    return ""


def never(_cell: Cell) -> bool:
    """Return False for every line."""
    return False


def _status(cell: Cell, column: str, *, stands: Iterable[str], ended: Iterable[str]) -> str:
    text = value(cell, column)
    if not text:
        return ""
    status = re.sub(r"[\s_]+", "-", text.lower().removeprefix("wc-"))
    if status in stands:
        return ""
    if status in ended:
        return say("order_ended", status=status)
    return say("value_unknown", column=column, text=ascii(cell(column)[:40]))


def _given_back(cell: Cell, columns: Iterable[str], *, code: str = "units_back") -> str:
    for column in columns:
        text = value(cell, column)
        if text and not _ZERO.fullmatch(text):
            return say(code, column=column, text=ascii(text[:40]))
    return ""


def plain_fault(cell: Cell) -> str:
    """Return why a table without a profile names an order that doesn't stand."""
    faults = (_status(cell, one, stands=_STANDS, ended=_ENDED) for one in _STATUS_COLUMNS)
    return next(filter(None, faults), "")


def shopify_fault(cell: Cell) -> str:
    """Refuse what was cancelled or refunded; the file and its documentation spell differently."""
    if ended_at := cell("Cancelled at") or cell("Canceled at"):
        return say("order_cancelled_at", time=ended_at[:40])
    states = (cell("Lineitem fulfillment status"), cell("Fulfillment Status"))
    if any(state.lower() == "restocked" for state in states):
        return say("item_restocked")
    fault = _status(
        cell,
        "Financial Status",
        stands=("paid", "pending", "authorized", "partially-paid", "unpaid"),
        ended=("refunded", "voided", "expired", "partially-refunded"),
    )
    return fault or _given_back(cell, ["Refunded Amount"], code="money_back")


def shopify_leaves_out(cell: Cell) -> str:
    """Leave out what isn't shipped, and lines that only continue what is said of the order."""
    if cell("Lineitem sku"):
        return ""
    if not any(cell(f"Lineitem {name}") for name in ("quantity", "name", "price")):
        return say("names_no_item")
    return say("not_shipped") if cell("Lineitem requires shipping").lower() == "false" else ""


def woocommerce_fault(cell: Cell) -> str:
    """Refuse what was cancelled, and orders of which units or money were given back."""
    column = next((one for one in ("status", "order_status") if cell(one)), "Order Status")
    fault = _status(
        cell,
        column,
        stands=("pending", "pending-payment", "processing", "on-hold", "completed"),
        ended=("cancelled", "refunded", "failed", "trash", "checkout-draft", "draft"),
    )
    kept, ordered = cell("Quantity (- Refund)"), cell("Quantity")
    if kept and ordered and kept != ordered:
        return fault or say("units_left", text=ascii(kept[:40]))
    money = ("item_refunded", "refunded_total", "Order Line Total Refunded", "Order Refund Amount")
    return (
        fault
        or _given_back(cell, ["item_refunded_qty", "refunds", "refund_items"])
        or _given_back(cell, money, code="money_back")
    )


def magento_fault(cell: Cell) -> str:
    """Refuse what was cancelled or given back, and parts whose product can't be told from them."""
    fault = _status(
        cell,
        "state" if value(cell, "state") else "status",
        stands=(
            *("new", "pending", "pending-payment", "processing", "complete"),
            *("holded", "payment-review", "fraud"),
        ),
        ended=("canceled", "cancelled", "closed"),
    )
    fault = fault or _given_back(cell, ["qty_canceled", "qty_refunded", "qty_returned"])
    money = ("total_canceled", "total_refunded", "base_total_canceled", "base_total_refunded")
    fault = fault or _given_back(cell, money, code="money_back")
    if not fault and value(cell, "parent_item_id") and not value(cell, "product_type"):
        return say("part_without_type")
    return fault


def magento_leaves_out(cell: Cell) -> str:
    """Leave out what takes no stock."""
    kind = cell("product_type").lower()
    is_digital = kind in ("virtual", "downloadable", "giftcard")
    return say("takes_no_stock", kind=kind) if is_digital else ""


def magento_made_of_others(cell: Cell) -> str:
    """Return the kind of a product that may have lines for its parts."""
    kind = cell("product_type").lower()
    return kind if kind in _MADE_OF_OTHERS else ""


def magento_has_no_type(cell: Cell) -> bool:
    """Whether a line may be the product, or the variant of it that has a line of its own."""
    return not value(cell, "product_type")


def retail_fault(cell: Cell) -> str:
    """Refuse cancellations: their number begins with C."""
    invoice = cell("InvoiceNo") or cell("Invoice")
    return say("invoice_cancels") if invoice[:1].upper() == "C" else ""


def retail_leaves_out(cell: Cell) -> str:
    """Leave out codes that are no product, such as POST."""
    code = cell("StockCode")
    is_product = re.fullmatch(r"\d{5}([A-Za-z]*|\.0+)", code)
    return "" if is_product else say("code_no_product", text=ascii(code[:40]))
