"""Order files: what of them becomes an order, and what is said of the rest."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Mapping
from typing import IO, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.imports import order_csv
from orders.imports.csv_files import BadLine
from orders.imports.found_orders import FoundOrder, OrderFileRefused
from orders.imports.order_files import FileKind, kind_of, read_orders
from orders.payload import MAX_ITEMS
from tests import fuzzing

NAMESPACE = "http://www.demandware.com/xml/impex/order/2006-10-31"
BOMB = "<!DOCTYPE o [<!ENTITY a 'xxxxxxxxxx'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>"


def read(
    content: bytes | str,
    *,
    name: str = "orders.csv",
    columns: Mapping[str, str] | None = None,
) -> list[FoundOrder]:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    kind = kind_of(file, name=name)
    return list(read_orders(file, kind=kind, columns=columns or {}, currency="GBP"))


def documents(content: bytes | str, **options: Any) -> list[Any]:
    return [json.loads(order.body) for order in read(content, **options)]


def faults(content: bytes | str, **options: Any) -> list[tuple[int, str]]:
    with pytest.raises(OrderFileRefused) as refused:
        read(content, **options)
    return [(line.number, line.message) for line in refused.value.bad]


def item(sku: str = "MUG", *, extra: str = "") -> str:
    return (
        "<product-lineitem><net-price>18.00</net-price><tax>2.00</tax>"
        "<gross-price>20.00</gross-price><base-price>10.00</base-price><position>1</position>"
        f"<product-id>{sku}</product-id><product-name>A &amp; B</product-name>"
        f'<quantity unit="">2.0</quantity>{extra}</product-lineitem>'
    )


def order(items: str, *, number: str = "0001", status: str = "NEW") -> str:
    return (
        f'<order order-no="{number}"><order-date>2026-02-02T12:00:00.000Z</order-date>'
        "<currency>USD</currency><taxation>gross</taxation>"
        "<customer><customer-no>7</customer-no><customer-name>Ada Reed</customer-name>"
        "<customer-email>ada@example.test</customer-email>"
        "<billing-address><first-name>Ada</first-name></billing-address></customer>"
        f"<status><order-status>{status}</order-status></status>\n"
        f"<product-lineitems>{items}</product-lineitems>"
        "<totals><merchandize-total><gross-price>20.00</gross-price></merchandize-total>"
        "<order-total><net-price>22.00</net-price><gross-price>25.00</gross-price></order-total>"
        "</totals></order>\n"
    )


def export(orders: str, *, head: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}\n<orders xmlns="{NAMESPACE}">\n'
        f"{orders}</orders>"
    )


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b'{"orderNo": "1"}', "orders.txt", FileKind.LINES),
        (b"\xef\xbb\xbf\n<orders/>", "orders.csv", FileKind.XML),
        (b"nonsense", "orders.jsonl.gz", FileKind.LINES),
        (b"nonsense", "orders.XML", FileKind.XML),
        (b"orderNo,sku", "orders", FileKind.CSV),
    ],
)
def test_the_kind_is_seen_from_the_file_or_its_name(
    content: bytes, name: str, kind: FileKind
) -> None:
    assert kind_of(io.BytesIO(content), name=name) == kind


def test_csv_lines_of_one_number_are_one_order() -> None:
    found = read(
        "orderNo,sku,quantity,basePrice,creationDate,customerId,orderTotal,colour\n"
        "A1,MUG,2,9.50,2026-02-02T12:00:00Z,7,,red\n"
        '"A2","CUP",1.125,4,,,12.5,\n'
        "A1,CUP,1,0.25,2026-02-02T12:01:00Z,,,\n"
    )
    assert [(one.order_no, one.line, list(one.item_lines), one.fault) for one in found] == [
        ("A2", 3, [3], ""),
        ("A1", 2, [2, 4], ""),
    ]
    assert [json.loads(one.body) for one in found] == [
        {
            "orderNo": "A2",
            "currency": "GBP",
            "productItems": [{"productId": "CUP", "quantity": 1.125, "basePrice": 4}],
            "orderTotal": 12.5,
        },
        {
            "orderNo": "A1",
            "creationDate": "2026-02-02T12:00:00Z",
            "currency": "GBP",
            "customerInfo": {"customerId": "7"},
            "productItems": [
                {"productId": "MUG", "quantity": 2, "basePrice": 9.5},
                {"productId": "CUP", "quantity": 1, "basePrice": 0.25},
            ],
            "orderTotal": 19.25,
        },
    ]


def test_csv_columns_can_have_other_names() -> None:
    content = "Invoice,Code,QUANTITY,Line Total,Cur\n1,MUG,2,5,EUR\n"
    columns = {"orderNo": "invoice", "sku": "Code", "price": "Line Total", "currency": "Cur"}
    assert documents(content, columns=columns) == [
        {
            "orderNo": "1",
            "currency": "EUR",
            "productItems": [{"productId": "MUG", "quantity": 2, "price": 5}],
            "orderTotal": 5,
        }
    ]
    assert faults(content, columns=columns | {"email": "Mail"}) == [
        (
            1,
            "has no column 'Mail' for email (it has 'Invoice', 'Code', 'QUANTITY', 'Line Total',"
            " 'Cur'); the first line names the columns, and --map of the command says what they"
            " are called",
        )
    ]


def test_csv_text_that_is_no_number_is_left_to_the_check_of_orders() -> None:
    (document,) = documents("orderNo,sku,quantity,basePrice\n1,MUG,=1+1,NaN\n")
    assert document["productItems"] == [
        {"productId": "MUG", "quantity": "=1+1", "basePrice": "NaN"}
    ]
    (document,) = documents("orderNo,sku,quantity\n1,MUG,1\n")
    assert "orderTotal" not in document


def test_csv_order_that_contradicts_itself_is_no_order() -> None:
    first, second = read(
        "orderNo,sku,quantity,currency\n1,MUG,1,EUR\n1,CUP,1,USD\n2,MUG,1,EUR\n2,MUG,1,EUR\n"
    )
    assert first.fault == "the currency in line 3 is 'USD', before it 'EUR'"
    assert second.fault == ""


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", (1, "the file holds no order")),
        (b"orderNo,sku,quantity\n", (1, "the file holds no order")),
        (b"orderNo,sku,sku,quantity\n", (1, "names the column 'sku' more than once")),
        (b"orderNo,sku,quantity\n1,MUG,1\n1,CUP\n", (3, "has 2 values, not 3")),
        (b"orderNo,sku,quantity\n ,MUG,1\n", (2, "has no order number")),
        (b"orderNo,sku,quantity\n1,M\xe4G,1\n", (2, "is not in UTF-8; save the file in UTF-8")),
        (b'orderNo,sku,quantity\n"1"x,MUG,1\n', (2, "is not CSV: ',' expected after '\"'")),
        (b"orderNo,sku,quantity\n" + b"A" * 200_000, (2, "is longer than 100,000 characters")),
        (b"PK\x03\x04", (1, "is a spreadsheet or an archive; save it as CSV in UTF-8")),
        (b'{"orderNo": "' + b"A" * 3_000_000, (1, "is longer than 2,097,152 bytes")),
    ],
)
def test_a_file_that_cannot_be_read_names_the_line(content: bytes, fault: tuple[int, str]) -> None:
    assert faults(content) == [fault]


def test_csv_with_more_than_fits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{number},MUG,1" for number in (1, 2, 3)]
    content = "\n".join(["orderNo,sku,quantity", *lines, *lines])
    assert len(read(content)) == 3
    monkeypatch.setattr(order_csv, "MOST_OPEN", 1_200)
    words = "too many orders have lines before and after this one; sort the file by order"
    assert faults(content) == [(4, words)]
    monkeypatch.setattr(order_csv, "MOST_ORDERS", 2)
    assert faults(content) == [(4, "more than 2 orders; import the file in parts")]


def test_an_order_of_endless_items_is_cut_where_it_is_refused() -> None:
    (found,) = read("orderNo,sku,quantity\n" + "1,MUG,1\n" * 5_000)
    assert len(json.loads(found.body)["productItems"]) == MAX_ITEMS + 1
    (found,) = read(export(order(item() * 3_000)))
    assert len(json.loads(found.body)["productItems"]) == MAX_ITEMS + 1


def test_lines_of_json_are_taken_as_they_are() -> None:
    found = read(b'\xef\xbb\xbf{"orderNo": "A1"}\n\n  {"orderNo": 7}\r\nnonsense\n')
    assert [(one.line, one.order_no, one.body) for one in found] == [
        (1, "A1", b'{"orderNo": "A1"}'),
        (3, "", b'{"orderNo": 7}'),
        (4, "", b"nonsense"),
    ]
    assert [one.body for one in read(b"[{}]", name="orders.json")] == [b"{}"]


def test_xml_orders_become_orders_of_the_api() -> None:
    option = "<option-lineitems><option-lineitem><product-id>X</product-id>"
    option += "<base-price>1</base-price></option-lineitem></option-lineitems>"
    listed = "<inventory-list-id>east</inventory-list-id>"
    found = read(export(order(item() + item("CUP", extra=option + listed)) + order(item())))
    assert [(one.line, one.order_no, list(one.item_lines)) for one in found] == [
        (3, "0001", [4, 4]),
        (5, "0001", [6]),
    ]
    mug = {"productName": "A & B", "quantity": 2, "basePrice": 10, "price": 20}
    assert json.loads(found[0].body) == {
        "orderNo": "0001",
        "creationDate": "2026-02-02T12:00:00.000Z",
        "currency": "USD",
        "customerInfo": {
            "customerId": "7",
            "customerName": "Ada Reed",
            "email": "ada@example.test",
        },
        "productItems": [
            mug | {"productId": "MUG"},
            mug
            | {
                "productId": "CUP",
                "inventoryId": "east",
                "optionItems": [{"productId": "X", "basePrice": 1}],
            },
        ],
        "orderTotal": 25,
    }


def test_xml_bundles_become_bundles_of_the_api() -> None:
    def part(sku: str, units: str, below: str = "") -> str:
        return (
            f"<bundled-product-lineitem><product-id>{sku}</product-id>"
            f'<quantity unit="">{units}</quantity>{below}</bundled-product-lineitem>'
        )

    def parts(*lines: str) -> str:
        return f"<bundled-product-lineitems>{''.join(lines)}</bundled-product-lineitems>"

    nested = parts(part("P1", "2.0"), part("INNER", "1.0", parts(part("P2", "0.5"))))
    (found,) = read(export(order(item("KIT", extra=nested) + item("CUP"))))
    kit, cup = json.loads(found.body)["productItems"]
    assert (kit["productId"], kit["quantity"], cup["productId"]) == ("KIT", 2, "CUP")
    inner = {"productId": "INNER", "quantity": 1}
    assert kit["bundledProductItems"] == [
        {"productId": "P1", "quantity": 2},
        inner | {"bundledProductItems": [{"productId": "P2", "quantity": 0.5}]},
    ]
    assert "bundledProductItems" not in cup
    # One line too many is enough to be refused, wherever it stands.
    (found,) = read(export(order(item("KIT", extra=parts(*[part("P1", "1")] * 3_000)))))
    (kit,) = json.loads(found.body)["productItems"]
    assert len(kit["bundledProductItems"]) == MAX_ITEMS


@pytest.mark.parametrize("status", ["CANCELLED", "FAILED", "REPLACED"])
def test_xml_orders_that_do_not_stand_are_not_placed(status: str) -> None:
    (found,) = read(export(order(item(), status=status)))
    assert found.fault == f"the order is {status.lower()} already"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (export("", head=BOMB), (1, "contains a document type, which an order file never does")),
        (
            export("", head='<!DOCTYPE o SYSTEM "file:///etc/passwd">'),
            (1, "contains a document type, which an order file never does"),
        ),
        (export(""), (1, "the file holds no order")),
        ("<html/>", (1, "is not an order export: it begins with <html>, not <orders>")),
        (export(order(item()))[: -len("</orders>")], (5, "is not XML: no element found")),
        ("<orders>\n<order>&b;</order></orders>", (2, "is not XML: undefined entity")),
        ("<orders>" + "<a>" * 100, (1, "is nested more than 50 deep")),
        (
            '<?xml version="1.0" encoding="no-such"?><orders/>',
            (1, "is in an encoding that cannot be read; use UTF-8"),
        ),
    ],
)
def test_hostile_or_broken_xml_is_refused(content: str, fault: tuple[int, str]) -> None:
    assert faults(content) == [fault]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'<orders a="' + b"A" * 30_000_000, FileKind.XML),
        (b"<orders><!--" + b"A" * 30_000_000, FileKind.XML),
        (b"<orders><order><currency>" + b"A" * 30_000_000, FileKind.XML),
        (b"A" * 30_000_000, FileKind.LINES),
        (b"orderNo,sku,quantity\n" + b'"A\n' * 500_000, FileKind.CSV),
    ],
    ids=["attribute", "comment", "text", "line", "quotes"],
)
def test_a_bomb_is_refused_in_little_memory(content: bytes, kind: FileKind) -> None:
    packed = io.BytesIO(gzip.compress(content, compresslevel=1))
    del content
    tracemalloc.start()
    with gzip.open(packed) as file, pytest.raises(OrderFileRefused):
        list(read_orders(cast(IO[bytes], file), kind=kind, columns={}, currency="USD"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000


@pytest.mark.fuzz
def test_whatever_a_file_holds_is_read_or_refused_by_line() -> None:
    starts = st.sampled_from(
        [b"", b"orderNo,sku,quantity\n", b"<orders><order order-no='1'>", b'{"orderNo": "1"}\n']
    )

    @fuzzing.fuzz(150)
    @given(
        content=st.builds(bytes.__add__, starts, st.binary(max_size=80)),
        kind=st.sampled_from(FileKind),
    )
    def each(content: bytes, kind: FileKind) -> None:
        lines = content.count(b"\n") + content.count(b"\r") + 1
        bad: list[BadLine] = []
        found: list[FoundOrder] = []
        try:
            found = list(read_orders(io.BytesIO(content), kind=kind, columns={}, currency="USD"))
        except OrderFileRefused as refused:
            bad = refused.bad
        assert bool(bad) != bool(found)
        assert all(1 <= line.number <= lines and line.message for line in bad)
        assert all(1 <= one.line <= lines for one in found)

    each()
