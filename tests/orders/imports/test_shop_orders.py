"""Order files of known shops and data sets: what each profile reads and refuses."""

from __future__ import annotations

import io
import json

import pytest

from orders.imports.order_csv import CsvOptions, profile_of
from tests.orders.imports.read_orders import PLAIN, fault, lines, one, read, refused
from tests.sources import CASES

SHOPIFY = (
    "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem sku,Lineitem requires shipping,Lineitem fulfillment status,"
    "Billing Name,Cancelled at\n"
)


WOO = (
    "order_id,order_number,date,status,order_total,order_currency,customer_id,"
    "billing_first_name,billing_last_name,billing_email,item_name,item_sku,item_quantity,item_total,item_refunded_qty\n"
)


ADVANCED_WOO = (
    "Order Number,Order Status,Order Date,Last Name (Billing),Email (Billing),Order Total Amount,"
    "SKU,Item Name,Quantity (- Refund),Quantity,Item Cost\n"
)


MAGENTO = (
    "increment_id,created_at,state,status,order_currency_code,grand_total,customer_email,item_id,"
    "parent_item_id,product_type,sku,name,qty_ordered,qty_canceled,qty_refunded,price\n"
)


RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def shopify(*rows: str) -> str:
    return SHOPIFY + "".join(f"{row}\n" for row in rows)


def test_shopify_orders_have_lines_that_go_on() -> None:
    document = one(
        shopify(
            "#2220,ann@shop.example,paid,USD,606.55,2024-01-25 13:23:17 +0100,1,Shades 1,180.33,A1,"
            "true,pending,Ann Example,",
            "#2220,ann@shop.example,,,,2024-01-25 13:23:17 +0100,2,Shades 2,213.11,A2,true,,,",
        )
    )
    assert document == {
        "orderNo": "#2220",
        "creationDate": "2024-01-25T13:23:17+01:00",
        "currency": "USD",
        "customerInfo": {"customerName": "Ann Example", "email": "ann@shop.example"},
        "productItems": [
            {"productId": "A1", "productName": "Shades 1", "quantity": 1, "basePrice": 180.33},
            {"productId": "A2", "productName": "Shades 2", "quantity": 2, "basePrice": 213.11},
        ],
        "orderTotal": 606.55,
    }


def shopify_row(
    *, status: str = "paid", sku: str = "A1", ships: str = "true", state: str = "", ended: str = ""
) -> str:
    return shopify(f"#1,a@b.example,{status},USD,9,,1,Mug,9,{sku},{ships},{state},Ann,{ended}")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (shopify_row(ended="2024-01-26 10:00:00 +0100"),
         "the order was cancelled at 2024-01-26 10:00:00 +0100"),
        (shopify_row(status="refunded"), "the order is refunded already"),
        (shopify_row(status="partially_refunded"), "the order is partially-refunded already"),
        (shopify_row(status="voided"), "the order is voided already"),
        (shopify_row(status="odd"), "the Financial Status 'odd' is unknown"),
        (shopify_row(state="restocked"), "units were given back: the item was restocked"),
        (shopify_row(sku="", ships="false"),
         "none of its lines takes stock: line 2 has no SKU and is not shipped"),
    ],
)  # fmt: skip
def test_shopify_orders_that_were_undone_are_refused(content: str, why: str) -> None:
    assert fault(content) == why


@pytest.mark.parametrize("status", ["paid", "pending", "authorized", "partially_paid", ""])
def test_shopify_orders_that_stand_are_read(status: str) -> None:
    assert lines(one(shopify_row(status=status))) == [("A1", 1)]


def test_a_gift_card_without_sku_is_left_out_and_other_lines_without_are_refused() -> None:
    rows = [
        "#1,a@b.example,paid,USD,59,,1,Mug,9,A1,true,,Ann,",
        "#1,a@b.example,,,,,1,Gift card,50,,false,,,",
    ]
    (found,) = read(shopify(*rows))
    assert (lines(json.loads(found.body)), found.fault) == ([("A1", 1)], "")
    assert found.left_out == [(3, "has no SKU and is not shipped")]
    assert json.loads(found.body)["orderTotal"] == 59
    (found,) = read(shopify(rows[0], rows[1].replace("false", "true")))
    assert found.left_out == []
    assert "productId" not in json.loads(found.body)["productItems"][1]


def test_people_may_name_the_columns_and_cancelled_orders_stay_refused() -> None:
    columns = {"orderNo": "Name", "sku": "Lineitem sku", "quantity": "Lineitem quantity"}
    content = shopify_row(ended="2024-01-26")
    assert fault(content, columns=columns) == "the order was cancelled at 2024-01-26"
    assert lines(one(shopify_row(), columns={**columns, "price": "Total"})) == [("A1", 1)]


def test_woocommerce_orders() -> None:
    start = "77,1077,2024-07-25 13:23:17,processing,30.00,USD,5,Ann,Example,a@b.example"
    rows = f"{start},Mug,A1,2,20.00,0\n{start},Cup,A2,1,10.00,\n"
    assert one(WOO + rows) == {
        "orderNo": "1077",
        "creationDate": "2024-07-25T13:23:17+02:00",
        "currency": "USD",
        "customerInfo": {"customerId": "5", "customerName": "Ann Example", "email": "a@b.example"},
        "productItems": [
            {"productId": "A1", "productName": "Mug", "quantity": 2, "price": 20},
            {"productId": "A2", "productName": "Cup", "quantity": 1, "price": 10},
        ],
        "orderTotal": 30,
    }
    undone = {
        "cancelled": "the order is cancelled already",
        "wc-refunded": "the order is refunded already",
        "failed": "the order is failed already",
        "trash": "the order is trash already",
        "mystery": "the status 'mystery' is unknown",
    }
    for status, why in undone.items():
        assert fault(WOO + rows.replace("processing", status)) == why
    for status in ("completed", "on-hold", "wc-processing", "pending"):
        assert lines(one(WOO + rows.replace("processing", status))) == [("A1", 2), ("A2", 1)]
    back = WOO + rows.replace("20.00,0", "20.00,1")
    assert fault(back) == "units were given back: item_refunded_qty is '1'"


def test_the_advanced_export_of_woocommerce() -> None:
    row = "1077,On hold,2024-01-25 13:23,Example,a@b.example,20.00,A1,Mug,2,2,10.00\n"
    document = one(ADVANCED_WOO + row)
    assert (document["orderNo"], lines(document)) == ("1077", [("A1", 2)])
    assert document["creationDate"] == "2024-01-25T13:23:00+01:00"
    why = fault(ADVANCED_WOO + row.replace("2,2,10", "1,2,10"))
    assert why == "units were given back: '1' are left"


def test_magento_orders_count_each_product_once() -> None:
    start = "000000012,2024-01-25 13:23:17,processing,processing,USD,90.00,a@b.example"
    rows = (
        f"{start},1,,configurable,SHIRT-M,Shirt,1.0000,0.0000,0.0000,50.0000\n"
        f"{start},2,1,simple,SHIRT-M,Shirt M,1.0000,0.0000,0.0000,0.0000\n"
        f"{start},3,,bundle,KIT,Kit,1.0000,0.0000,0.0000,40.0000\n"
        f"{start},4,3,simple,CUP,Cup,2.0000,0.0000,0.0000,\n"
        f"{start},5,,downloadable,EBOOK,Book,1.0000,0.0000,0.0000,0.0000\n"
    )
    (found,) = read(MAGENTO + rows)
    document = json.loads(found.body)
    assert (found.fault, lines(document)) == ("", [("SHIRT-M", 1), ("CUP", 2)])
    assert (document["orderNo"], document["orderTotal"]) == ("000000012", 90)
    assert document["creationDate"] == "2024-01-25T13:23:17+00:00"
    assert found.left_out == [
        (2, "is configurable: its products have lines of their own"),
        (4, "is bundle: its products have lines of their own"),
        (6, "is downloadable and takes no stock"),
    ]
    for state, why in {
        "canceled": "the order is canceled already",
        "closed": "the order is closed already",
        "own_state": "the state 'own_state' is unknown",
    }.items():
        assert fault(MAGENTO + rows.replace("processing,processing", f"{state},x")) == why
    part = MAGENTO + f"{start},6,,simple,MUG,Mug,2.0000,1.0000,0.0000,9\n"
    assert fault(part) == "units were given back: qty_canceled is '1.0000'"


def test_the_online_retail_set_as_it_is_published() -> None:
    cancelled, found = sorted(
        read((CASES / "uci-online-retail-dates" / "orders.csv").read_bytes()),
        key=lambda order: order.order_no,
        reverse=True,
    )
    assert (found.order_no, found.fault) == ("600001", "")
    document = json.loads(found.body)
    assert lines(document) == [("10001A", 6), ("10002", 6)]
    assert (document["creationDate"], document["currency"], document["orderTotal"]) == (
        "2010-12-01T08:26:00+00:00", "GBP", 35.64,
    )  # fmt: skip
    assert (cancelled.order_no, cancelled.fault) == ("C600002", "the invoice is a cancellation")
    rows = (
        "600003,POST,POSTAGE,1,7/1/2011 8:26,18.0,17850.0,France\n"
        "600003,10002,MUG,2,7/1/2011 8:26,3,17850.0,France\n"
        "A600004,B,Adjust bad debt,1,7/1/11 8:26,-11062.06,,UK\n"
    )
    sold, adjusted = read(RETAIL + rows)
    assert sold.left_out == [(2, "the stock code 'POST' is not a product")]
    assert json.loads(sold.body)["customerInfo"] == {"customerId": "17850"}
    assert json.loads(sold.body)["creationDate"] == "2011-07-01T08:26:00+01:00"
    why = "none of its lines takes stock: line 4 the stock code 'B' is not a product"
    assert adjusted.fault == why


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (SHOPIFY, "shopify"), (WOO, "woocommerce"), (ADVANCED_WOO, "woocommerce"),
        (MAGENTO, "magento"), (RETAIL, "online-retail"),
        (RETAIL.replace(",", ";"), "online-retail"),
        (RETAIL.replace("InvoiceNo", "Invoice").replace("CustomerID", "Customer ID"),
         "online-retail"),
        ("\ufeff" + SHOPIFY.replace(",", "\t"), "shopify"),
        (PLAIN, ""), ("a,b\n", ""), ("", ""), ("orderNo,sku,quantity,Lineitem sku,Name\n", ""),
    ],
)  # fmt: skip
def test_a_profile_is_seen_from_the_columns(head: str, name: str) -> None:
    file = io.BytesIO(head.encode())
    assert profile_of(file, columns={}, options=CsvOptions()) == name
    assert profile_of(file, columns={"sku": "x"}, options=CsvOptions()) == ""


def test_a_profile_can_be_chosen_and_its_columns_named() -> None:
    content = "No,StockCode,Quantity,InvoiceDate,UnitPrice\n1,10002,2,12/1/10 8:26,3\n"
    document = one(content, profile="online-retail", columns={"orderNo": "No"})
    assert (document["orderNo"], document["orderTotal"]) == ("1", 6)
    bad = refused(content, profile="shopify")
    assert [line for line, _ in bad] == [1, 1, 1]
    assert bad[0][1].startswith("has no column 'Name' for orderNo")
