"""Order files of known shops and data sets: their columns, and lines that are not orders.

A profile refuses cancelled or returned orders, and leaves out lines that take no stock. Columns of
the file decide both; missing facts are not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orders.imports import profile_rules as rules
from orders.imports.own_tables import own_fault
from orders.imports.profile_rules import Cell


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
    fault: Callable[[Cell], str] = rules.nothing
    leaves_out: Callable[[Cell], str] = rules.nothing
    # The kind of a product that may have lines for its parts.
    made_of_others: Callable[[Cell], str] = rules.nothing
    # Whether a second line of the same SKU may be the same units again.
    may_repeat: Callable[[Cell], bool] = rules.never
    # The column that numbers the lines of all orders: none stands twice.
    line_id: str = ""
    # The column that names the line of the product that a line is a part of.
    parent_id: str = ""
    zone: str = ""
    has_local_dates: bool = True
    month_first: bool | None = None
    currency: str = ""
    # The parts of the customer's name, each with its possible column names.
    name_parts: Sequence[Sequence[str]] = ()
    # Some programs write these ids with decimals.
    whole_fields: Sequence[str] = ()

    def without_columns(self) -> Profile:
        """Return the profile for a file with columns named by people: it names none itself."""
        return Profile(
            self.name,
            fault=self.fault,
            leaves_out=self.leaves_out,
            made_of_others=self.made_of_others,
            may_repeat=self.may_repeat,
            line_id=self.line_id,
            parent_id=self.parent_id,
            has_local_dates=False,
        )

    def overlaid(self, columns: Mapping[str, str]) -> Profile:
        """Return the profile with columns named by people in place of its own."""
        return replace(self, columns={**self.columns, **{k: (v,) for k, v in columns.items()}})


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
    fault=rules.shopify_fault,
    leaves_out=rules.shopify_leaves_out,
)
WOOCOMMERCE = Profile(
    "woocommerce",
    columns={
        "orderNo": ("order_number", "Order Number", "order_id"),
        "sku": ("item_sku", "SKU"),
        "quantity": ("item_quantity", "Quantity", "Quantity (- Refund)"),
        "productName": ("item_name", "Item Name", "Product Name", "Name"),
        "basePrice": ("item_price", "Item Cost"),
        "price": ("item_total",),
        "currency": ("order_currency", "Order Currency"),
        "orderTotal": ("order_total", "Order Total Amount"),
        "creationDate": ("date", "order_date", "Order Date"),
        "customerId": ("customer_id",),
        "email": ("billing_email", "customer_email", "Email (Billing)"),
    },
    marks=(
        "order_number|Order Number",
        "item_sku|SKU",
        "item_quantity|Item Name|Quantity (- Refund)",
    ),
    fault=rules.woocommerce_fault,
    line_id="item_id",
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
    fault=rules.magento_fault,
    leaves_out=rules.magento_leaves_out,
    made_of_others=rules.magento_made_of_others,
    may_repeat=rules.magento_has_no_type,
    line_id="item_id",
    parent_id="parent_item_id",
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
    fault=rules.retail_fault,
    leaves_out=rules.retail_leaves_out,
    zone="Europe/London",
    month_first=True,
    currency="GBP",
    whole_fields=("orderNo", "sku", "customerId"),
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
PLAIN = Profile("plain", fault=rules.plain_fault, has_local_dates=False)


def detected(names: Iterable[str]) -> Profile | None:
    """Return the profile that has all its marks among the names of a file's columns."""
    known = {name.casefold() for name in names}
    for profile in PROFILES.values():
        if all(any(m.casefold() in known for m in mark.split("|")) for mark in profile.marks):
            return profile
    return None


def items_column(names: Sequence[str]) -> str:
    """Return the column that holds several items in a cell, if no column holds their SKUs."""
    if any(name.endswith("sku") for name in names):
        return ""
    return next((name for name in names if re.fullmatch(r"line_items?(_\d+)?", name)), "")


def full_name(profile: Profile, cell: Cell) -> str:
    """Return the customer's name from its parts."""
    parts = (next((cell(one) for one in names if cell(one)), "") for names in profile.name_parts)
    return " ".join(part for part in parts if part)


def whole(text: str) -> str:
    """Return a whole number without a decimal point that its program added."""
    return re.sub(r"\A(\d+)\.0+\Z", r"\1", text)
