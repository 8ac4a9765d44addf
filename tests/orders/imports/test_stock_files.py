"""Stock files that are no CSV: inventory XML, OCI import lines, and what is none of these."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest

from orders.imports.stock_csv import StockRefused
from orders.imports.stock_files import read_stock_file
from orders.models import InventoryList, ListType

GROUP = InventoryList(id="web", list_type=ListType.GROUP)
DC = InventoryList(id="dc-east", list_type=ListType.LOCATION)
NO_XML = "is not XML: a bare & or <, or bytes that are not in the encoding that the file names"
NAMESPACE = "http://www.demandware.com/xml/impex/inventory/2007-05-31"


def read(content: bytes | str, *, list_: InventoryList = GROUP) -> dict[str, Decimal]:
    raw = content.encode() if isinstance(content, str) else content
    figures = read_stock_file(io.BytesIO(raw), list_=list_)
    assert {figure.list_id for figure in figures} <= {list_.pk}
    return {figure.sku: figure.ato for figure in figures}


def faults(content: bytes | str, *, list_: InventoryList = GROUP) -> list[tuple[int, str]]:
    with pytest.raises(StockRefused) as refused:
        read(content, list_=list_)
    return [(line.number, line.message) for line in refused.value.bad]


def inventory(records: str, *, list_id: str = "web", head: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}\n<inventory xmlns="{NAMESPACE}">\n'
        f'<inventory-list><header list-id="{list_id}"><default-instock>false</default-instock>'
        f"</header><records>\n{records}\n</records></inventory-list></inventory>"
    )


def line(**members: Any) -> str:
    return json.dumps({"recordId": "r", "locationId": "dc-east", "sku": "MUG"} | members) + "\n"


def test_xml_takes_ats_or_else_the_allocation() -> None:
    content = inventory(
        '<record product-id="A"><allocation>100</allocation><ats>98.5</ats></record>\n'
        '<record product-id="B"><allocation>7</allocation><perpetual>false</perpetual></record>\n'
        '<record product-id="C"><allocation>7</allocation>'
        "<preorder-backorder-handling>backorder</preorder-backorder-handling>"
        "<preorder-backorder-allocation>5</preorder-backorder-allocation></record>\n"
        '<record product-id="D"><allocation>7</allocation>'
        "<preorder-backorder-handling>none</preorder-backorder-handling>"
        "<preorder-backorder-allocation>5</preorder-backorder-allocation></record>"
    )
    assert read(content) == {"A": Decimal("98.5"), "B": 7, "C": 12, "D": 7}
    assert read(b"\xef\xbb\xbf" + content.encode()) == read(content)


def test_xml_names_each_bad_record_by_its_line() -> None:
    content = inventory(
        '<record product-id="A"><allocation>1</allocation></record>\n'
        '<record product-id="A"><allocation>1</allocation></record>\n'
        '<record product-id="B"><allocation>=1+1</allocation></record>\n'
        '<record product-id="C"><perpetual>true</perpetual></record>\n'
        '<record product-id="D"/>\n'
        '<record product-id="a b"><allocation>1</allocation></record>\n'
        "<record><allocation>1</allocation></record>"
    )
    sku = "the SKU has 1 to 250 characters without spaces and \\ < > ; % /"
    assert faults(content) == [
        (5, "the product A is already in line 4"),
        (6, "the allocation '=1+1' is not a number from 0 with at most 3 decimals"),
        (7, "is perpetual: it has no figure to count"),
        (8, "the allocation '' is not a number from 0 with at most 3 decimals"),
        (9, sku),
        (10, sku),
    ]


def test_xml_with_several_lists_takes_the_one_that_is_meant() -> None:
    record = '<record product-id="A"><allocation>{}</allocation></record>'
    single = inventory(record.format(3), list_id="other")
    assert faults(single) == [(1, "the file holds 'other' and no record of the list web")]
    second = single.replace(
        "</inventory>",
        '<inventory-list><header list-id="web"/><records>'
        f"{record.format(4)}</records></inventory-list></inventory>",
    )
    assert read(second) == {"A": 4}
    third = second.replace('list-id="web"', 'list-id="third"')
    words = "the file holds 'other', 'third' and no record of the list web"
    assert faults(third) == [(1, words)]


BOMB = "<!DOCTYPE i [<!ENTITY a '" + "x" * 10 + "'><!ENTITY b '" + "&a;" * 10 + "'>]>"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (inventory("", head=BOMB), "contains a document type, which an inventory file never does"),
        (
            inventory("", head='<!DOCTYPE i SYSTEM "file:///etc/passwd">'),
            "contains a document type, which an inventory file never does",
        ),
        (inventory(""), "the list web holds no record"),
        ("<inventory><record>", "is not XML: no element found"),
        ("<" * 50, NO_XML),
        (
            '<?xml version="1.0" encoding="no-such"?><a/>',
            "is in an encoding that cannot be read; use UTF-8",
        ),
        (
            "<html><body>nothing</body></html>",
            "is not an inventory export: it begins with <html>, not <inventory>",
        ),
        (b"<inventory>\xff\xfe</inventory>", NO_XML),
    ],
)
def test_hostile_or_broken_xml_is_refused(content: bytes | str, fault: str) -> None:
    assert [message for _, message in faults(content)][:1] == [fault]


def test_lines_count_what_is_there_and_to_come_less_the_safety_stock() -> None:
    futures = [{"quantity": 5, "expectedDate": "2026-03-01T00:00:00Z"}, {"quantity": 1.5}]
    content = (
        line(onHand=10, safetyStockCount=1, futures=futures)
        + "\n"
        + line(sku="CUP", onHand=1, safetyStockCount=5)
        + line(sku="JUG")
    )
    assert read(content, list_=DC) == {"MUG": Decimal("15.5"), "CUP": 0, "JUG": 0}
    figures = read_stock_file(io.BytesIO(content.encode()), list_=DC)
    assert [figure.safety_stock for figure in figures] == [1, 5, 0]


def test_lines_of_a_group_add_up_its_locations() -> None:
    content = line(onHand=10, safetyStockCount=1) + line(locationId="store", onHand=4)
    assert read(content) == {"MUG": 13}
    assert read(content, list_=DC) == {"MUG": 9}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (line(onHand=-1), "onHand is not a number from 0 with at most 3 decimals"),
        (line(onHand=0.0001), "onHand is not a number from 0 with at most 3 decimals"),
        (line(onHand="5"), "onHand is not a number"),
        (line(onHand=True), "onHand is not a number"),
        (line(onHand=10**12), "onHand is not a number from 0 with at most 3 decimals"),
        (line(safetyStockCount=float("inf")), "safetyStockCount is not a number"),
        (line(futures={}), "the futures are not a list of objects"),
        (
            line(futures=[{"quantity": -1}]),
            "quantity is not a number from 0 with at most 3 decimals",
        ),
        (line(locationId=None), "the locationId is missing"),
        (line(sku=None), "the SKU has 1 to 250 characters without spaces and \\ < > ; % /"),
        (line() + line(), "the SKU MUG of dc-east is already in line 1"),
        ("{" * 50_000, "is not a JSON object in UTF-8"),
        ("{]\n", "is not a JSON object in UTF-8"),
        (b'{"sku":"\xff"}', "is not a JSON object in UTF-8"),
        ("{" + " " * 200_000, "is longer than 100,000 bytes"),
    ],
)
def test_bad_lines_are_named(content: bytes | str, fault: str) -> None:
    assert faults(content)[0][1] == fault


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"PK\x03\x04rest", "is a spreadsheet or an archive; save it as CSV in UTF-8"),
        (b"\x1f\x8b\x08rest", "is packed (gzip). Unpack it first"),
        ("sku,ato\nA,1\n".encode("utf-16"), "is in UTF-16; save it in UTF-8"),
    ],
)
def test_other_kinds_of_files_are_told_apart(content: bytes, fault: str) -> None:
    assert faults(content) == [(1, fault)]


def test_csv_is_what_is_neither() -> None:
    assert read("\ufeffsku,ato\nA,1\n") == {"A": 1}
