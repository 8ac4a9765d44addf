"""A message is in the language of the order or its site, whichever language is active."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import translation

from orders import customer_messages, privacy
from orders.customer_messages import draft, template_of
from orders.imports.order_xml import read_order_xml
from orders.message_languages import (
    Languages,
    Template,
    languages_of,
    shipped_language,
    stored_text,
    text_key,
)
from orders.message_texts import SHIPPED
from orders.message_values import amount_text, units_text, values_of
from orders.models import MessageKind, MessageRoute, MessageTemplate, Order, OrderItem, Site
from orders.payload import parse_order
from tests.factories import START, capture_raw, make_site

SECOND = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
GREETINGS = {"en": "Dear Ada Reed,\n", "de": "Guten Tag Ada Reed,\n"}


@pytest.fixture
def site(db: None) -> Site:
    return make_site("shop", stock={"MUG": 99, "CUP": 99}, currency="EUR")


def captured(site: Site, order_no: str = "A1", **more: Any) -> Order:
    document = {
        "orderNo": order_no,
        "currency": "EUR",
        "customerInfo": {"customerName": "Ada Reed", "email": "ada@example.test"},
        "productItems": [
            {"productId": "MUG", "productName": "Blue mug", "quantity": 2.5, "basePrice": 400},
            {"productId": "CUP", "productName": "Cup", "quantity": 1, "basePrice": 234.5},
        ],
        "orderTotal": 1234.5,
    }
    return capture_raw(site, json.dumps(document | more).encode(), at=START)


def speaks(site: Site, language: str) -> None:
    MessageRoute.objects.update_or_create(site=site, defaults={"language": language})


def later(hours: int) -> datetime:
    return START + timedelta(hours=hours)


@pytest.mark.parametrize("language", SECOND)
@pytest.mark.parametrize("kind", list(MessageKind))
def test_each_text_that_we_ship_is_there_in_each_language(kind: MessageKind, language: str) -> None:
    for original, other in zip(
        SHIPPED[kind], customer_messages.shipped(kind, language)[:2], strict=True
    ):
        assert other != original
        names = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (original, other)]
        assert names[0] == names[1]
    assert customer_messages.shipped(kind, "en") == Template(*SHIPPED[kind], "en")


@pytest.mark.parametrize("reader", ["en", "de"])
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", list(MessageKind))
def test_a_message_is_in_the_language_of_its_site(
    site: Site, kind: MessageKind, language: str, reader: str
) -> None:
    speaks(site, language)
    order = captured(site)
    with translation.override(reader):
        made = draft(order, kind)
        assert translation.get_language() == reader
    assert made.language == language
    assert made.body.startswith(GREETINGS[language])
    assert order.order_no in made.subject


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_site_that_has_chosen_nothing_writes_english(site: Site, language: str) -> None:
    order = captured(site)
    with translation.override(language):
        assert draft(order, MessageKind.CANCELLED).body.startswith("Dear Ada Reed,")
        # A language that we shipped once.
        speaks(site, "xx")
        assert draft(order, MessageKind.CANCELLED).language == "en"


def test_a_row_of_the_version_before_writes_english(site: Site) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_messageroute (site_id, email, sender, webhook, secret, version)"
            " VALUES (%s, %s, '', '', '', 1)",
            [site.pk, True],
        )
    assert MessageRoute.objects.get().language == "en"
    assert draft(captured(site), MessageKind.CANCELLED).language == "en"


def test_the_values_are_in_the_language_of_the_text(site: Site) -> None:
    speaks(site, "de")
    order = captured(site)
    mug, cup = OrderItem.objects.filter(order=order).order_by("position")
    mug.cancelled_quantity = Decimal("0.5")
    new = OrderItem(
        order=order, position=3, sku="JUG", product_name="Krug", quantity=Decimal(1), replaces=cup
    )
    cup.replaced_quantity = Decimal(1)
    text = Template("{orderTotal}", "{customerName}|{items}|{cancelledItems}|{replacements}", "de")
    order.customer = {}
    made = draft(order, MessageKind.CHANGED, items=[mug, cup, new], template=text)
    assert made.subject == "1.234,50 EUR"
    assert made.body == (
        "liebe Kundin, lieber Kunde|2 × Blue mug\n1 × Krug|0,5 × Blue mug"
        "|1 × Krug (anstelle von Cup)"
    )
    made = draft(
        order, MessageKind.CHANGED, items=[mug, cup, new], template=text._replace(language="en")
    )
    assert made.subject == "1,234.50 EUR"
    assert made.body == ("customer|2 × Blue mug\n1 × Krug|0.5 × Blue mug|1 × Krug (instead of Cup)")


@pytest.mark.parametrize(
    ("language", "longest", "last"),
    [
        ("en", 20, "… and 1 more"),
        ("en", 5, "… and 2 more"),
        ("de", 20, "… und 1 weiterer Artikel"),
        ("de", 5, "… und 2 weitere Artikel"),
    ],
)
def test_the_rest_of_a_list_is_counted(site: Site, language: str, longest: int, last: str) -> None:
    order = captured(site)
    with translation.override(language):
        values = values_of(order, None, longest_list=longest)
    assert values["items"].splitlines()[-1] == last
    assert values["replacements"] == "–"


def test_amounts_and_units_are_written_as_the_language_writes_them() -> None:
    with translation.override("de"):
        assert amount_text(Decimal("1000"), "EUR") == "1.000,00 EUR"
        assert [units_text(Decimal(one)) for one in ("1.500", "20", "1E+3")] == [
            "1,5",
            "20",
            "1.000",
        ]
    with translation.override("en"):
        assert (amount_text(Decimal("7.5"), "USD"), units_text(Decimal("1.5"))) == (
            "7.50 USD",
            "1.5",
        )


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"),
        ("de_AT", "de"),
        ("DE-de", "de"),
        ("en_US", "en"),
        ("en", "en"),
        ("de-Latn-DE", "de"),
        ("default", ""),
        ("fr_FR", ""),
        ("deutsch", ""),
        ("", ""),
        (None, ""),
        (7, ""),
        (["de"], ""),
        ("de\n", ""),
    ],
)
def test_only_a_language_that_we_ship_counts(locale: object, language: str) -> None:
    assert shipped_language(locale) == language


@pytest.mark.parametrize("kind", list(MessageKind))
def test_the_language_that_an_order_names_wins_over_the_site_s(
    site: Site, kind: MessageKind
) -> None:
    german = captured(site, "A1", customerLocale="de_AT")
    french = captured(site, "A2", customerLocale="fr_FR")
    odd = captured(site, "A3", customerLocale={"a": 1}, c_note='"customerLocale": "de"')
    assert languages_of([german, french, odd]) == {
        german.pk: Languages("en", "de"),
        french.pk: Languages("en"),
        odd.pk: Languages("en"),
    }
    assert draft(german, kind).body.startswith(GREETINGS["de"])
    assert draft(french, kind).body.startswith(GREETINGS["en"])
    speaks(site, "de")
    assert draft(french, kind).body.startswith(GREETINGS["de"])
    english = captured(site, "A4", customerLocale="en-GB")
    assert draft(english, kind).body.startswith(GREETINGS["en"])


def test_an_own_template_is_sent_to_all_customers_of_its_site_in_the_site_s_language(
    site: Site,
) -> None:
    speaks(site, "de")
    order = captured(site, customerLocale="en")
    for own in (None, site):
        MessageTemplate.objects.create(
            site=own,
            kind=MessageKind.CANCELLED,
            subject="Storno",
            body="{orderTotal}",
            changed_at=START,
            changed_by="mia",
        )
        made = draft(order, MessageKind.CANCELLED)
        assert (made.subject, made.body, made.language) == ("Storno", "1.234,50 EUR", "de")
    # The other kinds have none.
    assert draft(order, MessageKind.REPLACED).language == "en"


def test_an_order_whose_payload_was_reduced_is_written_to_as_its_site_says(site: Site) -> None:
    order = captured(site, customerLocale="de")
    assert languages_of([order]) == {order.pk: Languages("en", "de")}
    Order.objects.update(status="cancelled")
    assert privacy.reduce_payloads(captured_before=later(1), now=later(2)) == 1
    assert languages_of([order]) == {order.pk: Languages("en")}


def test_a_draft_takes_three_queries_of_its_order(
    site: Site, django_assert_max_num_queries: Any
) -> None:
    order = Order.objects.select_related("site").get(pk=captured(site, customerLocale="de").pk)
    with django_assert_max_num_queries(2):
        template_of(order, MessageKind.ASK)
    with django_assert_max_num_queries(3):
        draft(order, MessageKind.CANCELLED)


def test_a_confirmed_text_is_found_whatever_has_changed_since() -> None:
    en, de = ("Hello", "…"), ("Hallo", "…")
    texts = {"a": de, text_key("a", "de"): de, text_key("a", "en"): en, text_key("b", "de"): de}
    assert stored_text(texts, "a", Languages("en")) == Template(*en, "en")
    assert stored_text(texts, "a", Languages("en", "de")) == Template(*de, "de")
    # The language of the site has changed since.
    assert stored_text(texts, "b", Languages("en")) == Template(*de, "de")
    # The version before has confirmed it.
    assert stored_text({"a": de}, "a", Languages("en", "de")) == Template(*de, "en")


def test_the_locale_is_not_part_of_what_makes_two_orders_the_same(site: Site) -> None:
    order = captured(site)
    assert captured(site, customerLocale="de").pk == order.pk


def test_the_locale_of_order_xml_is_read(site: Site) -> None:
    head = '<orders xmlns="http://www.demandware.com/xml/impex/order/2006-10-31">'
    line = "<product-lineitems><product-lineitem><product-id>MUG</product-id>"
    line += "<quantity>1</quantity></product-lineitem></product-lineitems>"
    order = (
        f'{head}<order order-no="X1"><currency>EUR</currency><customer-locale>de_AT'
        f"</customer-locale>{line}<totals><order-total><gross-price>1</gross-price></order-total>"
        "</totals></order></orders>"
    )
    (found,) = read_order_xml(BytesIO(order.encode()))
    placed = parse_order(found.body, site=site)
    assert json.loads(placed.body)["customerLocale"] == "de_AT"
    assert "customerLocale" not in placed.customer
