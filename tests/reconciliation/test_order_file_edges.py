"""Order files with the oddities of shops, exporters and vendors, by both ways to import one.

Each trial says exactly what is placed, and which words the refusal has.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.engine import set_connection
from tests.reconciliation.import_surfaces import operator, orders_both_ways

pytestmark = pytest.mark.django_db

HEAD = "orderNo,sku,quantity,basePrice\n"
ROW = "1,A,2,5\n"
TWO = {"1": {"A": 2}}
AGAIN = "names the columns again: tables were joined, so lines may stand in the file twice"

SHOPIFY = (
    "Name,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem sku,Lineitem requires shipping,Cancelled at,Refunded Amount\n"
)
SOLD = "1,paid,EUR,20,2026-01-25 13:23:17 +0100,2,Mug,10,A,true,,0.00\n"
WOO = (
    "order_number,order_date,status,order_total,order_currency,item_id,item_name,item_sku,"
    "item_quantity,item_total,item_refunded,item_refunded_qty\n"
)
WOO_ROW = "1,2026-07-25 13:23:17,processing,20.00,EUR,11,Mug,A,2,20.00,0.00,0\n"
ADVANCED = (
    "Order Number,Order Status,Order Date,Item #,SKU,Item Name,Quantity (- Refund),Item Cost,"
    "Order Refund Amount,Order Total Amount\n"
)
ADVANCED_ROW = "1,Processing,2026-01-25 13:23,1,A,Mug,2,10,0,20\n"
MAGENTO = "increment_id,state,item_id,product_type,sku,qty_ordered,qty_returned,total_refunded\n"
MAGENTO_ROW = "1,new,7,simple,A,2.0000,0.0000,0.0000\n"
MAGENTO_PARTS = "increment_id,state,item_id,parent_item_id,product_type,sku,qty_ordered,price\n"
UNTYPED = "increment_id,state,item_id,parent_item_id,sku,qty_ordered,price\n"
RETAIL = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID\n"

TABLES: dict[str, tuple[str | bytes, Any, str]] = {
    "Shopify, spelled as documented": (
        SHOPIFY.replace("Cancelled", "Canceled") + SOLD.replace("true,,", "true,2026-01-26,"),
        {}, "the order was cancelled at 2026-01-26"),
    "Shopify, a line that names no item": (
        SHOPIFY + SOLD + "1,,,,2026-01-25 13:23:17 +0100,,,,,,,\n", TWO, ""),
    "Shopify, restocked as a whole": (
        SHOPIFY.replace("Currency", "Fulfillment Status") + SOLD.replace("EUR", "restocked"),
        {}, "units were given back: the item was restocked"),
    "Shopify, two files in one": (SHOPIFY + SOLD + SHOPIFY + SOLD, {}, AGAIN),
    "two plain tables in one": (HEAD + ROW + HEAD + "2,A,1,5\n", {}, AGAIN),
    "WooCommerce, money back": (
        WOO + WOO_ROW.replace("0.00,0\n", "5.00,0\n"),
        {}, "money was given back: item_refunded is '5.00'"),
    "WooCommerce, a list of refunds": (
        WOO.replace("item_refunded,", "refund_items,")
        + WOO_ROW.replace("0.00,0\n", "sku:A|qty:1,0\n"),
        {}, "units were given back: refund_items is 'sku:A|qty:1'"),
    "WooCommerce, an empty list of refunds": (
        WOO.replace("item_refunded,", "refunds,") + WOO_ROW.replace("0.00,0\n", "[],0\n"),
        TWO, ""),
    "WooCommerce, another name of the status": (
        WOO.replace("status", "order_status") + WOO_ROW.replace("processing", "wc-cancelled"),
        {}, "the order is cancelled already"),
    "WooCommerce, an item exported twice": (
        WOO + WOO_ROW + WOO_ROW, {}, "the item '11' stands twice, in lines 2 and 3"),
    "WooCommerce, a variant without SKU": (
        WOO + WOO_ROW.replace(",A,", ",,"), {}, "line 2 has no SKU"),
    "WooCommerce, a fee as a line": (
        WOO + WOO_ROW + WOO_ROW.replace("11,Mug,A,2,", "12,Fee,,,"), {}, "line 3 has no SKU"),
    "WooCommerce, items in a cell": (
        "order_number,status,order_total,line_items\n1,processing,20,name:Mug|sku:A|quantity:2\n",
        {}, "has all items of an order in one cell ('line_items'); export one line an item"),
    "WooCommerce, an item a column": (
        "order_number,status,line_item_1\n1,processing,name:Mug|sku:A|quantity:2\n",
        {}, "has all items of an order in one cell ('line_item_1'); export one line an item"),
    "Advanced Order Export as it is set": (ADVANCED + ADVANCED_ROW, TWO, ""),
    "Advanced Order Export, money back": (
        ADVANCED + ADVANCED_ROW.replace(",0,20", ",10.00,20"),
        {}, "money was given back: Order Refund Amount is '10.00'"),
    "Advanced Order Export, nothing left": (
        ADVANCED + ADVANCED_ROW.replace("Mug,2", "Mug,0"), {}, "quantity: must be more than 0"),
    "Advanced Order Export, older names": (
        ADVANCED.replace("Item Name", "Name") + ADVANCED_ROW, TWO, ""),
    "Magento, an item exported twice": (
        MAGENTO + MAGENTO_ROW + MAGENTO_ROW, {}, "the item '7' stands twice, in lines 2 and 3"),
    "Magento, units returned": (
        MAGENTO + MAGENTO_ROW.replace("0.0000,0", "1.0000,0"),
        {}, "units were given back: qty_returned is '1.0000'"),
    "Magento, money back": (
        MAGENTO + MAGENTO_ROW.replace("0.0000\n", "9.9900\n"),
        {}, "money was given back: total_refunded is '9.9900'"),
    "Magento, parts without their kind": (
        UNTYPED + "1,new,1,NULL,A,1,50\n1,new,2,1,A,1,0\n",
        {}, "the line is a part of another product, and both may be counted"),
    "Magento, a SKU twice without its kind": (
        "increment_id,state,sku,qty_ordered,price\n1,new,A,1,50\n1,new,A,1,0\n",
        {}, "lines 2 and 3 have the same SKU and may be a product and its variant"),
    "Magento, several products without their kind": (
        UNTYPED + "1,new,1,NULL,A,2,50\n1,new,2,NULL,B,1,0\n", {"1": {"A": 2, "B": 1}}, ""),
    "Magento, a product without lines of its parts": (
        MAGENTO_PARTS + "1,new,1,NULL,configurable,A,2,5\n1,new,2,NULL,simple,B,1,5\n",
        {"1": {"A": 2, "B": 1}}, ""),
    "Magento, a product with lines of its parts": (
        MAGENTO_PARTS + "1,new,1,NULL,configurable,A,2,5\n1,new,2,1,simple,A,2,5\n", TWO, ""),
    "Magento, parts that are no goods": (
        MAGENTO_PARTS + "1,new,1,NULL,bundle,B,2,5\n1,new,2,1,virtual,B,2,5\n"
        "1,new,3,1,simple,A,2,5\n",
        TWO, ""),
    "Magento, the parts of a grouped product": (
        MAGENTO_PARTS + "1,new,1,NULL,grouped,A,2,5\n1,new,2,NULL,grouped,B,1,5\n",
        {"1": {"A": 2, "B": 1}}, ""),
    "the retail set as a program of floats wrote it": (
        RETAIL + "1.0,85048.0,LIGHTS,12,12/1/09 7:45,6.95,13085.0\n", {"1": {"85048": 12}}, ""),
    "typographic quotes": (
        HEAD + "1,“A”,2,5\n",
        {}, "the SKU in line 2 is in typographic quotation marks; save it without"),
    "orders of several sites": (
        "orderNo,sku,quantity,basePrice,siteId\n1,A,2,5,shop\n2,A,1,5,other\n",
        TWO, "the order is of site 'other'"),
    "a column with the status": (
        "orderNo,sku,quantity,basePrice,status\n1,A,2,5,new\n2,A,1,5,Cancelled\n",
        TWO, "the order is cancelled already"),
    "a status that nobody knows": (
        "orderNo,sku,quantity,basePrice,status\n1,A,2,5,storniert\n",
        {}, "the status 'storniert' is unknown"),
    "an old workbook": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
        {}, "is a spreadsheet or an archive; save it as CSV in UTF-8"),
}  # fmt: skip

ORDER = {
    "orderNo": "1",
    "currency": "EUR",
    "orderTotal": 10,
    "productItems": [{"productId": "A", "quantity": 2}],
}
SECOND = {**ORDER, "orderNo": "2"}
OCAPI = {"order_no": "1", "site_id": "other", "currency": "EUR", "order_total": 1,
         "product_items": [{"product_id": "A", "quantity": 1}]}  # fmt: skip

DOCUMENTS: dict[str, tuple[str | bytes, Any, str]] = {
    "another site": (json.dumps([{**ORDER, "siteId": "shop"}, {**SECOND, "siteId": "other"}]),
                     TWO, "the order is of site 'other'"),
    "another site, of OCAPI": (json.dumps(OCAPI), {}, "the order is of site 'other'"),
    "pages of a search": (json.dumps({"data": [ORDER]}) + "\n" + json.dumps({"data": [SECOND]}),
                          {**TWO, "2": {"A": 2}}, ""),
    "pages after a list": (json.dumps([ORDER]) + "\n" + json.dumps({"data": [SECOND]}),
                           {}, "continues after its list of orders"),
    "two lists": (json.dumps({"orders": [ORDER], "data": [SECOND]}),
                  {}, "continues after its list of orders"),
    "nothing in a list": (json.dumps({"data": [None, ORDER]}), {}, "is not a JSON object"),
    "text in a list": (json.dumps({"data": [ORDER, "2"]}), {}, "is not a JSON object"),
    "a list in a list": (json.dumps({"data": [[ORDER]]}), {}, "is not a JSON object"),
}  # fmt: skip

NAMESPACE = 'xmlns="http://www.demandware.com/xml/impex/order/2006-10-31"'
LINE = (
    "<product-lineitem><base-price>5</base-price><product-id>A</product-id>"
    '<product-name>Mug</product-name><quantity unit="">2.0</quantity></product-lineitem>'
)
XML_ORDER = (
    f'<order {NAMESPACE} order-no="1"><currency>EUR</currency>'
    f"<status><order-status>NEW</order-status></status>"
    f"<product-lineitems>{LINE}</product-lineitems><totals><order-total>"
    "<gross-price>10</gross-price></order-total></totals></order>"
)
EXPORT = f'<?xml version="1.0" encoding="UTF-8"?>\n<orders {NAMESPACE}>{XML_ORDER}</orders>'


def twice(element: str, value: str) -> str:
    return EXPORT.replace(f"</{element}>", f"</{element}><{element}>{value}</{element}>", 1)


XML: dict[str, tuple[str | bytes, Any, str]] = {
    "one order alone": (XML_ORDER, TWO, ""),
    "a quantity twice": (twice("quantity", "3"), {}, "line 2 gives quantity more than once"),
    "a product twice": (twice("product-id", "B"), {}, "line 2 gives product-id more than once"),
    "a currency twice": (twice("currency", "USD"), {}, "line 2 gives currency more than once"),
    "a total twice": (twice("gross-price", "0"), {}, "line 2 gives gross-price more than once"),
    "a status twice": (
        twice("order-status", "CANCELLED"), {}, "line 2 gives order-status more than once"),
    "a name twice": (twice("product-name", "Cup"), TWO, ""),
    "bytes of another encoding": (
        EXPORT.replace("Mug", "Müg").encode("latin-1"),
        {}, "bytes that are not in the encoding that the file names"),
    "the encoding that it names": (
        EXPORT.replace("UTF-8", "windows-1252").replace("Mug", "€").encode("cp1252"), TWO, ""),
    "two documents": (EXPORT + EXPORT, {}, "another document follows the first one"),
}  # fmt: skip

TRIALS = (
    [("orders.csv", name, *trial) for name, trial in TABLES.items()]
    + [("orders.json", name, *trial) for name, trial in DOCUMENTS.items()]
    + [("orders.xml", name, *trial) for name, trial in XML.items()]
)


@pytest.mark.parametrize(
    ("file", "content", "wanted", "words"),
    [pytest.param(file, *trial, id=f"{file}: {name}") for file, name, *trial in TRIALS],
)
def test_an_order_file_is_read_or_refused_both_ways(
    file: str,
    content: str | bytes,
    wanted: Any,
    words: str,
    tmp_path: Path,
) -> None:
    set_connection("OFFLINE")
    factories.make_site(stock=dict.fromkeys(("A", "B", "85048"), 50), currency="EUR")
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for placed, told in orders_both_ways(path, operator()):
        assert placed == wanted
        assert words in told
