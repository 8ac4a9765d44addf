"""Order files of known shops and data sets: their columns, and lines that are not orders.

A profile refuses cancelled or returned orders, and leaves out lines that take no stock. Columns of
the file decide both; missing facts are not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orders.imports.own_tables import own_fault
from orders.imports.reasons import say

Cell = Callable[[str], str]  # the text of a column, "" if the file has none


_MADE_OF_OTHERS = ("configurable", "bundle", "grouped")
# Database exports write an empty value like this.
_NULLS = ("NULL", "\\N")


def _nothing(_cell: Cell) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Profile:
    """How to read the order files of one source.

    `columns` lists the possible column names of each field; `marks` are columns that identify the
    source. `fault` returns why the order of a line can't be placed, `leaves_out` why a line takes
    no stock. `zone` is that of its dates, if it differs from the site's.
    """

    name: str
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    marks: Sequence[str] = ()
    fault: Callable[[Cell], str] = _nothing
    leaves_out: Callable[[Cell], str] = _nothing
    # A product of this kind may have lines for its parts, although the file doesn't say so.
    made_of_others: Callable[[Cell], str] = _nothing
    zone: str = ""
    has_local_dates: bool = True
    month_first: bool | None = None
    currency: str = ""
    # The parts of the customer's name, each with its possible column names.
    name_parts: Sequence[Sequence[str]] = ()
    # Some programs write these ids with decimals.
    whole_fields: Sequence[str] = ()

    def only_faults(self) -> Profile:
        """Return the profile for a file with columns named by people: it only refuses."""
        return Profile(self.name, fault=self.fault, has_local_dates=False)

    def overlaid(self, columns: Mapping[str, str]) -> Profile:
        """Return the profile with columns named by people in place of its own."""
        return replace(self, columns={**self.columns, **{k: (v,) for k, v in columns.items()}})


def _status(cell: Cell, column: str, *, stands: Iterable[str], ended: Iterable[str]) -> str:
    status = re.sub(r"[\s_]+", "-", cell(column).lower().removeprefix("wc-"))
    if not status or status in stands:
        return ""
    if status in ended:
        return say("order_ended", status=status)
    return say("value_unknown", column=column, text=ascii(cell(column)[:40]))


def _units_back(cell: Cell, columns: Iterable[str], *, code: str = "units_back") -> str:
    for column in columns:
        text = cell(column)
        if text and text not in _NULLS and not re.fullmatch(r"0+([.,]0+)?", text):
            return say(code, column=column, text=ascii(text[:40]))
    return ""


def _shopify_fault(cell: Cell) -> str:
    if cell("Cancelled at"):
        return say("order_cancelled_at", time=cell("Cancelled at")[:40])
    if cell("Lineitem fulfillment status").lower() == "restocked":
        return say("item_restocked")
    fault = _status(
        cell,
        "Financial Status",
        stands=("paid", "pending", "authorized", "partially-paid", "unpaid"),
        ended=("refunded", "voided", "expired", "partially-refunded"),
    )
    return fault or _units_back(cell, ["Refunded Amount"], code="money_back")


def _shopify_leaves_out(cell: Cell) -> str:
    is_sent = cell("Lineitem requires shipping").lower() != "false"
    return "" if cell("Lineitem sku") or is_sent else say("not_shipped")


def _woocommerce_fault(cell: Cell) -> str:
    column = "status" if cell("status") else "Order Status"
    fault = _status(
        cell,
        column,
        stands=("pending", "pending-payment", "processing", "on-hold", "completed"),
        ended=("cancelled", "refunded", "failed", "trash", "checkout-draft", "draft"),
    )
    kept = cell("Quantity (- Refund)")
    if kept and kept != cell("Quantity"):
        return fault or say("units_left", text=ascii(kept[:40]))
    return fault or _units_back(cell, ["item_refunded_qty"])


def _magento_fault(cell: Cell) -> str:
    fault = _status(
        cell,
        "state" if cell("state") else "status",
        stands=(
            *("new", "pending", "pending-payment", "processing", "complete"),
            *("holded", "payment-review", "fraud"),
        ),
        ended=("canceled", "cancelled", "closed"),
    )
    return fault or _units_back(cell, ["qty_canceled", "qty_refunded"])


def _magento_leaves_out(cell: Cell) -> str:
    kind = cell("product_type").lower()
    if kind in ("virtual", "downloadable", "giftcard"):
        return say("takes_no_stock", kind=kind)
    has_parts = cell("item_id") and kind in _MADE_OF_OTHERS
    return say("has_own_lines", kind=kind) if has_parts else ""


def _magento_made_of_others(cell: Cell) -> str:
    kind = cell("product_type").lower()
    return kind if kind in _MADE_OF_OTHERS else ""


def _retail_fault(cell: Cell) -> str:
    invoice = cell("InvoiceNo") or cell("Invoice")
    return say("invoice_cancels") if invoice[:1].upper() == "C" else ""


def _retail_leaves_out(cell: Cell) -> str:
    code = cell("StockCode")
    return (
        ""
        if re.fullmatch(r"\d{5}[A-Za-z]*", code)
        else say("code_no_product", text=ascii(code[:40]))
    )


SHOPIFY = Profile(
    "shopify",
    columns={
        "orderNo": ("Name",),
        "sku": ("Lineitem sku",),
        "quantity": ("Lineitem quantity",),
        "productName": ("Lineitem name",),
        "basePrice": ("Lineitem price",),
        "currency": ("Currency",),
        "orderTotal": ("Total",),
        "creationDate": ("Created at",),
        "email": ("Email",),
        "customerName": ("Billing Name",),
    },
    marks=("Name", "Lineitem quantity", "Lineitem sku"),
    fault=_shopify_fault,
    leaves_out=_shopify_leaves_out,
)
WOOCOMMERCE = Profile(
    "woocommerce",
    columns={
        "orderNo": ("order_number", "Order Number", "order_id"),
        "sku": ("item_sku", "SKU"),
        "quantity": ("item_quantity", "Quantity"),
        "productName": ("item_name", "Item Name"),
        "basePrice": ("item_price", "Item Cost"),
        "price": ("item_total",),
        "currency": ("order_currency", "Order Currency"),
        "orderTotal": ("order_total", "Order Total Amount"),
        "creationDate": ("date", "order_date", "Order Date"),
        "customerId": ("customer_id",),
        "email": ("billing_email", "customer_email", "Email (Billing)"),
    },
    marks=("order_number|Order Number", "item_sku|SKU", "item_quantity|Item Name"),
    fault=_woocommerce_fault,
    name_parts=(
        ("billing_first_name", "First Name (Billing)"),
        ("billing_last_name", "Last Name (Billing)"),
    ),
)
MAGENTO = Profile(
    "magento",
    columns={
        "orderNo": ("increment_id",),
        "sku": ("sku",),
        "quantity": ("qty_ordered",),
        "productName": ("name",),
        "basePrice": ("price",),
        "price": ("row_total",),
        "currency": ("order_currency_code",),
        "orderTotal": ("grand_total",),
        "creationDate": ("created_at",),
        "customerId": ("customer_id",),
        "email": ("customer_email",),
    },
    marks=("increment_id", "sku", "qty_ordered"),
    fault=_magento_fault,
    leaves_out=_magento_leaves_out,
    made_of_others=_magento_made_of_others,
    name_parts=(("customer_firstname",), ("customer_lastname",)),
    zone="UTC",
)
ONLINE_RETAIL = Profile(
    "online-retail",
    columns={
        "orderNo": ("InvoiceNo", "Invoice"),
        "sku": ("StockCode",),
        "quantity": ("Quantity",),
        "productName": ("Description",),
        "basePrice": ("UnitPrice", "Price"),
        "creationDate": ("InvoiceDate",),
        "customerId": ("CustomerID", "Customer ID"),
    },
    marks=("InvoiceNo|Invoice", "StockCode", "InvoiceDate"),
    fault=_retail_fault,
    leaves_out=_retail_leaves_out,
    zone="Europe/London",
    month_first=True,
    currency="GBP",
    whole_fields=("customerId",),
)
# Tables of items written by this product, as `own_tables` has read them.
OWN = Profile(
    "coc",
    columns={
        "orderNo": ("orderNo",),
        "sku": ("sku",),
        "quantity": ("quantity",),
        "productName": ("productName",),
        "basePrice": ("unitPrice",),
        "currency": ("currency",),
        "orderTotal": ("orderTotal",),
        "creationDate": ("capturedAt",),
        "inventoryId": ("inventoryListId",),
        "email": ("customerEmail",),
        "customerName": ("customerName",),
    },
    marks=("orderNo", "capturedAt", "reservationState", "sku", "quantity"),
    fault=own_fault,
)
PROFILES: Mapping[str, Profile] = {
    one.name: one for one in (SHOPIFY, WOOCOMMERCE, MAGENTO, ONLINE_RETAIL, OWN)
}
# The profile of a file with the fields' own names as columns.
PLAIN = Profile("plain", has_local_dates=False)


def detected(names: Iterable[str]) -> Profile | None:
    """Return the profile that has all its marks among the names of a file's columns."""
    known = {name.casefold() for name in names}
    for profile in PROFILES.values():
        if all(any(m.casefold() in known for m in mark.split("|")) for mark in profile.marks):
            return profile
    return None


def full_name(profile: Profile, cell: Cell) -> str:
    """Return the customer's name from its parts."""
    parts = (next((cell(one) for one in names if cell(one)), "") for names in profile.name_parts)
    return " ".join(part for part in parts if part)


def whole(text: str) -> str:
    """Return a whole number without a decimal point that its program added."""
    return re.sub(r"\A(\d+)\.0+\Z", r"\1", text)
