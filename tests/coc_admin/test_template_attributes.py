"""No number in an attribute that programs read has the separators of a language.

The pages are those of the table of addresses. Every key is above a million and every figure above
a thousand, so that a number with separators shows them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from coc_admin.models import Profile
from orders.models import (
    InventoryList,
    MessageRoute,
    MessageTemplate,
    Order,
    ReplacementState,
    Site,
)
from reconciliation.models import (
    Alert,
    Channel,
    ConnectionState,
    IntervalSetting,
)
from tests import sampling
from tests.coc_admin.authorisation import TABLE
from tests.coc_admin.console import extreme_orders, scene
from tests.coc_admin.console.test_form_fuzz import is_page, text_of
from tests.coc_admin.template_attributes import (
    FOR_PEOPLE,
    may_be_localized,
    suspects,
    values_in_attributes,
)
from tests.coc_admin.test_authorisation import objects, person

__all__ = ["objects"]

FIRST_KEY = 1_000_000
MANY = 12_345
GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)")
NUMBERS = {"maxlength", "minlength", "min", "max", "step", "size", "rows", "cols", "tabindex"}
# Created for each page.
_FRESH = re.compile(r"csrfmiddlewaretoken|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}")


class Attributes(HTMLParser):
    """Collects the attributes of a page that programs read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[tuple[str, str, str]] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        text = str(attrs)
        if _FRESH.search(text) or tag in ("html", "meta", "time"):
            return
        for name, value in attrs:
            if name not in FOR_PEOPLE and value:
                self.found[tag, name, value] += 1


def attributes_of(page: str) -> Counter[tuple[str, str, str]]:
    reader = Attributes()
    reader.feed(page)
    return reader.found


def faults_of(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield the attributes that are no numbers as programs write them."""
    for tag, name, value in attributes_of(page):
        is_number = re.fullmatch(r"-?\d+(\.\d+)?|any", value)
        if GROUPED.search(value) or (name in NUMBERS and not is_number):
            yield tag, name, value


@pytest.fixture
def large_keys(db: None) -> Iterator[None]:
    """Let every key that is given out from now on be above FIRST_KEY."""
    models = [
        model
        for label in ("orders", "reconciliation", "coc_admin", "auth")
        for model in apps.get_app_config(label).get_models()
        if model._meta.auto_field is not None
    ]
    tables = [(model._meta.db_table, model._meta.pk.column) for model in models]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for table, _column in tables:
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
                cursor.execute("INSERT INTO sqlite_sequence VALUES (%s, %s)", [table, FIRST_KEY])
            yield
            return
        before = []
        for table, column in tables:
            cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [f'"{table}"', column])
            (sequence,) = cursor.fetchone()
            cursor.execute(f"SELECT last_value, is_called FROM {sequence}")
            before.append((sequence, *cursor.fetchone()))
            cursor.execute("SELECT setval(%s, %s)", [sequence, FIRST_KEY])
        yield
        # A sequence knows no transaction.
        for sequence, value, was_called in before:
            cursor.execute("SELECT setval(%s, %s, %s)", [sequence, value, was_called])


@pytest.fixture
def large(
    large_keys: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> dict[str, Any]:
    """Return an object for each member of an address; each has large keys and figures."""
    # The kept scene would come back with the small keys that it was kept with.
    monkeypatch.setattr(scene, "build_scene", scene.make_scene)
    made: dict[str, Any] = request.getfixturevalue("objects")
    site = Site.objects.get(pk="NorthShop")
    order = extreme_orders.make_order(site, scene.make_run(), "rich", "short", number=3)
    replaced = extreme_orders.make_order(site, scene.make_run(), "bare", "replacing")
    assert replaced.replacements.get().state == ReplacementState.RESERVING
    Site.objects.update(
        cap_units_per_order=MANY, cap_total_value="12345.5", cap_offline_minutes=MANY
    )
    InventoryList.objects.update(offline_floor_units="12345.5")
    Alert.objects.update(handled=MANY, assignee="anna")
    Channel.objects.update(version=MANY)
    IntervalSetting.objects.create(name="retry", every=1_440)
    MessageRoute.objects.create(site=site, version=MANY)
    MessageTemplate.objects.create(
        kind="cancelled",
        subject="S",
        body="B",
        version=MANY,
        changed_at=timezone.now(),
        changed_by="anna",
    )
    scene.set_connection(ConnectionState.OFFLINE)
    return made | {"order": order.pk, "document": order.documents.get().pk}


def pages(objects: dict[str, Any]) -> list[str]:
    """Return the addresses of every page, and of those that a filter or a step leads to."""
    rows = [row for name, (row, _) in TABLE.items() if "POST " not in row and name != "logout"]
    order = Order.objects.get(pk=objects["order"])
    item = order.items.earliest("position")
    return [
        *(row.format(**objects) for row in rows),
        f"/orders/{order.pk}/replace/?item={item.pk}&q=JUG",
        f"/orders/{order.pk}/replace/?item={item.pk}&sku={extreme_orders.sku(1)}",
        f"/runs/new/?scope=orders&order={order.pk}",
        f"/runs/new/?scope=run&run={objects['run']}",
        "/orders/?value_from=1234.5&value_to=123456.75&q=1234",
        "/inventory/?most=12345",
        "/reports/?site=NorthShop",
        "/messages/-/template/cancelled/",
    ]


def test_no_attribute_has_a_number_with_separators(large: dict[str, Any]) -> None:
    admin = person("administrator")
    user = User.objects.get(username="administrator")
    order = large["order"]
    chosen = {"shown": [order], "order": [order], "do": "replace"}
    bulk = admin.post("/chosen/desk/", chosen)["Location"]
    profile = Profile.objects.create(user=user)
    faults: dict[str, Any] = {}
    checked = 0
    for path in [*sampling.part(pages(large), one_in=6), bulk]:
        by_language = []
        for language in ("en", "de"):
            Profile.objects.filter(pk=profile.pk).update(language=language)
            answer = admin.get(path)
            assert answer.status_code < 500 or path == "/readyz", path
            if answer.status_code == 302:
                # Its message on the next page does not belong to that page.
                admin.get("/help/glossary/")
            if not is_page(answer):
                continue
            page = text_of(answer)
            by_language.append(attributes_of(page))
            found = sorted(faults_of(page))
            if found:
                faults[f"{path} {language}"] = found
            checked += 1
        # The guide has a text of its own for each language, with its marks of the language.
        if by_language and by_language[0] != by_language[-1] and path != "/help/guide/":
            english, german = by_language
            faults[path] = sorted(english - german), sorted(german - english)
    assert faults == {}
    assert checked > sampling.short_or_long(20, 120)


def test_every_value_in_an_attribute_is_written_for_programs() -> None:
    assert suspects() == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('<input maxlength="{{ longest|default:200 }}">', True),
        ('<a href="{% url "x" %}?order={{ order.pk }}">', True),
        ("<i data-n='a{{ n|unlocalize }}b' title='{{ n }}'>{{ n }}</i>", False),
        ('{% if a > b %}<b class="{{ tone }}">{{ order.pk }}</b>{% endif %}', False),
        ('<input value="{{ row.sku }}"><input value="{{ row.units }}">', True),
    ],
)
def test_the_finder_finds_them(source: str, found: bool) -> None:
    assert any(may_be_localized(*one) for one in values_in_attributes(source)) is found
