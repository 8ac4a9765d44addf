"""What an acceptable order is: each fault names its field."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from orders import capture
from orders.errors import OrderNoTaken, PayloadRefused
from orders.models import InventoryList, OrderPayload, Site
from orders.payload import MAX_BYTES, parse_order
from tests import factories
from tests.orders.payloads import order_document, raw_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    InventoryList.objects.create(id="site-us")
    return Site.objects.create(id="MySite", inventory_list_id="site-us")


def problems(raw: bytes, site: Site) -> list[tuple[str, str]]:
    with pytest.raises(PayloadRefused) as refused:
        parse_order(raw, site=site)
    return [(problem.field, problem.message) for problem in refused.value.problems]


CONTROL = "control characters are not allowed"


def with_item(**members: object) -> bytes:
    document = order_document()
    document["productItems"][0] |= members
    return json.dumps(document).encode()


def test_it_reads_an_order(site: Site) -> None:
    placed = parse_order(raw_order(items=[("MUG-01", 2), ("MUG-01", 0.125)]), site=site)

    assert placed.order_no == "0000012345"
    assert [(i.item_id, i.sku, i.quantity) for i in placed.items] == [
        ("item-0", "MUG-01", Decimal("2")),
        ("item-1", "MUG-01", Decimal("0.125")),
    ]
    assert placed.items[0].inventory_list_id == "site-us"
    assert placed.items[0].unit_price == Decimal("9.5")
    assert placed.order_total == Decimal("42.25")
    assert placed.customer == {"customerName": "Ada Reed", "email": "ada@example.test"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The body is not JSON: Expecting value."),
        (b"{", "The body is not JSON: Expecting property name enclosed in double quotes."),
        (b"[]", "The body must be a JSON object."),
        (b"\xff\xfe", "The body is not UTF-8."),
        (b'{"a": NaN}', "The body is not JSON: NaN is not a number."),
        (b'{"a": -Infinity}', "The body is not JSON: -Infinity is not a number."),
        (b'{"a": 1, "a": 2}', "The body is not JSON: the member 'a' is given twice."),
        (b"[" * 100_000, "The JSON is nested too deeply: at most 64 levels."),
        (
            b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
            "The JSON is nested too deeply: at most 64 levels.",
        ),
        (b'{"a":' * 480 + b"1" + b"}" * 480, "The JSON is nested too deeply: at most 64 levels."),
        (b" " * (MAX_BYTES + 1), "An order has at most 2,097,152 bytes."),
    ],
)
def test_it_refuses_what_is_no_json_object(site: Site, raw: bytes, message: str) -> None:
    assert problems(raw, site) == [("", message)]


def test_it_takes_what_is_nested_as_deeply_as_is_allowed(site: Site) -> None:
    deep = json.loads("[" * 63 + "]" * 63)
    assert parse_order(raw_order(c_deep=deep), site=site).order_no == "0000012345"


@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        (0, "must be more than 0"),
        (-1, "must be more than 0"),
        (1.2345, "at most 3 decimals"),
        (1_000_001, "must be at most 1,000,000"),
        ("1", "use a number"),
        (True, "use a number"),
        (None, "is required"),
        ([], "use a number"),
    ],
)
def test_it_refuses_quantities(site: Site, quantity: object, message: str) -> None:
    assert problems(with_item(quantity=quantity), site) == [("productItems[0].quantity", message)]


@pytest.mark.parametrize(
    ("members", "field", "message"),
    [
        ({"orderNo": None}, "orderNo", "is required"),
        ({"orderNo": ""}, "orderNo", "must not be empty"),
        ({"orderNo": "x" * 51}, "orderNo", "at most 50 characters"),
        ({"orderNo": "a\x00b"}, "orderNo", f"{CONTROL}: character 2 is U+0000"),
        ({"orderNo": "a\nb"}, "orderNo", f"{CONTROL}: character 2 is U+000A"),
        ({"orderNo": "\ud800"}, "orderNo", f"{CONTROL}: character 1 is U+D800"),
        ({"orderNo": " 1"}, "orderNo", "no space at the beginning or end"),
        ({"currency": "usd"}, "currency", "use a currency code of three capital letters"),
        ({"orderTotal": -1}, "orderTotal", "must not be negative"),
        ({"status": "cancelled"}, "status", "the order is cancelled already"),
        ({"status": " FAILED "}, "status", "the order is failed already"),
        ({"status": "replaced"}, "status", "the order is replaced already"),
        (
            {"productItems": []},
            "productItems",
            "must not be empty",
        ),
    ],
)
def test_it_refuses_members(
    site: Site, members: dict[str, object], field: str, message: str
) -> None:
    assert problems(raw_order(**members), site) == [(field, message)]


@pytest.mark.parametrize("sku", ["", "a b", "a/b", "a;b", "x" * 251, "a%b", "<a>"])
def test_it_refuses_skus_that_oci_would_refuse(site: Site, sku: str) -> None:
    assert problems(with_item(productId=sku), site) == [
        ("productItems[0].productId", "use 1 to 250 characters without spaces and \\ < > ; % /")
    ]


def test_it_names_every_missing_member(site: Site) -> None:
    assert problems(b"{}", site) == [
        ("orderNo", "is required"),
        ("currency", "is required"),
        ("productItems", "is required"),
        ("orderTotal", "is required"),
    ]


def test_it_refuses_more_than_2000_items(site: Site) -> None:
    assert len(parse_order(raw_order(items=[("A", 1)] * 2000), site=site).items) == 2000
    [(field, _)] = problems(raw_order(items=[("A", 1)] * 2001), site)
    assert field == "productItems"


def test_it_refuses_an_unknown_list_and_an_item_id_given_twice(site: Site) -> None:
    document = order_document(items=[("A", 1), ("B", 1)])
    document["productItems"][1] |= {"itemId": "item-0", "inventoryId": "nowhere"}
    assert problems(json.dumps(document).encode(), site) == [
        ("productItems[1].itemId", "is given twice"),
        ("productItems[1].inventoryId", "is not an inventory list that the site may sell from"),
    ]


def test_any_printable_unicode_is_an_order_number(site: Site) -> None:
    for number in ("../etc/passwd", "a_b", "订单-1", "😀", "a b", "%2F"):
        assert parse_order(raw_order(number), site=site).order_no == number


def test_the_same_meaning_has_the_same_hash_and_another_has_not(site: Site) -> None:
    one = parse_order(raw_order(orderTotal=1), site=site).payload_hash
    text = json.dumps(order_document(orderTotal=1), indent=2).replace(
        '"orderTotal": 1', '"orderTotal": 1.00'
    )
    assert parse_order(text.encode(), site=site).payload_hash == one
    assert parse_order(raw_order(orderTotal=2), site=site).payload_hash != one
    assert parse_order(raw_order(orderTotal=1, c_note="x"), site=site).payload_hash != one


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"productName": None}, ("", Decimal("9.5"))),
        ({"productName": "Mug\nblue \tlarge"}, ("Mug blue large", Decimal("9.5"))),
        ({"productName": "Sean O\u0092Example"}, ("Sean O’Example", Decimal("9.5"))),
        ({"productName": "a\x00b\ud800c\x81d"}, ("a b\ufffdc d", Decimal("9.5"))),
        ({"productName": "  spaced  "}, ("  spaced  ", Decimal("9.5"))),
        ({"productName": "N" * 600}, ("N" * 499 + "…", Decimal("9.5"))),
        ({"productName": 7}, ("7", Decimal("9.5"))),
        ({"productName": {"default": "Mug"}}, ("", Decimal("9.5"))),
        ({"basePrice": None}, ("Mug", None)),
        ({"basePrice": 8.26446281}, ("Mug", Decimal("8.2645"))),
        ({"basePrice": "8.50"}, ("Mug", Decimal("8.5"))),
        ({"basePrice": "free"}, ("Mug", None)),
        ({"basePrice": -1}, ("Mug", None)),
        ({"basePrice": 10**12}, ("Mug", None)),
        ({"basePrice": True, "price": []}, ("Mug", None)),
        (
            {"inventoryId": "", "bundledProductItems": None, "optionItems": None, "itemId": None},
            ("Mug", Decimal("9.5")),
        ),
    ],
)
def test_what_only_describes_an_item_never_refuses_it(
    site: Site, sent: dict[str, object], shown: tuple[str, Decimal | None]
) -> None:
    raw = with_item(**{"productName": "Mug", **sent})
    placed = parse_order(raw, site=site)
    assert (placed.items[0].product_name, placed.items[0].unit_price) == shown
    assert placed.body == raw.decode()
    assert placed.items[0].inventory_list_id == "site-us"


@pytest.mark.parametrize(
    ("sent", "customer"),
    [
        (None, {}),
        ("Ada", {}),
        ([], {}),
        ({"email": None, "customerName": None}, {}),
        ({"email": "a\x00@b.example"}, {"email": "a @b.example"}),
        ({"customerName": "N" * 300}, {"customerName": "N" * 255 + "…"}),
        ({"customerId": 12345, "customerName": ["x"]}, {"customerId": "12345"}),
    ],
)
def test_what_only_describes_the_customer_never_refuses_an_order(
    site: Site, sent: object, customer: dict[str, str]
) -> None:
    assert parse_order(raw_order(customerInfo=sent), site=site).customer == customer


@pytest.mark.parametrize("sent", [None, "yesterday", 1769990400, "12/1/2010 8:26", "x" * 99, []])
def test_a_date_that_cannot_be_read_is_left_out(site: Site, sent: object) -> None:
    assert parse_order(raw_order(creationDate=sent), site=site).creation_date == ""


@pytest.mark.parametrize("status", [None, "new", "CREATED", "open", "completed", "", 3, "custom"])
def test_an_order_that_stands_is_taken(site: Site, status: object) -> None:
    assert parse_order(raw_order(status=status), site=site).order_no == "0000012345"


def test_a_total_is_rounded_to_four_places(site: Site) -> None:
    raw = raw_order(orderTotal=0.30000000000000004)
    assert parse_order(raw, site=site).order_total == Decimal("0.3")


def test_a_retry_that_was_stamped_again_is_the_same_order(site: Site) -> None:
    factories.know_stock({"MUG-01": 5}, list_id="site-us")
    first = factories.capture_raw(site, raw_order(items=[("MUG-01", 1)]))
    stamped = raw_order(
        items=[("MUG-01", 1)], creationDate="2026-02-02T12:00:09Z", lastModified="2026-02-02"
    )
    again = capture.find_same(placed=parse_order(stamped, site=site), site=site)
    assert again == first
    other = raw_order(items=[("MUG-01", 2)], creationDate="2026-02-02T12:00:09Z")
    with pytest.raises(OrderNoTaken):
        capture.find_same(placed=parse_order(other, site=site), site=site)
    OrderPayload.objects.update(body="damaged")
    with pytest.raises(OrderNoTaken):
        capture.find_same(placed=parse_order(stamped, site=site), site=site)
    # An order that was accepted before its status was looked at is found, not refused.
    OrderPayload.objects.update(body=raw_order(items=[("MUG-01", 1)], status="failed").decode())
    late = raw_order(items=[("MUG-01", 1)], status="failed", creationDate="2026-02-03")
    assert capture.find_same(placed=parse_order(late, site=site), site=site) == first
