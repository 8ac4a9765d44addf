"""Files made up from the vendor's schemas: each is read, and what is refused is named."""

from __future__ import annotations

import io
import json
import random
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest

from orders.errors import PayloadRefused
from orders.imports.order_files import FileKind, read_orders
from orders.imports.stock_csv import StockRefused
from orders.imports.stock_files import read_stock_file
from orders.models import InventoryList, Site
from orders.payload import parse_order
from tests import factories
from tests.orders.imports.schema_files import DECIMALS, SCHEMAS, Schema

INVENTORY = "{http://www.demandware.com/xml/impex/inventory/2007-05-31}"
ORDER = "{http://www.demandware.com/xml/impex/order/2006-10-31}"


def inventory_values(path: str, rng: random.Random) -> str | None:
    if path.endswith("header/@list-id"):
        return rng.choice(("web", "web", "other"))
    if path.endswith("record/@product-id"):
        return f"P{rng.randrange(10**12)}"
    if path.endswith("header/@mode"):
        return "\0"
    if path.endswith("record/@mode"):
        return rng.choice(("\0", "\0", "delete"))
    # A list with one record that has no figure is refused as a whole; both kinds are drawn.
    return rng.choice(("false", "0")) if path.endswith("/perpetual") else None


def expected_figure(record: ElementTree.Element) -> Decimal | None:
    """Return the figure of a record as the schema describes it; None where there is none."""
    texts = {one.tag.removeprefix(INVENTORY): (one.text or "").strip() for one in record}

    def number(name: str) -> Decimal:
        return Decimal(texts.get(name) or "0")

    if record.get("mode") == "delete":
        return Decimal(0)
    if texts.get("perpetual") in ("true", "1"):
        return None
    if "ats" in texts:
        return number("ats")
    ahead = Decimal(0)
    is_ahead = texts.get("preorder-backorder-handling") in ("preorder", "backorder")
    if is_ahead:
        ahead = number("preorder-backorder-allocation")
    if "allocation" not in texts and not (is_ahead and "preorder-backorder-allocation" in texts):
        return None
    return max(Decimal(0), number("allocation") + ahead - number("turnover") - number("on-order"))


@pytest.mark.parametrize("seed", range(60))
def test_inventory_files_are_read_as_their_schema_says(seed: int) -> None:
    schema = Schema(SCHEMAS / "inventory.xsd", inventory_values)
    content = schema.file(
        "inventory", seed, repeats={"inventory-list": 3, "records": 1, "record": 3}
    )
    root = ElementTree.fromstring(content)
    expected: dict[str, Decimal | None] = {}
    for one in root.findall(f"{INVENTORY}inventory-list"):
        header = one.find(f"{INVENTORY}header")
        assert header is not None
        if header.get("list-id") == "web":
            for record in one.iter(f"{INVENTORY}record"):
                expected[record.get("product-id", "")] = expected_figure(record)

    file = io.BytesIO(content.encode())
    without = [sku for sku, figure in expected.items() if figure is None]
    if without or not expected:
        with pytest.raises(StockRefused) as refused:
            read_stock_file(file, list_=InventoryList(id="web"))
        assert len(refused.value.bad) == (len(without) or 1)
    else:
        figures = read_stock_file(file, list_=InventoryList(id="web"))
        assert {one.sku: one.ato for one in figures} == expected


def order_values(path: str, rng: random.Random) -> str | None:
    name = path.rpartition("/")[2]
    if path == "orders/order/@order-no":
        return f"A-{rng.randrange(10**9)}"
    if path == "orders/order/@mode":
        return rng.choice(("\0", "\0", "\0", "delete"))
    if name == "product-id":
        return rng.choice(("MUG", "CUP", "0012"))
    if path == "orders/order/totals/order-total/gross-price":
        return rng.choice([one for one in DECIMALS if "e" not in one.lower()])
    known = {"currency": "USD", "inventory-list-id": ""}
    return known.get(name)


def found_orders(seed: int) -> list[tuple[ElementTree.Element, Any]]:
    schema = Schema(SCHEMAS / "order.xsd", order_values)
    content = schema.file(
        "orders",
        seed,
        repeats={"order": 3, "product-lineitems": 1, "product-lineitem": 2, "currency": 1},
    )
    elements = ElementTree.fromstring(content).findall(f"{ORDER}order")
    read = read_orders(io.BytesIO(content.encode()), kind=FileKind.XML, columns={}, currency="USD")
    return list(zip(elements, read, strict=True))


def quantities(item: ElementTree.Element, parts: str, part: str) -> list[Decimal]:
    """Return the quantity of a line and of the parts below it, in their order."""
    found = [Decimal((item.findtext(f"{ORDER}quantity") or "").strip())]
    for below in item.findall(f"{ORDER}{parts}/{ORDER}{part}"):
        found += quantities(below, parts, part)
    return found


def sent_quantities(item: dict[str, Any]) -> list[Decimal]:
    found = [Decimal(str(item["quantity"]))]
    for below in item.get("bundledProductItems", []):
        found += sent_quantities(below)
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(40))
def test_order_files_are_read_as_their_schema_says(seed: int) -> None:
    site: Site = factories.make_site()
    for element, found in found_orders(seed):
        document = json.loads(found.body)
        status = element.findtext(f"{ORDER}status/{ORDER}order-status") or ""
        refused = element.get("mode") == "delete" or status in ("CANCELLED", "FAILED", "REPLACED")
        assert bool(found.fault) == refused, found.fault
        items = element.findall(f"{ORDER}product-lineitems/{ORDER}product-lineitem")
        wanted = [
            quantities(item, "bundled-product-lineitems", "bundled-product-lineitem")
            for item in items
        ]
        assert [sent_quantities(item) for item in document["productItems"]] == wanted
        try:
            parse_order(found.body, site=site)
        except PayloadRefused as problems:
            # Nothing but a quantity of 0, or no total and no price at all, refuses an order.
            fields = {one.field.rpartition(".")[2] for one in problems.problems}
            assert fields <= {"quantity", "orderTotal"}
            if "quantity" in fields:
                assert any(units <= 0 for line in wanted for units in line)
