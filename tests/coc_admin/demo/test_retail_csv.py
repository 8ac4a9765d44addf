"""Reading invoice lines as orders: nothing is lost, and each refusal says why."""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from coc_admin.demo import retail_csv
from coc_admin.demo.retail_csv import Reason, Refusal, RetailFileError
from tests.sources import REAL_DAY

HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def parse(*lines: str) -> retail_csv.RetailFile:
    return retail_csv.parse(io.StringIO("\n".join((HEADING, *lines)) + "\n", newline=""))


def test_an_invoice_becomes_one_order_in_the_shape_of_the_api() -> None:
    found = parse(
        '536365,85123A,"WHITE HANGING HEART, T-LIGHT",6,2010-12-01 08:26:00,2.55,17850.0,France',
        "536366,22633,HAND WARMER,1,2010-12-01 08:28:00,1.85,,United Kingdom",
        "536365,71053,LANTERN,3,2010-12-01 08:26:00,0.0,17850.0,France",
    )

    assert found.refusals == []
    assert found.line_count == 3
    assert [order.order_no for order in found.orders] == ["536365", "536366"]
    assert json.loads(found.orders[0].body()) == {
        "orderNo": "536365",
        "creationDate": "2010-12-01T08:26:00+00:00",
        "currency": "GBP",
        "customerInfo": {"country": "France", "customerId": "17850"},
        "productItems": [
            {
                "itemId": "line-2",
                "productId": "85123A",
                "productName": "WHITE HANGING HEART, T-LIGHT",
                "quantity": 6,
                "basePrice": 2.55,
                "price": 15.3,
            },
            {
                "itemId": "line-4",
                "productId": "71053",
                "productName": "LANTERN",
                "quantity": 3,
                "basePrice": 0,
                "price": 0,
            },
        ],
        "orderTotal": 15.3,
    }
    assert "customerId" not in found.orders[1].payload()["customerInfo"]


@pytest.mark.parametrize("written", ["12/1/2010 8:26", "12/1/10 8:26", "2010-12-01 08:26:00"])
def test_dates_are_read_as_the_set_is_published(written: str) -> None:
    found = parse(f"600001,10002,BLUE MUG,6,{written},3.39,10001,United Kingdom")
    assert found.refusals == []
    assert found.orders[0].payload()["creationDate"] == "2010-12-01T08:26:00+00:00"


def test_what_is_no_order_is_refused_with_line_and_reason() -> None:
    found = parse(
        "C536379,85123A,HEART,-1,2010-12-01 09:41:00,2.55,14527.0,United Kingdom",
        "536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France",
        "536370,22728,ALARM CLOCK,24,2010-12-01 08:45:00,3.75,12583.0,France",
        "536371,22086,damaged,-10,2010-12-01 09:00:00,0.0,,United Kingdom",
        "536372,22086,CHAIN,many,2010-12-01 09:00:00,1.0,,United Kingdom",
        "536373,22086,CHAIN,1,2010-12-01 09:00:00,nan,,United Kingdom",
        "536374,22086,CHAIN,1,2010-12-01 09:00:00,-1,,United Kingdom",
        "../etc,22086,CHAIN,1,2010-12-01 09:00:00,1,,United Kingdom",
        "536375,22086,CHAIN,1,2010-12-01 09:00:00,1,,United Kingdom,more",
        "536376,22086",
    )

    assert [(refusal.line, refusal.reason) for refusal in found.refusals] == [
        (2, Reason.CANCELLATION),
        (3, Reason.NOT_A_PRODUCT),
        (5, Reason.QUANTITY),
        (6, Reason.UNREADABLE),
        (7, Reason.UNREADABLE),
        (8, Reason.UNREADABLE),
        (9, Reason.UNREADABLE),
        (10, Reason.UNREADABLE),
        (11, Reason.UNREADABLE),
    ]
    assert found.refusals[1] == Refusal(3, "536370", Reason.NOT_A_PRODUCT, "stock code 'POST'")
    assert [(order.order_no, order.total) for order in found.orders] == [("536370", Decimal(90))]


def test_line_numbers_count_the_lines_of_the_file_even_inside_quotes() -> None:
    found = parse(
        '1,22086,"TWO\nLINES",1,2010-12-01 09:00:00,1,,France',
        "2,M,Manual,1,2010-12-01 09:00:00,1,,France",
    )

    assert found.orders[0].items[0].line == 2
    assert [refusal.line for refusal in found.refusals] == [4]


def test_demand_sums_a_sku_over_lines_and_orders() -> None:
    found = parse(
        "1,22086,CHAIN,1,2010-12-01 09:00:00,1,,France",
        "1,22086,CHAIN,2,2010-12-01 09:00:00,1,,France",
        "2,22086,,4,2010-12-01 09:00:00,1,,France",
        "2,22087A,LAMP,1,2010-12-01 09:00:00,1,,France",
    )

    assert found.demand() == {"22086": 7, "22087A": 1}
    assert found.product_names() == {"22086": "CHAIN", "22087A": "LAMP"}


def test_summer_time_of_the_shop_is_kept_in_the_creation_date() -> None:
    found = parse("1,22086,CHAIN,1,2011-06-09 09:00:00,1,,France")

    assert found.orders[0].payload()["creationDate"] == "2011-06-09T09:00:00+01:00"


def test_a_file_without_the_columns_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("a,b\n1,2\n")

    with pytest.raises(RetailFileError, match=r"^The heading lacks InvoiceNo, StockCode"):
        retail_csv.load(path)


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
        ("latin.csv", b"InvoiceNo,\xe9\n", "is not UTF-8 text"),
    ],
)
def test_an_unreadable_file_is_told_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(RetailFileError, match=message):
        retail_csv.load(path)


def test_a_real_day_is_taken_whole() -> None:

    found = retail_csv.load(REAL_DAY)

    assert found.line_count == 3597
    assert sum(len(order.items) for order in found.orders) + len(found.refusals) == 3597
    assert found.refused_by_reason() == {
        Reason.CANCELLATION: 62,
        Reason.NOT_A_PRODUCT: 14,
        Reason.QUANTITY: 7,
    }
    assert len(found.orders) == len({order.order_no for order in found.orders})
    assert max(len(order.items) for order in found.orders) == 541
