"""Stock files as vendors, spreadsheets and people write them: what comes out, to the unit."""

from __future__ import annotations

import json
import zipfile
from decimal import Decimal as D
from io import BytesIO
from typing import Any

import pytest

from orders.imports.stock_csv import StockRefused
from orders.imports.stock_files import read_stock_file
from orders.models import InventoryList, ListType
from tests.orders.imports.test_stock_files import DC, GROUP, faults, inventory, read
from tests.sources import CASES

SPACE = 'xmlns="http://www.demandware.com/xml/impex/inventory/2007-05-31"'
SHORTENED = "was shortened by a spreadsheet; format its column as text"
NOT_A_NUMBER = "is not a number from 0 with at most 3 decimals"
AMBIGUOUS = "may have decimals or thousands; write it without a separator"
GROUPED = "has a comma or a thousands separator; write it as 1500 or 1.5"
# In a file whose cells are separated by semicolons a comma may be the decimal point.
THOUSANDS = "has a thousands separator; write it as 1500, 1.5 or 1,5"
SKU = "the SKU has 1 to 250 characters without spaces and \\ < > ; % /"


def one(record: str) -> str:
    return inventory(f'<record product-id="A">{record}</record>')


@pytest.mark.parametrize(
    ("content", "figures"),
    [
        ("sku,ato\r\nA,5\r\nB,6\r\n", {"A": 5, "B": 6}),
        ("sku,ato\rA,5\r", {"A": 5}),
        ("sku;ato\nA;5\n", {"A": 5}),
        ("sku;ato\nA;5,5\nB;0,125\n", {"A": D("5.5"), "B": D("0.125")}),
        ("sku;ato\nA;5.5\n", {"A": D("5.5")}),
        ("sku\tato\nA\t5\n", {"A": 5}),
        ("sku|ato\nA|5\n", {"A": 5}),
        ("sep=;\nsku;ato\nA;5\n", {"A": 5}),
        ("sep=,\r\nsku,ato\r\nA,5\r\n", {"A": 5}),
        ("\ufeffsku,ato\nA,5\n", {"A": 5}),
        ("\ufeffsep=;\nsku;ato\nA;5\n", {"A": 5}),
        ("sku,ato\nA,5\n,\n,\n", {"A": 5}),
        ("sku,ato\n\n\nA,5\n\n", {"A": 5}),
        ("\n,\nsku,ato\nA,5\n", {"A": 5}),
        ("sku,ato,,\nA,5,,\nB,6\n,,,\n", {"A": 5, "B": 6}),
        ("SKU , Ato\nA,5\n", {"A": 5}),
        ('"sku","ato"\n"A"," 5 "\n', {"A": 5}),
        ("ato,sku\n5,A\n", {"A": 5}),
        ("sku,ato\n00012,5\n12,6\n", {"00012": 5, "12": 6}),
        ("sku,ato\nA,0\nB,+7\nC,05\nD,5.000\n", {"A": 0, "B": 7, "C": 5, "D": 5}),
        ("sku,ato\nA,999999999\n", {"A": 999_999_999}),
        ('sku,ato,name\nA,5,"two\nlines, and a comma"\nB,6,x\n', {"A": 5, "B": 6}),
        ("sku,ato,name\nA,5," + "N" * 900 + "\n", {"A": 5}),
        ("sku,ato,name\nA,5,a\x07b\n", {"A": 5}),
        ("sku,ato,price\nA,5,gratis\nB,6,-1\nC,7,\"1,50\"\n", {"A": 5, "B": 6, "C": 7}),
        (b"sku,ato,name\nA,5,M\xfcller\n", {"A": 5}),
        ("sku,ato\n1E5,5\nMAR1,6\n2010-03-05,7\n", {"1E5": 5, "MAR1": 6, "2010-03-05": 7}),
    ],
)  # fmt: skip
def test_csv_that_is_read(content: str | bytes, figures: dict[str, Any]) -> None:
    assert read(content) == figures


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", (1, "the file is empty; it begins with a line sku,ato[,name,price]")),
        ("\n\n", (1, "the file is empty; it begins with a line sku,ato[,name,price]")),
        ("sku,ato\n", (1, "the file holds no SKU")),
        ("sku,ato\n,\n", (1, "the file holds no SKU")),
        ("sku,ato,sku\nA,5,B\n", (1, "must name the columns: sku,ato[,name,price]")),
        ("sku,quantity\nA,5\n", (1, "must name the columns: sku,ato[,name,price]")),
        ("A,5\nB,6\n", (1, "must name the columns: sku,ato[,name,price]")),
        ("sku,ato\nA,5,x\n", (2, "has 3 values, not 2")),
        ("sku,ato\nA\n", (2, "has 1 values, not 2")),
        ("sku,ato\nA,\n", (2, "the ATO '' is not a number")),
        ("sku,ato\n,5\n", (2, SKU)),
        ("sku,ato\nA,-5\n", (2, f"the ATO '-5' {NOT_A_NUMBER}")),
        ("sku,ato\nA,0.0001\n", (2, f"the ATO '0.0001' {NOT_A_NUMBER}")),
        ("sku,ato\nA,1000000001\n", (2, f"the ATO '1000000001' {NOT_A_NUMBER}")),
        ("sku,ato\nA,NaN\n", (2, "the ATO 'NaN' is not a number")),
        ("sku,ato\nA,=1+1\n", (2, "the ATO '=1+1' is not a number")),
        ("sku,ato\nA,1_000\n", (2, "the ATO '1_000' is not a number")),
        ("sku,ato\nA,٣\n", (2, "the ATO '٣' is not a number")),
        ("sku,ato\nA,#N/A\n", (2, "the ATO '#N/A' is not a number")),
        ("sku,ato\nA,1e3\n", (2, "the ATO '1e3' was shortened by a spreadsheet;"
          " format its column as text or number")),
        ('sku,ato\nA,"1,5"\n', (2, f"the ATO '1,5' {GROUPED}")),
        ('sku,ato\nA,"1,500"\n', (2, f"the ATO '1,500' {GROUPED}")),
        ('sku,ato\nA,"1,500.00"\n', (2, f"the ATO '1,500.00' {GROUPED}")),
        ("sku,ato\nA,1 500\n", (2, f"the ATO '1 500' {GROUPED}")),
        ("sku;ato\nA;1,500\n", (2, f"the ATO '1,500' {AMBIGUOUS}")),
        ("sku;ato\nA;1.500\n", (2, f"the ATO '1.500' {AMBIGUOUS}")),
        ("sku;ato\nA;1.500,00\n", (2, f"the ATO '1.500,00' {THOUSANDS}")),
        ("sku,ato\n1.23E+12,5\n", (2, f"the SKU 1.23E+12 {SHORTENED}")),
        ("sku;ato\n1,23E+12;5\n", (2, f"the SKU 1,23E+12 {SHORTENED}")),
        ("sku,ato\n#REF!,5\n", (2, "the SKU #REF! is an error of a spreadsheet")),
        ("sku,ato\n#######,5\n", (2, "the SKU ####### is an error of a spreadsheet")),
        ("sku,ato\nA,5\nA,6\n", (3, "the SKU A is already in line 2")),
        ("sku,ato\nA B,5\n", (2, SKU)),
        ("sku,ato\nA,5\n\"B\nC\",6\n", (3, SKU)),
        ('sku,ato\nA,5\nB,"6\n', (3, "is not CSV: unexpected end of data")),
        ("sku,ato\nA,5\n".encode("utf-16"), (1, "is in UTF-16; save it in UTF-8")),
        ("\ufeffsku,ato\n".encode("utf-16-be"), (1, "is in UTF-16; save it in UTF-8")),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
         (1, "is a spreadsheet or an archive; save it as CSV in UTF-8")),
        ("[1]", (1, "is an array; write one record in each line, without brackets around them")),
    ],
)  # fmt: skip
def test_csv_that_is_refused_says_why(content: str | bytes, fault: tuple[int, str]) -> None:
    assert faults(content) == [fault]


def test_a_workbook_is_told_apart() -> None:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    words = "is a spreadsheet or an archive; save it as CSV in UTF-8"
    assert faults(file.getvalue()) == [(1, words)]


@pytest.mark.parametrize(
    ("record", "figure"),
    [
        ("<ats>5</ats>", 5),
        ("<ats>5.000000</ats>", 5),
        ("<ats> +05. </ats>", 5),
        ("<ats>.5</ats>", D("0.5")),
        ("<ats>-0</ats>", 0),
        ("<ats><!-- five -->5<!-- of it --></ats>", 5),
        ("<ats><![CDATA[5]]></ats>", 5),
        ("<ats>&#53;</ats>", 5),
        ("<allocation>10</allocation><ats>3</ats><turnover>7</turnover>", 3),
        ("<allocation>10</allocation><turnover>7</turnover>", 3),
        ("<allocation>10</allocation><turnover>4</turnover><on-order>2</on-order>", 4),
        ("<allocation>1</allocation><turnover>4</turnover>", 0),
        ("<allocation>5</allocation><perpetual>0</perpetual>", 5),
        ("<allocation>5</allocation><allocation-timestamp>2030-01-01T00:00:00Z"
         "</allocation-timestamp><in-stock-date>2030-01-01</in-stock-date>", 5),
        ("<preorder-backorder-handling>preorder</preorder-backorder-handling>"
         "<preorder-backorder-allocation>5</preorder-backorder-allocation>", 5),
        ("<allocation>1</allocation><preorder-backorder-handling>BACKORDER"
         "</preorder-backorder-handling><preorder-backorder-allocation>5.5"
         "</preorder-backorder-allocation>", D("6.5")),
        ("<allocation>1</allocation><preorder-backorder-handling>none"
         "</preorder-backorder-handling><preorder-backorder-allocation>5"
         "</preorder-backorder-allocation>", 1),
        ("<allocation>1</allocation><preorder-backorder-allocation>5"
         "</preorder-backorder-allocation>", 1),
        ("<allocation>5</allocation><custom-attributes><custom-attribute attribute-id='ats'>9"
         "<value>9</value></custom-attribute></custom-attributes>", 5),
        ("<allocation>5</allocation><extra><ats>9</ats></extra>", 5),
        ("<ats>999999999</ats>", 999_999_999),
    ],
)  # fmt: skip
def test_a_record_of_xml_that_is_read(record: str, figure: Any) -> None:
    assert read(one(record)) == {"A": figure}


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ("", f"the allocation '' {NOT_A_NUMBER}"),
        ("<allocation/>", f"the allocation '' {NOT_A_NUMBER}"),
        ("<ats/>", f"the ats '' {NOT_A_NUMBER}"),
        ("<ats>-1</ats>", f"the ats '-1' {NOT_A_NUMBER}"),
        ("<ats>1e3</ats>", f"the ats '1e3' {NOT_A_NUMBER}"),
        ("<ats>1,5</ats>", f"the ats '1,5' {NOT_A_NUMBER}"),
        ("<ats>INF</ats>", f"the ats 'INF' {NOT_A_NUMBER}"),
        ("<ats>NaN</ats>", f"the ats 'NaN' {NOT_A_NUMBER}"),
        ("<ats>0.0001</ats>", "the figure 0.0001 has more than 3 decimals"),
        ("<ats>1000000001</ats>", "the figure 1000000001 is too large"),
        ("<allocation xsi:nil='true' xmlns:xsi='x'/>", f"the allocation '' {NOT_A_NUMBER}"),
        ("<perpetual>1</perpetual>", "is perpetual: it has no figure to count"),
        ("<ats>5</ats><perpetual>TRUE</perpetual>",
         "is perpetual: it has no figure to count"),
        ("<ats>5</ats><perpetual>yes</perpetual>",
         "perpetual is 'yes', neither true nor false"),
        ("<allocation>5</allocation><turnover>-2</turnover>",
         "has a turnover below 0 and no ats; only ats shows what is left"),
        ("<allocation>5</allocation><turnover>x</turnover>", f"the turnover 'x' {NOT_A_NUMBER}"),
        ("<allocation>5</allocation><preorder-backorder-handling>soon"
         "</preorder-backorder-handling>", "the preorder-backorder-handling 'soon' is unknown"),
    ],
)  # fmt: skip
def test_a_record_of_xml_that_is_refused_says_why(record: str, fault: str) -> None:
    assert faults(one(record)) == [(4, fault)]


@pytest.mark.parametrize(
    ("attributes", "figure"),
    [
        ('mode="delete"', 0), ("mode='DELETE '", 0), ('mode="merge"', 9), ('mode="replace"', 9),
        ('mode="update"', 9), ('mode=""', 9),
    ],
)  # fmt: skip
def test_the_mode_of_a_record_decides(attributes: str, figure: int) -> None:
    content = inventory(f'<record product-id="A" {attributes}><allocation>9</allocation></record>')
    assert read(content) == {"A": figure}


def test_an_unknown_mode_is_named() -> None:
    content = inventory('<record product-id="A" mode="purge"><ats>9</ats></record>')
    assert faults(content) == [(4, "the mode 'purge' is unknown")]


def lists(*blocks: str) -> str:
    return f"<inventory {SPACE}>{''.join(blocks)}</inventory>"


def block(list_id: str, records: str, *, mode: str = "", header: str = "") -> str:
    return (
        f'<inventory-list><header list-id="{list_id}"{mode}>'
        f"<default-instock>false</default-instock>{header}</header>{records}</inventory-list>"
    )


def records(*pairs: tuple[str, int]) -> str:
    inside = "".join(f'<record product-id="{s}"><ats>{n}</ats></record>' for s, n in pairs)
    return f"<records>{inside}</records>"


@pytest.mark.parametrize(
    ("content", "figures"),
    [
        (lists(block("x", records(("A", 7))), block("web", records(("A", 1)))), {"A": 1}),
        (lists(block("web", records(("A", 1))), block("x", records(("A", 7)))), {"A": 1}),
        (lists(block("web", records(("A", 1))), block("web", records(("B", 2)))),
         {"A": 1, "B": 2}),
        (lists(block("x", "<records><record product-id='B B'/></records>"),
               block("web", records(("A", 1)))), {"A": 1}),
        (lists(block("x", records(("A", 1)), mode=' mode="delete"'),
               block("web", records(("A", 2)))), {"A": 2}),
        (lists(block(" web ", records(("A", 1)))), {"A": 1}),
        (lists(block("web", records(("A", 1)))).replace("<inventory ", "<i:inventory xmlns:i='y' ")
         .replace("</inventory>", "</i:inventory>"), {"A": 1}),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>\n' + lists(block("web", records(("A", 1)))),
         {"A": 1}),
    ],
)  # fmt: skip
def test_a_file_gives_a_list_its_own_stock(content: str, figures: dict[str, int]) -> None:
    assert read(content) == figures


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (lists(), "the file holds no record"),
        (lists(block("web", "")), "the list web holds no record"),
        (lists(block("web", "<records/>")), "the list web holds no record"),
        (lists(block("x", records(("A", 7))), block("web", "<records/>")),
         "the list web holds no record"),
        (lists(block("x", records(("A", 7)))), "the file holds 'x' and no record of the list web"),
        (lists(block("WEB", records(("A", 7)))),
         "the file holds 'WEB' and no record of the list web"),
        (lists(block("", records(("A", 7)))), "the file holds '' and no record of the list web"),
        (lists(f"<inventory-list>{records(('A', 7))}</inventory-list>"),
         "the file holds no record"),
        (lists(block("web", records(("A", 7)), mode=' mode="delete"')),
         "the list web is to be deleted (mode delete)"),
        (lists(block("web", records(("A", 7)), mode=' mode="wipe"')), "the mode 'wipe' is unknown"),
        (lists(block("web", records(("A", 7), ("A", 7)))), "the product A is already in line 1"),
        ("<inventory>" * 200, "is nested more than 50 deep"),
    ],
)  # fmt: skip
def test_a_file_without_stock_of_the_list_is_refused(content: str, fault: str) -> None:
    assert faults(content) == [(1, fault)]


def test_what_a_header_says_and_is_set_elsewhere_is_told() -> None:
    header = "<use-bundle-inventory-only>1</use-bundle-inventory-only><on-order>true</on-order>"
    content = lists(block("web", records(("A", 1)), header=header)).replace(
        "<default-instock>false", "<default-instock>true"
    )
    notes: list[str] = []
    read_stock_file(BytesIO(content.encode()), list_=GROUP, notes=notes)
    assert notes == [
        "The file says use-bundle-inventory-only=true; the list's setting differs.",
        "The file says default-instock=true: SKUs without a record are for sale there."
        " Here the site's rule for unknown SKUs decides.",
    ]
    notes.clear()
    alike = InventoryList(id="web", use_bundle_inventory_only=True)
    quiet = content.replace("<default-instock>true", "<default-instock>0")
    read_stock_file(BytesIO(quiet.encode()), list_=alike, notes=notes)
    assert notes == []


def jsonl(*rows: Any) -> str:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


HEAD = {"location": "dc-east", "mode": "UPDATE"}
OTHER_DC = InventoryList(id="dc-west", list_type=ListType.LOCATION)


@pytest.mark.parametrize(
    ("list_", "rows", "figures"),
    [
        (DC, [HEAD, {"sku": "A", "onHand": 5}], {"A": 5}),
        (DC, [{"location": "dc-east"}, {"sku": "A", "onHand": 5}], {"A": 5}),
        (DC, [{"location": "x"}, {"sku": "A", "onHand": 7}, HEAD, {"sku": "A", "onHand": 5}],
         {"A": 5}),
        (DC, [HEAD, {"sku": "A", "onHand": 5}, {"location": "x"}, {"sku": "A", "onHand": 7}],
         {"A": 5}),
        (DC, [{"location": "dc-east", "sku": "A", "onHand": 5}], {"A": 5}),
        (DC, [{"location": "dc-east", "locationId": "dc-east", "sku": "A", "onHand": 5}],
         {"A": 5}),
        (DC, [HEAD, {"sku": "A", "onHand": 5, "futureStock": [{"quantity": 2.5}]}],
         {"A": D("7.5")}),
        (DC, [HEAD, {"sku": "A", "onHand": 5, "futures": None, "safetyStockCount": None}],
         {"A": 5}),
        (DC, [HEAD, {"sku": "A", "onHand": 5, "reserved": 4, "safetyStockCount": 2}], {"A": 0}),
        (DC, [HEAD, {"sku": "A", "onHand": 10, "reserved": 3, "ato": 6, "atf": 2}], {"A": 6}),
        (DC, [HEAD, {"sku": "A", "onHand": 5, "deltaType": "Delete"}], {"A": 0}),
        (DC, [HEAD, {"sku": "A", "onHand": 999999999}], {"A": 999_999_999}),
        (DC, [HEAD, {"sku": "A", "onHand": 5.000}, {"sku": "0A", "onHand": 1}],
         {"A": 5, "0A": 1}),
        (DC, ['\ufeff{"locationId":"dc-east"}', '{"sku":"A","onHand":5}\r', ""], {"A": 5}),
        (GROUP, [{"groupId": "web"}, {"sku": "A", "ato": 5}, {"deltaToken": "t"}], {"A": 5}),
        (GROUP, [{"groupId": "x"}, {"sku": "A", "ato": 7}, {"groupId": "web"},
                 {"sku": "A", "ato": 5}, {"deltaToken": "t"}], {"A": 5}),
        (GROUP, [{"location": "n"}, {"sku": "A", "onHand": 2}, {"location": "s"},
                 {"sku": "A", "onHand": 3}], {"A": 5}),
        (DC, [{"locationId": "dc-east"}, {"sku": "A", "ato": 5, "onHand": 9}], {"A": 5}),
    ],
)  # fmt: skip
def test_lines_of_oci_that_are_read(
    list_: InventoryList, rows: list[Any], figures: dict[str, Any]
) -> None:
    assert read(jsonl(*rows), list_=list_) == figures


@pytest.mark.parametrize(
    ("list_", "rows", "fault"),
    [
        (DC, [{"sku": "A", "onHand": 5}], (1, "the locationId is missing")),
        (DC, [HEAD], (1, "the file holds no record")),
        (DC, [{"locationId": "dc-east"}, {"deltaToken": "t"}], (1, "the file holds no record")),
        (DC, [{"location": "x"}, {"sku": "A", "onHand": 7}],
         (1, "the file holds 'x' and no record of the list dc-east")),
        (GROUP, [{"groupId": "x"}, {"sku": "A", "ato": 7}],
         (1, "the file holds 'x' and no record of the list web")),
        (DC, [{"groupId": "dc-east"}, {"sku": "A", "ato": 7}],
         (1, "is of the group 'dc-east', and dc-east is a location")),
        (DC, [{"locationId": "x", "sku": "A", "onHand": 7}],
         (1, "the file holds 'x' and no record of the list dc-east")),
        (DC, [{"location": "dc-east", "mode": "DELETE"}], (1, "the mode 'DELETE' is unknown")),
        (DC, [{"locationId": "dc-east", "location": "x", "sku": "A"}], (1, "names two places")),
        (DC, [{"locationId": "dc-east", "groupId": "web"}], (1, "names two places")),
        (DC, [{"locationId": 7, "sku": "A"}], (1, "the locationId is missing")),
        (DC, [HEAD, {"sku": 12, "onHand": 5}], (2, SKU)),
        (DC, [HEAD, {"sku": "", "onHand": 5}], (2, SKU)),
        (DC, [HEAD, {"sku": "A", "onHand": "5"}], (2, "onHand is not a number")),
        (DC, [HEAD, {"sku": "A", "onHand": -5}],
         (2, "onHand is not a number from 0 with at most 3 decimals")),
        (DC, [HEAD, {"sku": "A", "ato": -5}],
         (2, "ato is not a number from 0 with at most 3 decimals")),
        (DC, [HEAD, '{"sku":"A","onHand":NaN}'], (2, "onHand is not a number")),
        (DC, [HEAD, '{"sku":"A","onHand":1,"onHand":9}'], (2, "gives the member 'onHand' twice")),
        (DC, [HEAD, {"sku": "A", "onHand": 1}, {"sku": "A", "onHand": 1}],
         (3, "the SKU A of dc-east is already in line 2")),
        (DC, [HEAD, "[]"], (2, "is not a JSON object in UTF-8")),
        (DC, [{"status": "COMPLETED_WITHOUT_ERRORS"}], (1, SKU)),
        (GROUP, [{"groupId": "web"}, {"sku": "A", "ato": 5}, {"locationId": "n"},
                 {"sku": "A", "ato": 5}],
         (4, "is of a group, and other lines are of locations: stock would count twice")),
    ],
)  # fmt: skip
def test_lines_of_oci_that_are_refused_say_why(
    list_: InventoryList, rows: list[Any], fault: tuple[int, str]
) -> None:
    assert faults(jsonl(*rows), list_=list_)[:1] == [fault]


def test_the_cases_of_stock() -> None:
    us = InventoryList(id="shop-us-stock")
    wickenburg = InventoryList(id="wickenburg", list_type=ListType.LOCATION)

    def case(name: str, file: str, list_: InventoryList) -> dict[str, D]:
        return read((CASES / name / file).read_bytes(), list_=list_)

    assert case("inventory-delete-mode", "stock.xml", us) == {"A1": 5, "A2": 0}
    assert case("oci-legacy-layout", "stock.jsonl", wickenburg) == {"MUG-1": 11, "MUG-2": 5}
    assert case("csv-empty-rows", "stock.csv", us) == {"A1": 5}
    with pytest.raises(StockRefused) as refused:
        case("inventory-own-list-empty", "stock.xml", us)
    assert [bad.message for bad in refused.value.bad] == ["the list shop-us-stock holds no record"]
    assert read((CASES / "inventory-own-list-empty" / "stock.xml").read_bytes(),
                list_=InventoryList(id="other-stock")) == {"A1": 777}  # fmt: skip
