"""Order files in plain CSV as people and spreadsheets write them: what comes out of each."""

from __future__ import annotations

from typing import Any

import pytest

from orders.imports.csv_dates import iso_date
from tests.orders.imports.read_orders import BERLIN, PLAIN, fault, lines, one, refused

AMBIGUOUS = "may have decimals or thousands; write it without a separator"


GROUPED = "has a comma or a thousands separator; write it as 1500 or 1.5"


# In a file whose cells are separated by semicolons a comma may be the decimal point.
THOUSANDS = "has a thousands separator; write it as 1500, 1.5 or 1,5"


@pytest.mark.parametrize(
    ("content", "items", "total"),
    [
        ("orderNo,sku,quantity,basePrice\n1,A,1,5\n,,,\n,,,\n", [("A", 1)], 5),
        ("orderNo;sku;quantity;basePrice\n1;A;1,5;2,50\n", [("A", 1.5)], 3.75),
        ("orderNo\tsku\tquantity\tbasePrice\n1\tA\t2\t5\n", [("A", 2)], 10),
        ("sep=;\norderNo;sku;quantity;basePrice\n1;A;2;5\n", [("A", 2)], 10),
        ("\ufefforderNo,sku,quantity,basePrice\r\n1,A, 2 ,5\r\n", [("A", 2)], 10),
        ("orderNo,sku,quantity,basePrice,,\n1,A,2,5,,\n", [("A", 2)], 10),
        ("orderNo,sku,quantity,basePrice,productName\n1,A,2,5,\"a\nb\"\n1,B,1,1,c\n",
         [("A", 2), ("B", 1)], 11),
        ("orderNo,sku,quantity,basePrice\n1,00012,2.000,5\n", [("00012", 2)], 10),
        ("orderNo,sku,quantity,price\n1,A,2,-3\n1,B,1,5\n", [("A", 2), ("B", 1)], 2),
        ("orderNo,sku,quantity,orderTotal\n1,A,2,606.55\n1,B,1,606.550\n1,C,1,\n",
         [("A", 2), ("B", 1), ("C", 1)], 606.55),
        ("orderNo,sku,quantity,basePrice,orderTotal\n1,A,2,NaN,9\n", [("A", 2)], 9),
        ("ORDERNO,SKU,Quantity,BasePrice\n1,A,2,5\n", [("A", 2)], 10),
    ],
)  # fmt: skip
def test_plain_csv_that_is_read(content: str, items: list[Any], total: float) -> None:
    document = one(content)
    assert (lines(document), document["orderTotal"]) == (items, total)
    assert (document["orderNo"], document["currency"]) == ("1", "EUR")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('1,A,"1,5",5,5,,', f"the quantity '1,5' in line 2 {GROUPED}"),
        ('1,A,"1,500",5,5,,', f"the quantity '1,500' in line 2 {GROUPED}"),
        ("1,A,1e3,5,5,,", "the quantity '1e3' in line 2 was shortened by a spreadsheet;"
                          " format its column as text or number"),
        ("1,A,NaN,5,5,,", "the quantity 'NaN' in line 2 is not a number"),
        ("1,A,#N/A,5,5,,", "the quantity '#N/A' in line 2 is not a number"),
        ("1.23E+12,A,1,5,5,,",
         "the order number was shortened by a spreadsheet; format its column as text"),
        ("1,4.00E+12,1,5,5,,",
         "the SKU in line 2 was shortened by a spreadsheet; format its column as text"),
        ("1,#REF!,1,5,5,,", "the SKU in line 2 is an error of a spreadsheet"),
        ("1,A,1,5,many,,", "the orderTotal 'many' is not a number"),
        ('1,A,1,5,"1,234.50",,', f"the orderTotal '1,234.50' {GROUPED}"),
        ("1,A,1,gratis,,,", "has no orderTotal, and a price of its items is not a number"),
        ("1,A,1,5,5,12/1/2010 8:26,",
         "the creationDate '12/1/2010 8:26' may have the day or the month first;"
         " --dates says which"),
        ("1,A,1,5,5,40513.35,", "the creationDate '40513.35' is a spreadsheet's number for a"
                                " date; format its column as a date"),
        ("1,A,1,5,5,yesterday,", "the creationDate 'yesterday' is not a readable date; write"
                                 " 2026-02-02T12:00:00Z"),
    ],
)  # fmt: skip
def test_plain_csv_that_is_refused_says_why(row: str, why: str) -> None:
    assert fault(PLAIN + row + "\n") == why


def test_numbers_that_may_be_two_are_not_guessed() -> None:
    head = "orderNo;sku;quantity;basePrice\n"
    for text in ("1.500", "1,500"):
        assert fault(f"{head}1;A;{text};5\n") == f"the quantity '{text}' in line 2 {AMBIGUOUS}"
    assert fault(f"{head}1;A;1.500,5;5\n") == f"the quantity '1.500,5' in line 2 {THOUSANDS}"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1,A,1,5,5,,EUR\n1,B,1,5,5,,USD", "the currency in line 3 is 'USD', before it 'EUR'"),
        ("1,A,1,5,5,,\n1,B,1,5,6,,", "the orderTotal in line 3 is '6', before it '5'"),
    ],
)
def test_an_order_that_contradicts_itself_is_none(row: str, why: str) -> None:
    assert fault(PLAIN + row + "\n") == why


@pytest.mark.parametrize(
    ("content", "bad"),
    [
        ("", [(1, "the file holds no order")]),
        (PLAIN, [(1, "the file holds no order")]),
        (PLAIN + ",,,,,,\n", [(1, "the file holds no order")]),
        ("orderNo,sku,quantity\n1,A,1,x\n", [(2, "has 4 values, not 3")]),
        ("orderNo,sku,quantity\n,A,1\n", [(2, "has no order number")]),
        ("orderNo,sku,quantity,sku\n1,A,1,B\n", [(1, "names the column 'sku' more than once")]),
        ("orderNo,quantity\n1,1\n",
         [(1, "has no column 'sku' for sku (it has 'orderNo', 'quantity');"
              " the first line names the columns, and --map of the command says what they are"
              " called")]),
        (PLAIN.encode("utf-16"), [(1, "is in UTF-16; save it in UTF-8")]),
        (b"PK\x03\x04", [(1, "is a spreadsheet or an archive; save it as CSV in UTF-8")]),
        ("orderNo,sku,quantity\n1,M\xfcG,1\n".encode("cp1252"),
         [(2, "is not in UTF-8; save the file in UTF-8")]),
    ],
)  # fmt: skip
def test_a_csv_file_that_cannot_be_read_is_refused(
    content: str | bytes, bad: list[tuple[int, str]]
) -> None:
    assert refused(content) == bad


@pytest.mark.parametrize(
    ("text", "zone", "month_first", "iso"),
    [
        ("2024-01-25 13:23:17 +0100", None, None, "2024-01-25T13:23:17+01:00"),
        ("2024-01-25 13:23:17 UTC", BERLIN, None, "2024-01-25T13:23:17+00:00"),
        ("2024-07-25 13:23", BERLIN, None, "2024-07-25T13:23:00+02:00"),
        ("2024-01-25T13:23:17.123Z", BERLIN, None, "2024-01-25T13:23:17.123Z"),
        ("2024-01-25 13:23:17", None, None, "2024-01-25 13:23:17"),
        ("2024-01-25", BERLIN, None, "2024-01-25T00:00:00+01:00"),
        ("12/1/2010 8:26", None, True, "2010-12-01T08:26:00"),
        ("12/1/10 8:26", None, True, "2010-12-01T08:26:00"),
        ("12/1/2010 8:26", None, False, "2010-01-12T08:26:00"),
        ("1/25/2024, 1:23:17 PM", None, True, "2024-01-25T13:23:17"),
        ("1/25/2024 12:05 AM", None, True, "2024-01-25T00:05:00"),
        ("25.01.2024 13:23", BERLIN, None, "2024-01-25T13:23:00+01:00"),
        ("25.01.2024", BERLIN, True, "2024-01-25T00:00:00+01:00"),
    ],
)
def test_dates_that_are_read(text: str, zone: Any, month_first: bool | None, iso: str) -> None:
    assert iso_date(text, zone=zone, month_first=month_first) == iso


@pytest.mark.parametrize(
    ("text", "month_first"),
    [
        ("12/1/2010", None), ("13/13/2010", True), ("31.02.2024", None), ("25/01/2024", True),
        ("45384.34789", None), ("45384", None), ("20240125", None), ("now", None), ("", None),
        ("1/25/2024 13:00 PM", True), ("2024-02-30", None), ("\x00", None), ("12-1/2010", True),
    ],
)  # fmt: skip
def test_dates_that_are_not_guessed(text: str, month_first: bool | None) -> None:
    with pytest.raises(ValueError, match=r"\A(is|may)"):
        iso_date(text, zone=None, month_first=month_first)
