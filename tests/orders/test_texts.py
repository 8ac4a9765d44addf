"""Numbers and ids that look like others: refused at every entrance, and shown for what they are."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from orders import capture
from orders.errors import PayloadRefused
from orders.imports.order_files import FileKind, read_orders
from orders.imports.stock_csv import StockRefused
from orders.imports.stock_files import read_stock_file
from orders.models import InventoryList, Order, Site
from orders.payload import parse_order
from orders.texts import made_visible, name_refusal
from tests import factories, sampling
from tests.orders.payloads import order_document, raw_order

UNSEEN = "a character that cannot be seen is not allowed"

# Text, what is said of it, and how it is shown.
ODD = [
    ("A\u202e1", f"{UNSEEN}: character 2 is U+202E (RIGHT-TO-LEFT OVERRIDE)", "A⟨U+202E⟩1"),
    ("A1\u200b", f"{UNSEEN}: character 3 is U+200B (ZERO WIDTH SPACE)", "A1⟨U+200B⟩"),
    ("\ufeffA1", f"{UNSEEN}: character 1 is U+FEFF (ZERO WIDTH NO-BREAK SPACE)", "⟨U+FEFF⟩A1"),
    ("A\u00ad1", f"{UNSEEN}: character 2 is U+00AD (SOFT HYPHEN)", "A⟨U+00AD⟩1"),
    ("A\u00a01", f"{UNSEEN}: character 2 is U+00A0 (NO-BREAK SPACE)", "A⟨U+00A0⟩1"),
    ("A1\u3000", f"{UNSEEN}: character 3 is U+3000 (IDEOGRAPHIC SPACE)", "A1⟨U+3000⟩"),
    ("A\u3164", f"{UNSEEN}: character 2 is U+3164 (HANGUL FILLER)", "A⟨U+3164⟩"),
    ("A\ufe0f1", f"{UNSEEN}: character 2 is U+FE0F (VARIATION SELECTOR-16)", "A⟨U+FE0F⟩1"),
    ("A\u034f1", f"{UNSEEN}: character 2 is U+034F (COMBINING GRAPHEME JOINER)", "A⟨U+034F⟩1"),
    ("A\U000e00411", f"{UNSEEN}: character 2 is U+E0041 (TAG LATIN CAPITAL LETTER A)", None),
    ("A\ue000", f"{UNSEEN}: character 2 is U+E000", "A⟨U+E000⟩"),
    ("A\u0378", f"{UNSEEN}: character 2 is U+0378", "A⟨U+0378⟩"),
    (
        "Cafe\u0301",
        "use Unicode's composed form (NFC): character 5 is U+0301 (COMBINING ACUTE ACCENT)",
        "Cafe⟨U+0301⟩",
    ),
    (
        "a\u0332\u0301",
        "use Unicode's composed form (NFC): character 3 is U+0301 (COMBINING ACUTE ACCENT)",
        "a\u0332⟨U+0301⟩",
    ),
    ("\u212b1", "use Unicode's composed form (NFC): character 1 is U+212B (ANGSTROM SIGN)", None),
    ("A  1", "two spaces in a row look like one: character 3 is U+0020 (SPACE)", "A ⟨U+0020⟩1"),
]
FINE = ["0000012345", "a b", "订单-1", "😀", "Café", "%2F", "שלום", "../x", "ﬁ", "１２", "n°1"]


@pytest.mark.parametrize(("text", "why", "shown"), ODD)
def test_what_cannot_be_told_apart_is_named_and_shown(text: str, why: str, shown: Any) -> None:
    assert name_refusal(text) == why
    assert made_visible(text) == (shown or made_visible(text)) != text


@pytest.mark.parametrize("text", FINE)
def test_what_looks_like_itself_is_a_name(text: str) -> None:
    assert name_refusal(text) == ""
    assert made_visible(text) == text


def test_two_names_that_may_be_taken_never_look_alike_by_unseen_characters() -> None:
    """Every character there is: in a category that shows nothing it is refused.

    Of the million that are unassigned, private or surrogates the short form takes a part.
    """
    shows_nothing = {"Cc", "Cf", "Zl", "Zp", "Zs"}
    is_no_character = {"Cn", "Co", "Cs"}
    category = [unicodedata.category(chr(code)) for code in range(sys.maxunicode + 1)]
    codes = [code for code, has in enumerate(category) if has in shows_nothing and code != 0x20]
    assert len(codes) > 200
    others = [code for code, has in enumerate(category) if has in is_no_character]
    for code in codes + sampling.part(others, one_in=100):
        assert name_refusal(f"a{chr(code)}b"), hex(code)
        assert made_visible(f"a{chr(code)}b") == f"a⟨U+{code:04X}⟩b"


@pytest.fixture
def site(db: None) -> Site:
    return factories.make_site(stock={"MUG": 9})


def problems(raw: bytes, site: Site) -> list[tuple[str, str]]:
    with pytest.raises(PayloadRefused) as caught:
        parse_order(raw, site=site)
    return [(one.field, one.message) for one in caught.value.problems]


def test_each_number_and_id_of_an_order_is_looked_at(site: Site) -> None:
    why = f"{UNSEEN}: character 2 is U+200B (ZERO WIDTH SPACE)"
    document = order_document("A\u200b1", items=[("MUG", 1)])
    assert problems(json.dumps(document).encode(), site) == [("orderNo", why)]
    for member in ("itemId", "productId", "inventoryId"):
        document = order_document("A1", items=[("MUG", 1)])
        document["productItems"][0][member] = "w\u200bb"
        found = problems(json.dumps(document).encode(), site)
        assert found == [(f"productItems[0].{member}", why)]
    document = order_document("A1", items=[("MUG", 1)])
    document["productItems"][0]["bundledProductItems"] = [
        {"productId": "w\u200bb", "quantity": 1, "optionItems": [{"productId": "w\u200bb"}]}
    ]
    path = "productItems[0].bundledProductItems[0]"
    assert problems(json.dumps(document).encode(), site) == [
        (f"{path}.productId", why),
        (f"{path}.optionItems[0].productId", why),
    ]
    # What names nothing may be written as people write.
    document = order_document("A1", items=[("MUG", 1)])
    document["productItems"][0]["productName"] = "Tasse \u200bweiß\u00a0groß 👩‍🍳"
    assert parse_order(json.dumps(document).encode(), site=site).order_no == "A1"


def test_an_order_from_before_is_found_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_order("A\u202e1", [("MUG", 1)])
    with monkeypatch.context() as before:
        before.setattr("orders.payload.name_refusal", lambda text: "")
        factories.capture(site, "A\u202e1", [("MUG", 1)])
    placed = parse_order(raw, site=site)
    found = capture.find_same(placed=placed, site=site)
    assert found == Order.objects.get()
    assert problems(raw.replace(b'"quantity": 1', b'"quantity": 2'), site)[0][0] == "orderNo"


XML = (
    '<orders xmlns="http://www.demandware.com/xml/impex/order/2006-10-31">'
    '<order order-no="A1{odd}"><currency>USD</currency><product-lineitems><product-lineitem>'
    "<base-price>1</base-price><product-id>MUG</product-id><quantity>1</quantity>"
    "</product-lineitem></product-lineitems><totals><order-total><gross-price>1</gross-price>"
    "</order-total></totals></order></orders>"
)


@pytest.mark.parametrize("odd", ["\u202e", "\u00a0", "\u3000"])
@pytest.mark.parametrize("kind", [FileKind.XML, FileKind.CSV, FileKind.LINES])
def test_files_of_orders_bring_no_look_alikes(site: Site, kind: FileKind, odd: str) -> None:
    content = {
        FileKind.XML: XML.format(odd=odd),
        FileKind.CSV: f"orderNo,sku,quantity,basePrice\nA1{odd},MUG,1,1\n",
        FileKind.LINES: json.dumps(order_document(f"A1{odd}", items=[("MUG", 1)])),
    }[kind]
    [found] = read_orders(io.BytesIO(content.encode()), kind=kind, columns={}, currency="USD")
    [(field, message)] = problems(found.body, site)
    assert field == "orderNo"
    assert f"U+{ord(odd):04X}" in message or "no space at the beginning or end" in message


STOCK_XML = (
    '<inventory xmlns="http://www.demandware.com/xml/impex/inventory/2007-05-31">'
    '<inventory-list><header list-id="web"/><records><record product-id="MU\u200bG">'
    "<allocation>1</allocation></record></records></inventory-list></inventory>"
)


def test_files_of_stock_and_new_sites_bring_no_look_alikes(db: None) -> None:
    list_ = InventoryList.objects.create(pk="web")
    for text in (
        "sku,ato\nMU\u200bG,1\n",
        '{"recordId":"1","locationId":"dc","sku":"MU\u200bG"}',
        STOCK_XML,
    ):
        with pytest.raises(StockRefused) as caught:
            read_stock_file(io.BytesIO(text.encode()), list_=list_)
        said = " ".join(str(bad) for bad in caught.value.bad)
        assert "the SKU looks like another one" in said
        assert "U+200B (ZERO WIDTH SPACE)" in said
    with pytest.raises(ValidationError, match="U\\+202E"):
        Site(pk="sh\u202eop", inventory_list=list_).full_clean()
