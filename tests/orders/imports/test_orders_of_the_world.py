"""Order files as shops, spreadsheets and vendors write them: what comes out of each."""

from __future__ import annotations

import io
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orders.imports.csv_dates import iso_date
from orders.imports.found_orders import FoundOrder, OrderFileRefused
from orders.imports.json_documents import elements
from orders.imports.order_csv import CsvOptions, profile_of
from orders.imports.order_files import kind_of, read_orders
from tests.orders.imports.test_order_files import export, item, order
from tests.sources import CASES

BERLIN = ZoneInfo("Europe/Berlin")
AMBIGUOUS = "may have decimals or thousands; write it without a separator"
GROUPED = "has a comma or a thousands separator; write it as 1500 or 1.5"
# In a file whose cells are separated by semicolons a comma may be the decimal point.
THOUSANDS = "has a thousands separator; write it as 1500, 1.5 or 1,5"
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


def read(content: str | bytes, name: str = "orders.csv", **options: Any) -> list[FoundOrder]:
    columns = options.pop("columns", {})
    how = CsvOptions(**{"zone": BERLIN, **options})
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    kind = kind_of(file, name=name)
    return list(read_orders(file, kind=kind, columns=columns, currency="EUR", options=how))


def one(content: str | bytes, **options: Any) -> Any:
    (found,) = read(content, **options)
    assert found.fault == ""
    return json.loads(found.body)


def fault(content: str | bytes, **options: Any) -> str:
    return read(content, **options)[0].fault


def lines(found: Any) -> list[tuple[str, Any]]:
    return [(line["productId"], line["quantity"]) for line in found["productItems"]]


def refused(content: str | bytes, **options: Any) -> list[tuple[int, str]]:
    with pytest.raises(OrderFileRefused) as what:
        read(content, **options)
    return [(bad.number, bad.message) for bad in what.value.bad]


PLAIN = "orderNo,sku,quantity,basePrice,orderTotal,creationDate,currency\n"


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
        ("1,A,1,5,5,40513.35,", "the creationDate '40513.35' is a spreadsheet's number of a"
                                " date; format its column as a date"),
        ("1,A,1,5,5,yesterday,", "the creationDate 'yesterday' is no date that can be read;"
                                 " write 2026-02-02T12:00:00Z"),
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
              " --map says what the columns are called")]),
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
    assert sold.left_out == [(2, "the stock code 'POST' is no product")]
    assert json.loads(sold.body)["customerInfo"] == {"customerId": "17850"}
    assert json.loads(sold.body)["creationDate"] == "2011-07-01T08:26:00+01:00"
    why = "none of its lines takes stock: line 4 the stock code 'B' is no product"
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


ORDER = {"orderNo": "A1", "currency": "USD", "productItems": [], "orderTotal": 1}
OCAPI = {
    "_type": "order", "order_no": "B1", "currency": "USD", "creation_date": "2026-02-02T12:00:00Z",
    "customer_info": {"customer_id": "7", "customer_name": "Ada", "email": None},
    "product_items": [{"item_id": "x", "product_id": "A", "product_name": "Mug", "quantity": 2.00,
                       "base_price": 8.26446281, "inventory_id": "east", "c_engraving": "a_b",
                       "option_items": [{"option_id": "o", "product_id": "X"}]}],
    "order_total": 16.53, "status": "new", "c_from_app": {"some_key": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (json.dumps([ORDER, ORDER]), ["A1", "A1"]),
        (json.dumps([ORDER], indent=2), ["A1"]),
        (json.dumps(ORDER, indent=2), ["A1"]),
        (json.dumps(ORDER, indent=2) + "\n" + json.dumps(ORDER, indent=2), ["A1", "A1"]),
        (json.dumps({"limit": 2, "data": [ORDER, ORDER], "total": 2}), ["A1", "A1"]),
        (json.dumps({"limit": 2, "data": [ORDER], "query": {"a": [{"b": {}}]}}, indent=1), ["A1"]),
        (json.dumps({"query": {"x": 1}, "hits": [{"data": ORDER}]}), ["A1"]),
        (json.dumps({"query": {"x": 1}, "hits": [{"data": OCAPI}]}, indent=1), ["B1"]),
        (json.dumps({"hits": [{"_type": "order_search_hit", "data": OCAPI}]}), ["B1"]),
        (json.dumps({"orders": [ORDER, OCAPI]}), ["A1", "B1"]),
        (json.dumps({"data": ORDER}), ["A1"]),
        (json.dumps(ORDER) + "\n\n" + json.dumps(OCAPI) + "\r\n", ["A1", "B1"]),
        ("\ufeff" + json.dumps([ORDER]), ["A1"]),
        ("\ufeff" + json.dumps(ORDER), ["A1"]),
        (json.dumps({**ORDER, "data": [{"orderNo": "no"}]}, indent=1), ["A1"]),
        (json.dumps([{**ORDER, "c_note": 'a "[{\\" brace'}]), ["A1"]),
        ("[]", []),
        (json.dumps({"data": []}), []),
    ],
)
def test_json_that_is_read(content: str, numbers: list[str]) -> None:
    if not numbers:
        assert refused(content, name="orders.json") == [(1, "the file holds no order")]
    else:
        assert [found.order_no for found in read(content, name="orders.json")] == numbers


def test_ocapi_names_become_those_of_the_api() -> None:
    (found,) = read(json.dumps(OCAPI), name="orders.json")
    document = json.loads(found.body)
    assert document["orderNo"] == "B1"
    assert document["customerInfo"] == {"customerId": "7", "customerName": "Ada", "email": None}
    assert document["productItems"] == [
        {
            "itemId": "x", "productId": "A", "productName": "Mug", "quantity": 2,
            "basePrice": 8.26446281, "inventoryId": "east", "c_engraving": "a_b",
            "optionItems": [{"optionId": "o", "productId": "X"}],
        }
    ]  # fmt: skip
    assert (document["c_from_app"], document["orderTotal"]) == ({"someKey": 1}, 16.53)


def test_json_of_the_api_is_taken_as_it_came() -> None:
    text = '{"orderNo": "A1",  "orderTotal": 1.00}'
    assert [found.body for found in read(text, name="a.json")] == [text.encode()]
    assert [found.body for found in read(f"[{text},\n{text}]", name="a.json")] == [
        text.encode()
    ] * 2
    assert [found.line for found in read(f"[{text},\n{text}]", name="a.json")] == [1, 2]


@pytest.mark.parametrize("status", ["created", "new", "OPEN", "completed", None, "", "cancelled"])
def test_a_status_that_is_known_is_left_to_the_check_of_orders(status: Any) -> None:
    assert fault(json.dumps({**ORDER, "status": status}), name="a.json") == ""


def test_a_status_that_nobody_knows_is_named() -> None:
    document = json.dumps({**ORDER, "status": "limbo"})
    assert fault(document, name="a.json") == "the status 'limbo' is unknown"


@pytest.mark.parametrize(
    ("content", "bad"),
    [
        (json.dumps([ORDER])[:-1], (1, "is no JSON: it ends too early")),
        (json.dumps([ORDER], indent=1)[:-20], (6, "is no JSON: it ends too early")),
        ("[1, 2]", (1, "is not a JSON object")),
        ("[[]]", (1, "is not a JSON object")),
        ('["x"]', (1, "is not a JSON object")),
        (json.dumps([ORDER]) + json.dumps([ORDER]), (1, "holds more after its list of orders")),
        ("[{]}", (1, "is no JSON: its brackets do not match")),
        ('[{"a":"' + "x" * 3_000_000 + '"}]', (1, "is longer than 2,097,152 bytes")),
    ],
)
def test_a_json_document_that_is_torn_is_refused(content: str, bad: tuple[int, str]) -> None:
    assert refused(content, name="a.json") == [bad]


def test_a_long_list_is_read_in_little_memory() -> None:
    class Endless(io.RawIOBase):
        sent = 0

        def read(self, size: int = -1) -> bytes:
            self.sent += 1
            return b"[" if self.sent == 1 else b'{"orderNo":"1"},' * 4_000

    found = elements(Endless(), most_bytes=1_000, wrappers=())  # type: ignore[arg-type]
    assert {next(found) for _ in range(100_000)} == {(1, b'{"orderNo":"1"}')}


@pytest.mark.parametrize(
    ("old", "new", "quantity"),
    [
        ("2.0</quantity>", "2</quantity>", 2),
        ("2.0</quantity>", "2.0E0</quantity>", 2),
        ("2.0</quantity>", "20e-1</quantity>", 2),
        ("2.0</quantity>", " +2. </quantity>", 2),
        ("2.0</quantity>", "<!-- x -->2<![CDATA[.5]]></quantity>", 2.5),
        ("<orders xmlns", "<orders xmlns:o='x' xmlns", 2),
        ('<order order-no="0001">', '<order mode="merge" order-no="0001">', 2),
        ("<order-status>NEW", "<order-status>OPEN", 2),
        ("<order-status>NEW", "<order-status> completed ", 2),
        ("<order-status>NEW</order-status>", "", 2),
        ("A &amp; B", "N" * 3_900, 2),
        ("A &amp; B", "Long\n  name", 2),
        ("10.00</base-price>", "8.26446281</base-price>", 2),
        ("10.00</base-price>", "</base-price>", 2),
        ("<customer-email>ada@example.test", "<customer-email>", 2),
    ],
)
def test_order_xml_that_is_read(old: str, new: str, quantity: float) -> None:
    content = export(order(item())).replace(old, new)
    assert content != export(order(item()))
    document = one(content, name="orders.xml")
    assert lines(document) == [("MUG", quantity)]
    assert document["orderTotal"] == 25


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('<order order-no="0001">', '<order order-no="0001" mode="delete">',
         "the order is to be deleted (mode delete)"),
        ('<order order-no="0001">', '<order order-no="0001" mode="DELETE">',
         "the order is to be deleted (mode delete)"),
        ('<order order-no="0001">', '<order order-no="0001" mode="purge">',
         "the mode 'purge' is unknown"),
        (">NEW<", ">CANCELLED<", "the order is cancelled already"),
        (">NEW<", ">failed<", "the order is failed already"),
        (">NEW<", ">LIMBO<", "the order-status 'LIMBO' is unknown"),
    ],
)  # fmt: skip
def test_order_xml_that_is_refused_says_why(old: str, new: str, why: str) -> None:
    assert fault(export(order(item())).replace(old, new), name="orders.xml") == why


def test_order_xml_without_a_total_has_the_sum_of_its_items() -> None:
    content = export(order(item() + item("CUP")))
    start, end = content.index("<order-total>"), content.index("</order-total>")
    assert one(content[:start] + content[end + 14 :], name="a.xml")["orderTotal"] == 40
    net = content.replace("<gross-price>25.00</gross-price></order-total>", "</order-total>")
    assert one(net, name="a.xml")["orderTotal"] == 22


def test_quantities_of_xml_that_are_none_are_left_to_the_check_of_orders() -> None:
    for text in ("INF", "NaN", "1,5", "", "1e999"):
        content = export(order(item())).replace("2.0</quantity>", f"{text}</quantity>")
        sent = one(content, name="a.xml")["productItems"][0].get("quantity")
        assert sent == (text or None)


def test_the_raw_lines_of_an_order_are_kept_where_they_are_wanted() -> None:
    content = "orderNo;sku;quantity\n1;A;1\n1;B;x\n"
    assert read(content, keeps_raw=True)[0].raw == [(2, "1;A;1"), (3, "1;B;x")]
    assert read(content)[0].raw == []
