"""Files with the habits of spreadsheets, databases and shops, by the commands that people use.

Each trial says what must be placed or imported, or which words the refusal has.
"""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders.models import InventoryList, InventoryRecord, ListType, OrderItem
from tests import factories
from tests.engine import D, set_connection
from tests.reconciliation.import_command import run

pytestmark = pytest.mark.django_db

HEAD = "orderNo,sku,quantity,basePrice\n"
ROW = "1,A,2,5\n"
PLACED = {"1": {"A": 2}}
SHORTENED = "was shortened by a spreadsheet; format its column as text"
SHOWN_AS_ERROR = "is an error of a spreadsheet"
APOSTROPHE = "begins with the apostrophe of a spreadsheet; save it without"
IN_QUOTES = "includes its quotation marks; write no space before a quote"
UTF_16 = "is in UTF-16; save it in UTF-8"


@pytest.fixture(autouse=True)
def shop() -> None:
    set_connection("OFFLINE")
    factories.make_site(stock=dict.fromkeys(("A", "B", "00012", "SHIRT-M", "KIT", "85123A"), 50))


def placed() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for item in OrderItem.objects.select_related("order"):
        found.setdefault(item.order.order_no, {})[item.sku] = item.quantity
    return found


def trial(folder: Path, content: str | bytes, name: str, *args: str) -> tuple[int, str]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = run(path, *args)
    return code, out + err


READ: dict[str, tuple[str | bytes, Any]] = {
    "carriage returns only": (HEAD.replace("\n", "\r") + "1,A,2,5\r", PLACED),
    "two byte order marks": ("\ufeff\ufeff" + HEAD + ROW, PLACED),
    "an empty line before semicolons": ("\n" + (HEAD + ROW).replace(",", ";"), PLACED),
    "an empty row before semicolons": (",,,\n" + (HEAD + ROW).replace(",", ";"), PLACED),
    "SEP= in capitals": ("SEP=;\n" + (HEAD + ROW).replace(",", ";"), PLACED),
    "sep= in quotes": ('"sep=;"\r\n' + (HEAD + ROW).replace(",", ";"), PLACED),
    "sep= with cells after it": ("sep=;;;;\n" + (HEAD + ROW).replace(",", ";"), PLACED),
    "zeros kept by a formula": (HEAD + '="1",="00012",2,5\n', {"1": {"00012": 2}}),
    "the same in quotes": (HEAD + '"=""1""","=""00012""","=""2""",5\n', {"1": {"00012": 2}}),
    "the end mark of DOS": (HEAD + ROW + "\x1a", PLACED),
    "a date with the year first": (
        "orderNo,sku,quantity,basePrice,creationDate\n1,A,2,5,2024/1/25 13:23\n",
        PLACED,
    ),
    "Latin-1 in a name": (
        "orderNo,sku,quantity,basePrice,productName\n1,A,2,5,£5 mug\n".encode("latin-1"),
        PLACED,
    ),
    "Windows-1252 where nobody reads": (
        "orderNo,sku,quantity,basePrice,note\n1,A,2,5,€ – ok\n".encode("cp1252"),
        PLACED,
    ),
    "the retail set in Latin-1": (
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice\n"
        "1,85123A,£5 HEART,6,12/1/2010 8:26,2.55\n".encode("latin-1"),
        {"1": {"85123A": 6}},
    ),
    "an index that pandas wrote": (",orderNo,sku,quantity,basePrice\n0,1,A,2,5\n", PLACED),
}


@pytest.mark.parametrize("name", READ)
def test_a_table_is_read(name: str, tmp_path: Path) -> None:
    content, wanted = READ[name]
    assert trial(tmp_path, content, "orders.csv")[0] == 0
    assert placed() == wanted


def test_bytes_that_are_no_utf8_in_a_name_are_shown_as_they_were_meant(tmp_path: Path) -> None:
    content = "orderNo,sku,quantity,basePrice,productName\n1,A,2,5,£5 – Müg\n".encode("cp1252")
    rejects = tmp_path / "rejects.csv"
    assert trial(tmp_path, content, "orders.csv", f"--rejects={rejects}")[0] == 0
    assert OrderItem.objects.get().product_name == "£5 – Müg"
    content = content.replace(b"1,A,2", b"2,A,x")
    assert trial(tmp_path, content, "orders.csv", f"--rejects={rejects}")[0] == 1
    assert "£5 – Müg" in rejects.read_text("utf-8-sig")


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "UTF-16 without a mark": ((HEAD + ROW).encode("utf-16-le"), UTF_16),
    "the other UTF-16": ((HEAD + ROW).encode("utf-16-be"), UTF_16),
    "a number of pandas": (HEAD + "1.23e+16,A,2,5\n", f"the order number {SHORTENED}"),
    "a SKU of pandas": (HEAD + "1,1.23e+16,2,5\n", f"the SKU in line 2 {SHORTENED}"),
    "an error in German": (HEAD + "1,#WERT!,2,5\n", f"the SKU in line 2 {SHOWN_AS_ERROR}"),
    "not available in German": (HEAD + "#NV,A,2,5\n", f"the order number {SHOWN_AS_ERROR}"),
    "an error in Spanish": (HEAD + "1,#¡VALOR!,2,5\n", f"the SKU in line 2 {SHOWN_AS_ERROR}"),
    "a date too wide for its column": (
        "orderNo,sku,quantity,creationDate\n1,A,2,########\n",
        f"the creationDate '########' {SHOWN_AS_ERROR}",
    ),
    "an apostrophe before a SKU": (HEAD + "1,'00012,2,5\n", f"the SKU in line 2 {APOSTROPHE}"),
    "an apostrophe before a number": (HEAD + "'1001,A,2,5\n", f"the order number {APOSTROPHE}"),
    "a space before quotes": (HEAD + '1, "A", 2, 5\n', f"the SKU in line 2 {IN_QUOTES}"),
    "a number in quotes": (
        'sku, orderNo, quantity\nA, "1", 2\n',
        f"the order number {IN_QUOTES}",
    ),
    "Latin-1 in a SKU": (HEAD.encode() + b"1,\xc4,2,5\n", "is not in UTF-8; save the file"),
    "money given back, the order paid": (
        "Name,Financial Status,Total,Lineitem quantity,Lineitem sku,Refunded Amount\n"
        "#1,paid,20,2,A,10.00\n",
        "money was given back: Refunded Amount is '10.00'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_that_is_refused_says_why(name: str, tmp_path: Path) -> None:
    content, words = REFUSED[name]
    code, told = trial(tmp_path, content, "orders.csv")
    assert code in (1, 2)
    assert words in told
    assert placed() == {}


@pytest.mark.parametrize("name", ["'90s-tee", 'TV-32"', "5E+", "#1001", "1e5", "E+10", "'tis"])
def test_names_that_only_look_like_mangled_ones_are_read(name: str, tmp_path: Path) -> None:
    cell = '"' + name.replace('"', '""') + '"'
    assert trial(tmp_path, f"{HEAD}{cell},A,2,5\n", "orders.csv")[0] == 0
    assert placed() == {name: {"A": 2}}


MAGENTO = "increment_id,state,product_type,sku,qty_ordered,price,grand_total\n"
TWICE = (
    "other lines may be its parts, which would count twice; export the columns item_id and"
    " parent_item_id as well"
)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("1,new,configurable,SHIRT-M,2,5,10\n1,new,simple,SHIRT-M,2,0,10\n", TWICE),
        ("1,new,simple,A,2,0,10\n1,new,bundle,KIT,1,9,10\n", TWICE),
        ("1,new,configurable,SHIRT-M,2,5,10\n", {"1": {"SHIRT-M": 2}}),
        ("1,new,configurable,SHIRT-M,2,5,10\n2,new,simple,A,2,0,10\n",
         {"1": {"SHIRT-M": 2}, "2": {"A": 2}}),
    ],
)  # fmt: skip
def test_products_made_of_others_never_count_twice(rows: str, wanted: Any, tmp_path: Path) -> None:
    code, told = trial(tmp_path, MAGENTO + rows, "orders.csv")
    if isinstance(wanted, str):
        assert (code, placed()) == (1, {})
        assert wanted in told
    else:
        assert (code, placed()) == (0, wanted)


def test_a_null_of_a_database_says_that_nothing_was_given_back(tmp_path: Path) -> None:
    for number, null in (("1", "NULL"), ("2", "\\N")):
        rows = f"increment_id,state,sku,qty_ordered,price,qty_canceled\n{number},new,A,2,5,{null}\n"
        assert trial(tmp_path, rows, "orders.csv")[0] == 0
    assert placed() == {"1": {"A": 2}, "2": {"A": 2}}


ORDER = {"orderNo": "1", "currency": "EUR", "orderTotal": 10}
ITEM = {"productId": "A", "quantity": 2}


def text(**members: Any) -> str:
    return json.dumps({**ORDER, "productItems": [ITEM], **members})


MANY = [{"data": {**ORDER, "orderNo": str(n), "productItems": [ITEM], "c_": "y" * 900_000}}
        for n in range(3)]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (text()[:-1] + ', "c_weight": 1e400}', PLACED),
        (text()[:-1] + f', "c_id": {"9" * 5000}' + "}", PLACED),
        (text().replace('"quantity": 2', '"quantity": 2, "basePrice": 1e300'), PLACED),
        (text().replace('"quantity": 2', '"quantity": 2, "basePrice": 1e-300'), PLACED),
        (json.dumps({"order": json.loads(text())}), PLACED),
        (json.dumps({"query": {"x": {}}, "hits": MANY}), {str(n): {"A": 2} for n in range(3)}),
    ],
    ids=["weight", "long id", "huge price", "tiny price", "order in an order", "one long line"],
)
def test_json_that_is_read(content: str, wanted: Any, tmp_path: Path) -> None:
    assert trial(tmp_path, content, "orders.json")[0] == 0
    assert placed() == wanted


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (text().replace('"quantity": 2', '"quantity": 1e300'),
         "productItems[0].quantity: the number 1e300 is out of range"),
        (text(orderTotal=7).replace("7", "1e300"), "orderTotal: the number 1e300 is out of range"),
        (text(orderNo=7).replace("7", "1e300"), "orderNo: use text"),
        (text().encode("utf-16-le"), UTF_16),
    ],
    ids=["quantity", "total", "number of the order", "UTF-16"],
)  # fmt: skip
def test_json_that_is_refused_says_why(content: str | bytes, words: str, tmp_path: Path) -> None:
    code, told = trial(tmp_path, content, "orders.json")
    assert code in (1, 2)
    assert words in told
    assert placed() == {}


def test_a_packed_file_is_read_whatever_its_suffix_is_written_like(tmp_path: Path) -> None:
    assert trial(tmp_path, gzip.compress((HEAD + ROW).encode()), "ORDERS.CSV.GZ")[0] == 0
    assert placed() == PLACED


def stock(
    folder: Path, content: str | bytes, *, kind: ListType = ListType.GROUP, name: str = "stock"
) -> tuple[int, str]:
    InventoryList.objects.get_or_create(id="own", defaults={"list_type": kind})
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_inventory", str(path), inventory_list="own", stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{err.getvalue()}{error}"
    return 0, out.getvalue()


def figures() -> dict[str, D]:
    records = InventoryRecord.objects.filter(inventory_list_id="own")
    return dict(records.values_list("sku", "ato"))


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("\ufeff\ufeffsku,ato\nA,5\n", {"A": 5}),
        ("\nsku;ato\nA;5\n", {"A": 5}),
        ("SEP=;\nsku;ato\nA;5\n", {"A": 5}),
        ('sku,ato\n="00012","=""5"""\n', {"00012": 5}),
        ("sku,ato\r\nA,5\r\n\x1a", {"A": 5}),
    ],
)
def test_a_table_of_stock_is_read(content: str, wanted: Any, tmp_path: Path) -> None:
    assert stock(tmp_path, content)[0] == 0
    assert figures() == wanted


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sku,ato\n'00012,5\n", APOSTROPHE),
        ('sku, ato\nB, 6\n "A", 5\n', IN_QUOTES),
        ("sku,ato\n1.2e+16,5\n", SHORTENED),
        ("sku;ato\n#NV;5\n", SHOWN_AS_ERROR),
        (b"sku,ato\n\xc41,5\n", "the SKU is not in UTF-8; save the file in UTF-8"),
        ("sku,ato\nA,5\n".encode("utf-16-le"), UTF_16),
        ('{"locationId":"own","sku":"A","onHand":5}'.encode("utf-16-be"), UTF_16),
    ],
)
def test_stock_that_is_refused_says_why(content: str | bytes, words: str, tmp_path: Path) -> None:
    code, told = stock(tmp_path, content)
    assert code == 1
    assert words in told
    assert figures() == {}


def test_a_name_in_latin_1_is_kept_as_it_was_meant(tmp_path: Path) -> None:
    assert stock(tmp_path, "sku,ato,name\nA,5,Zoë\n".encode("latin-1"))[0] == 0
    assert InventoryRecord.objects.get(inventory_list_id="own").product_name == "Zoë"


UNLIMITED = 999_999_999


@pytest.mark.parametrize(
    "rows",
    [
        [{"locationId": "n", "sku": "A", "onHand": UNLIMITED},
         {"locationId": "s", "sku": "A", "onHand": UNLIMITED}],
        [{"locationId": "n", "sku": "A", "onHand": UNLIMITED},
         {"locationId": "s", "sku": "A", "onHand": 5}],
        [{"locationId": "n", "sku": "A", "onHand": 5},
         {"locationId": "s", "sku": "A", "onHand": UNLIMITED, "safetyStockCount": 2}],
        [{"locationId": "n", "sku": "A", "onHand": UNLIMITED, "futures": [{"quantity": 5}]}],
        [{"groupId": "own"}, {"sku": "A", "ato": UNLIMITED, "reserved": 3}],
    ],
    ids=["twice", "and five", "with safety stock", "with futures", "in an export"],
)  # fmt: skip
def test_unlimited_stock_stays_unlimited(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    assert stock(tmp_path, "".join(f"{json.dumps(row)}\n" for row in rows))[0] == 0
    assert figures() == {"A": UNLIMITED}
