"""Input from outside takes work by its length, not by the square of it, whatever it holds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest

from orders import strict_json
from orders.errors import PayloadRefused, Problem
from orders.imports import stock_xml, xml_files
from orders.imports.csv_files import BadLine
from orders.imports.found_orders import OrderFileRefused
from orders.imports.order_xml import read_order_xml
from orders.imports.stock_csv import StockRefused
from orders.imports.stock_json_lines import read_stock_lines
from orders.models import InventoryList, Site
from orders.payload import parse_order
from tests.growth import CountedText, calls_of

SITE = Site(id="shop", inventory_list_id="stock")
ITEM = {"productId": "MUG", "quantity": 1, "basePrice": 1, "price": 1}


def order(*items: dict[str, object], **members: object) -> bytes:
    document = {"orderNo": "1", "currency": "EUR", "productItems": items, "orderTotal": 1}
    return json.dumps(document | members).encode()


def comparisons(count: int) -> int:
    """Return how many texts are compared to find the one member that is given twice, the last."""
    CountedText.compared = 0
    pairs: list[tuple[str, object]] = [(CountedText(f"m{n}"), 1) for n in range(count)]
    pairs.append((CountedText(f"m{count - 1}"), 2))
    with pytest.raises(ValueError, match=f"the member 'm{count - 1}' is given twice"):
        strict_json._unique_members(pairs)
    return CountedText.compared


def test_a_member_given_twice_is_found_in_linear_time() -> None:
    few, many = comparisons(1_000), comparisons(4_000)
    assert few < 10
    assert many < 10


def test_the_first_member_that_is_repeated_is_named() -> None:
    with pytest.raises(strict_json.NotStrictJson, match="the member 'b' is given twice"):
        strict_json.loads(b'{"a": 1, "b": 2, "b": 3, "a": 4}')


def every_fault(number: int) -> dict[str, object]:
    return {
        "itemId": " " * 200,
        "productId": "%" * 300,
        "productName": "x" * 600,
        "quantity": -1,
        "basePrice": -1,
        "price": "x",
        "inventoryId": "x",
        f"m{number}": 1,
    }


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "member again and again": lambda n: b"{" + b'"a":1,' * n + b'"b":1}',
    "member twice at the end": lambda n: (
        b"{" + b"".join(b'"m%d":1,' % k for k in range(n)) + b'"m%d":1}' % (n - 1)
    ),
    "brackets": lambda n: b"[" * n,
    "objects in objects": lambda n: b'{"a":' * n,
    "escapes": lambda n: b'{"a":"' + b"\\u0041" * n + b'"}',
    "halves of pairs": lambda n: b'{"a":"' + b"\\ud800" * n + b'"}',
    "backslashes": lambda n: b'{"a":"' + b"\\\\" * n,
    "digits": lambda n: b'{"a":' + b"9" * n + b"}",
    "digits of a fraction": lambda n: b'{"orderTotal":0.' + b"9" * n + b"}",
    "digits of an exponent": lambda n: b'{"a":1e' + b"9" * n + b"}",
    "large whole numbers": lambda n: b'{"a":[' + b",".join([b"9" * 4300] * (n // 400)) + b"]}",
    "decimals": lambda n: b'{"a":[' + b",".join([b"1.5"] * n) + b"]}",
    "zeros with exponents": lambda n: b'{"a":[' + b",".join([b"0e-999999"] * n) + b"]}",
    "empty items": lambda n: b'{"productItems":[' + b",".join([b"{}"] * n) + b"]}",
    "every fault in every item": lambda n: order(*(every_fault(k) for k in range(n // 4))),
    "the same itemId": lambda n: order(*({"itemId": "1"} | ITEM for _ in range(n // 4))),
    # The ids that parts would get end alike: each has to find another one.
    "ids of parts that clash": lambda n: order(
        *(
            ITEM
            | {
                "itemId": f"{k:04}" + "x" * 96,
                "bundledProductItems": [{"productId": "MUG", "quantity": 1}],
            }
            for k in range(n // 4)
        ),
        *(ITEM | {"itemId": "twice"} for _ in range(2)),
    ),
    "members nobody knows": lambda n: order(
        *(ITEM | {"productId": "%", "k": {f"m{j}": j for j in range(20)}} for _ in range(n // 8))
    ),
}


def refusal(raw: bytes) -> PayloadRefused:
    with pytest.raises(PayloadRefused) as refused:
        parse_order(raw, site=SITE)
    return refused.value


@pytest.mark.in_turn(3)
@pytest.mark.django_db
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_orders_are_refused_with_few_words_and_linear_work(name: str) -> None:
    make = HOSTILE[name]
    small, large = make(1_000), make(4_000)
    refusal(small)  # what is made once is made

    few, many = calls_of(lambda: refusal(small)), calls_of(lambda: refusal(large))

    assert many < 4.4 * few + 200, f"{few:,} calls for {len(small):,} B, {many:,} for four times"
    refused = refusal(large)
    assert len(refused.problems) <= 50
    assert len(json.dumps(refused.members())) < 20_000


@pytest.mark.parametrize(
    "number", ["1e99999999999999999999", "0e99999999999999999999", "1e-99999999999999999999"]
)
def test_exponents_that_no_decimal_has_are_refused(number: str) -> None:
    told = refusal(f'{{"orderTotal":{number}}}'.encode()).problems
    assert Problem("orderTotal", f"the number {number} is out of range") in told
    stock = InventoryList(id="stock")
    line = f'{{"locationId":"stock","sku":"MUG","onHand":{number}}}'.encode()
    with pytest.raises(StockRefused) as refused:
        read_stock_lines(io.BytesIO(line), list_=stock)
    assert refused.value.bad == [BadLine(1, "is not a JSON object in UTF-8")]


def test_small_numbers_are_exact_still() -> None:
    assert strict_json.loads(b"[1e-30, 0e5, 12.50]") == [
        Decimal("1e-30"),
        Decimal(0),
        Decimal("12.5"),
    ]


def read_stock_xml(raw: bytes) -> object:
    return stock_xml.read_stock_xml(io.BytesIO(raw), list_=InventoryList(id="stock"))


def read_orders_xml(raw: bytes) -> object:
    return list(read_order_xml(io.BytesIO(raw)))


@pytest.mark.parametrize("read", [read_stock_xml, read_orders_xml])
def test_a_long_namespace_is_not_written_before_every_name(
    read: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    tag_of = xml_files.tag_of
    monkeypatch.setattr(xml_files, "tag_of", lambda name: seen.append(len(name)) or tag_of(name))
    root = b"inventory" if read is read_stock_xml else b"orders"
    start = b"<" + root + b' xmlns="' + b"u" * 100_000 + b'">'
    with suppress(StockRefused):  # it holds no record
        read(start + b"<a/>" * 1_000 + b"</" + root + b">")
    assert len(seen) >= 1_001
    assert sum(seen) < 20_000


def test_names_with_a_prefix_are_read() -> None:
    records = b'<b:record product-id="MUG"><b:ats>3</b:ats></b:record>'
    header = b'<b:inventory-list><b:header list-id="stock"/><b:records>'
    end = b"</b:records></b:inventory-list></b:inventory>"
    raw = b'<b:inventory xmlns:b="urn:b">' + header + records + end
    assert [(one.sku, one.ato) for one in read_stock_xml(raw)] == [("MUG", Decimal(3))]  # type: ignore[attr-defined]


@pytest.mark.parametrize("start", [b'<orders><a b="', b"<orders>\n<!--", b"<orders>\n<![CDATA["])
def test_tags_without_end_are_not_read_again_and_again(start: bytes) -> None:
    line = 1 + start.count(b"\n")
    words = "holds a tag or comment of more than 1,048,576 bytes"
    raw = start + b"x" * 1_200_000
    if b"CDATA" in start:
        raw = raw.replace(b"<![CDATA[", b"<?p ")
    with pytest.raises(StockRefused) as stock:
        read_stock_xml(raw.replace(b"<orders>", b"<inventory>"))
    with pytest.raises(OrderFileRefused) as orders:
        read_orders_xml(raw)
    assert stock.value.bad == orders.value.bad == [BadLine(line, words)]


def test_of_a_file_of_many_lists_the_others_are_not_kept() -> None:
    reader = stock_xml._Reader(InventoryList(id="l7"))
    reader.start("inventory", {}, 1)
    for number in range(1_000):
        for tag, attributes in (
            ("inventory-list", {}),
            ("header", {"list-id": f"l{number}"}),
            ("", {}),
            ("records", {}),
            ("record", {"product-id": "MUG"}),
            ("ats", {}),
        ):
            if tag:
                reader.start(tag, attributes, number)
            else:
                reader.end("header")
        reader.text(str(number))
        for tag in ("ats", "record", "records", "inventory-list"):
            reader.end(tag)
    assert [(one.sku, one.ato) for one in reader.figures()] == [("MUG", 7)]
    assert len(reader._lists) <= 21
