"""Order files in JSON and XML as vendors write them: what comes out of each."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from orders.imports.json_documents import elements
from tests.orders.imports.read_orders import fault, lines, one, read, refused
from tests.orders.imports.test_order_files import export, item, order

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
        (json.dumps([ORDER])[:-1], (1, "is not JSON: it ends too early")),
        (json.dumps([ORDER], indent=1)[:-20], (6, "is not JSON: it ends too early")),
        ("[1, 2]", (1, "is not a JSON object")),
        ("[[]]", (1, "is not a JSON object")),
        ('["x"]', (1, "is not a JSON object")),
        (json.dumps([ORDER]) + json.dumps([ORDER]), (1, "continues after its list of orders")),
        ("[{]}", (1, "is not JSON: its brackets do not match")),
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
