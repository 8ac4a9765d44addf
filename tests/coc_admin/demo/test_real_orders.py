"""Orders of a file as the demo replays them: each is replayed, or refused with a reason."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from coc_admin.demo import real_orders
from coc_admin.demo.real_orders import Refusal, UnreadableFile
from tests.sources import REAL_DAY

HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.csv"


def load(path: Path, *lines: str) -> real_orders.RealOrders:
    path.write_text("\n".join((HEADING, *lines)) + "\n")
    return real_orders.load(path)


def test_an_invoice_becomes_one_order_in_the_shape_of_the_api(path: Path) -> None:
    found = load(
        path,
        '536365,85123A,"WHITE HANGING HEART, T-LIGHT",6,2010-12-01 08:26:00,2.55,17850.0,France',
        "536365,71053,LANTERN,3,2010-12-01 08:26:00,0.0,17850.0,France",
        "536366,22633,HAND WARMER,1,2010-12-01 08:28:00,1.85,,United Kingdom",
    )
    assert found.refused == []
    assert [order["orderNo"] for order in found.orders] == ["536365", "536366"]
    assert found.orders[0] == {
        "orderNo": "536365",
        "creationDate": "2010-12-01T08:26:00+00:00",
        "currency": "GBP",
        "customerInfo": {"customerId": "17850"},
        "productItems": [
            {
                "productId": "85123A",
                "productName": "WHITE HANGING HEART, T-LIGHT",
                "quantity": 6,
                "basePrice": 2.55,
            },
            {"productId": "71053", "productName": "LANTERN", "quantity": 3, "basePrice": 0},
        ],
        "orderTotal": 15.3,
    }
    assert "customerInfo" not in found.orders[1]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("12/1/2010 8:26", "2010-12-01T08:26:00+00:00"),
        ("12/1/10 8:26", "2010-12-01T08:26:00+00:00"),
        ("2010-12-01 08:26:00", "2010-12-01T08:26:00+00:00"),
        ("2011-06-09 09:00:00", "2011-06-09T09:00:00+01:00"),
    ],
)
def test_dates_are_read_as_the_set_is_published(path: Path, written: str, read: str) -> None:
    found = load(path, f"600001,10002,BLUE MUG,6,{written},3.39,10001,United Kingdom")
    assert found.refused == []
    assert found.orders[0]["creationDate"] == read


def test_what_is_no_order_is_refused_with_line_and_reason(path: Path) -> None:
    found = load(
        path,
        "C536379,85123A,HEART,-1,2010-12-01 09:41:00,2.55,14527.0,United Kingdom",
        "536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France",
        "536370,22728,ALARM CLOCK,24,2010-12-01 08:45:00,3.75,12583.0,France",
        "536371,22086,damaged,-10,2010-12-01 09:00:00,0.0,,United Kingdom",
        "536372,22086,CHAIN,many,2010-12-01 09:00:00,1.0,,United Kingdom",
    )
    assert [(one.line, one.order_no) for one in found.refused] == [
        (2, "C536379"),
        (5, "536371"),
        (6, "536372"),
    ]
    assert [one.reason for one in found.refused][:2] == [
        "the invoice is a cancellation",
        "22086: quantity -10",
    ]
    assert found.left_out == [Refusal(3, "536370", "the stock code 'POST' is not a product")]
    assert [(order["orderNo"], order["orderTotal"]) for order in found.orders] == [("536370", 90)]


def test_line_numbers_count_the_lines_of_the_file_even_inside_quotes(path: Path) -> None:
    found = load(
        path,
        '1,22086,"TWO\nLINES",1,2010-12-01 09:00:00,1,,France',
        "2,M,Manual,1,2010-12-01 09:00:00,1,,France",
    )
    assert [order["orderNo"] for order in found.orders] == ["1"]
    assert [one.line for one in found.left_out] == [4]
    assert found.refused[0].order_no == "2"


def test_demand_sums_a_sku_over_lines_and_orders(path: Path) -> None:
    found = load(
        path,
        "1,22086,CHAIN,1,2010-12-01 09:00:00,1,,France",
        "1,22086,CHAIN,2,2010-12-01 09:00:00,1,,France",
        "2,22086,,4,2010-12-01 09:00:00,1,,France",
        "2,22087A,LAMP,1,2010-12-01 09:00:00,1,,France",
    )
    assert real_orders.demand(found.orders) == {"22086": 7, "22087A": 1}
    assert found.product_names() == {"22086": "CHAIN", "22087A": "LAMP"}


def test_a_file_of_another_kind_is_replayed_as_well(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text('{"orderNo": "1", "productItems": [{"productId": "A", "quantity": 1.5}]}\n')
    found = real_orders.load(path)
    assert [order["orderNo"] for order in found.orders] == ["1"]
    assert real_orders.demand(found.orders) == {"A": 2}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "cannot be read: No such file or directory"),
        ("plain.csv.gz", b"no gzip at all", "cannot be read: the compressed file is damaged"),
        (
            "torn.csv.gz",
            gzip.compress(b"x" * 9000, mtime=0)[:-9],
            "cannot be read: the compressed file",
        ),
        ("other.csv", b"a,b\n1,2\n", "cannot be read: line 1: .*orderNo"),
    ],
)
def test_an_unreadable_file_is_told_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=message):
        real_orders.load(path)


def test_a_real_day_is_taken_whole() -> None:
    found = real_orders.load(REAL_DAY)
    assert len(found.orders) == len({order["orderNo"] for order in found.orders}) == 113
    # Of 3,597 lines 62 are of cancelled invoices, 14 are no products, and 7 are of negative units.
    assert sum(len(order["productItems"]) for order in found.orders) == 3597 - 62 - 14 - 7
    assert max(len(order["productItems"]) for order in found.orders) == 541
    assert sum("quantity -" in one.reason for one in found.refused) == 7
