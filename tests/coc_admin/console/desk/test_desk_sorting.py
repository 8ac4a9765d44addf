"""The lists of the oversold desk: their filters, sums, sorts and pages."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from coc_admin.console.desk import queries, sku_queries, views
from orders.models import DeskEntry, Order, OrderItem
from orders.units import note_open
from tests.coc_admin.console import scene
from tests.coc_admin.console.desk.short_orders import make_short, numbers, user
from tests.coc_admin.console.scene import NOW, Scene

ALL = ["0000012341", "0000012342", "later"]


FILTERS = {
    "?sku=JUG-03": ["later"],
    "?sku=MUG-01": ["0000012341", "0000012342"],
    "?sku=mug": [],
    "?short=part": ["0000012341"],
    "?short=nothing": ["0000012342", "later"],
    "?sort=highest": ["later", "0000012342", "0000012341"],
    "?sort=lowest": ["0000012341", "0000012342", "later"],
    "?sort=newest": ["later", "0000012342", "0000012341"],
    "?sort=most": ALL,
    "?site=NorthShop": ALL,
    "?site=South+Shop+%26+Co": [],
    "?assignee=me": ["0000012342"],
    "?assignee=nobody": ["0000012341", "later"],
    "?assignee=999999": [],
    "?site=nonsense&short=nonsense&sort=nonsense&assignee=-1&outage=x&cursor=x~y": ALL,
    "?sort=highest&cursor=nan~1": ["later", "0000012342", "0000012341"],
}


def test_filters_and_sorts(viewer: Client, outage: Scene) -> None:
    make_short(outage, "later", [("JUG-03", 9)], minutes_ago=20)
    DeskEntry.objects.create(order=outage.nothing, assignee=user("vera"))
    assert {query: numbers(viewer.get(f"/desk/{query}")) for query in FILTERS} == FILTERS


def sums(answer: Any) -> str:
    """Return the words of the line of sums."""
    line = answer.content.decode().partition('<p class="list-sums">')[2].partition("</p>")[0]
    return " ".join(line.split())


def test_sums_are_those_of_the_whole_filter(
    viewer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_short(outage, "usd", [("JUG-03", 2.5)])
    Order.objects.filter(order_no="usd").update(currency="USD")
    settled = make_short(outage, "settled", [("JUG-03", 50)])
    Order.objects.filter(pk=settled.pk).update(resolution="settled_outside")
    bare = make_short(outage, "bare", [("JUG-03", 4)])
    OrderItem.objects.filter(order=bare).update(cancelled_quantity=4)
    note_open(OrderItem.objects.filter(order=bare))
    monkeypatch.setattr(queries, "PAGE", 1)
    everything = "Short in total: 4 orders · 7.5 units · 47.50 EUR, 23.75 USD"
    assert sums(viewer.get("/desk/")) == everything
    cursor = viewer.get("/desk/").context["page"].next_cursor
    assert sums(viewer.get("/desk/", {"cursor": cursor})) == everything
    part = sums(viewer.get("/desk/?short=part"))
    assert part == "Short in total: 1 order · 2 units · 19.00 EUR"
    monkeypatch.setattr(views, "MOST_COUNTED", 3)
    answer = viewer.get("/desk/?sort=highest")
    assert sums(answer) == "More than 3 orders are listed. Filter them to see their sums."
    assert (answer.context["number"], answer.context["more"]) == (3, True)


def test_an_outage_narrows_the_desk(viewer: Client, outage: Scene) -> None:
    made = scene.make_outage(minutes_ago=58)
    answer = viewer.get(f"/desk/?outage={made.pk}")
    assert numbers(answer) == ["0000012342"]


@pytest.mark.parametrize("sort", ["oldest", "newest", "highest", "lowest"])
def test_pages_show_each_order_once_even_with_equal_places(
    viewer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(queries, "PAGE", 2)
    for number in range(5):
        make_short(outage, f"N{number}", [("JUG-03", 3)], minutes_ago=20 - number // 3)
    seen, cursor = [], ""
    for _ in range(4):
        answer = viewer.get("/desk/", {"sort": sort, "cursor": cursor})
        seen += numbers(answer)
        cursor = answer.context["page"].next_cursor
    assert cursor == ""
    by_capture = ["0000012341", "0000012342", "N0", "N1", "N2", "N3", "N4"]
    expected = {
        "oldest": by_capture,
        "newest": by_capture[::-1],
        "highest": ["N4", "N3", "N2", "N1", "N0", "0000012342", "0000012341"],
        "lowest": ["0000012341", "0000012342", "N0", "N1", "N2", "N3", "N4"],
    }
    assert seen == expected[sort]


HEADS = {
    "/desk/?sku=MUG-01&cursor=x": [
        ("?sku=MUG-01&amp;sort=newest", "ascending", "Captured"),
        ("?sku=MUG-01&amp;sort=highest", "", "Value"),
    ],
    "/desk/?sort=highest&order=7&done=3": [
        ("?sort=oldest&amp;order=7", "", "Captured"),
        ("?sort=lowest&amp;order=7", "descending", "Value"),
    ],
    "/desk/?sort=lowest": [
        ("?sort=oldest", "", "Captured"),
        ("?sort=highest", "ascending", "Value"),
    ],
    "/desk/skus/?sort=sku": [
        ("?sort=sku_last", "ascending", "SKU"),
        ("?sort=most", "", "Short units"),
        ("?sort=highest", "", "Value"),
        ("?sort=oldest", "", "Oldest order"),
    ],
    "/orders/?state=oversold": [
        ("?state=oversold&amp;sort=newest", "ascending", "Captured"),
        ("?state=oversold&amp;sort=highest", "", "Value"),
    ],
    "/orders/": [
        ("?sort=oldest", "descending", "Captured"),
        ("?sort=highest", "", "Value"),
    ],
}


_HEAD = re.compile(
    r'<th scope="col" class="sorts[^"]*"(?: aria-sort="(\w+)")?><a\s+class="sort-link"'
    r' href="([^"]*)" title="[^"]+">([^<]*)</a></th>'
)


@pytest.mark.parametrize("path", HEADS)
def test_heads_sort_the_list_and_then_the_other_way(
    viewer: Client, outage: Scene, path: str
) -> None:
    page = viewer.get(path).content.decode()
    assert [(link, way, text) for way, link, text in _HEAD.findall(page)] == HEADS[path]
    assert ('name="sort"' in page) == ("sort=" in path)


def test_short_skus_tell_what_a_delivery_would_solve(viewer: Client, outage: Scene) -> None:
    make_short(outage, "jug", [("JUG-03", 2.5)], minutes_ago=90)
    Order.objects.filter(order_no="jug").update(currency="USD")
    answer = viewer.get("/desk/skus/?sort=highest")
    rows = [(r.sku, r.orders, r.units, dict(r.value), r.ato) for r in answer.context["rows"]]
    assert rows == [
        ("MUG-01", 2, 3, {"EUR": Decimal("28.5000")}, 88),
        ("JUG-03", 1, Decimal("2.5"), {"USD": Decimal("23.7500")}, Decimal("97.5")),
        ("CUP-02", 2, 2, {"EUR": Decimal("19.0000")}, 94),
    ]
    oldest = viewer.get("/desk/skus/").context["rows"]
    assert [row.sku for row in oldest] == ["JUG-03", "CUP-02", "MUG-01"]
    assert oldest[0].oldest == NOW - timedelta(minutes=90)
    assert b"?sort=highest&amp;sku=MUG-01" in answer.content


@pytest.mark.parametrize("sort", ["oldest", "highest"])
def test_a_short_sku_adds_up_its_orders_of_every_currency_each_once(
    viewer: Client, outage: Scene, sort: str
) -> None:
    make_short(outage, "twice", [("JUG-03", 2), ("JUG-03", 1)], minutes_ago=90)
    for number, code in ((1, "USD"), (2, "CHF"), (3, "CHF")):
        make_short(outage, f"other{number}", [("JUG-03", number)])
        Order.objects.filter(order_no=f"other{number}").update(currency=code)
    OrderItem.objects.filter(order__order_no="other1").update(unit_price=None)
    OrderItem.objects.filter(order__order_no="other2").update(product_name="A jug")
    jug = viewer.get(f"/desk/skus/?sort={sort}").context["rows"][0]
    assert (jug.sku, jug.orders, jug.units, jug.name) == ("JUG-03", 4, 9, "A jug")
    assert list(jug.value.items()) == [("CHF", Decimal("47.5000")), ("EUR", Decimal("28.5000"))]
    assert jug.oldest == NOW - timedelta(minutes=90)


SKUS_BY_SORT = {
    "oldest": ["JUG-03", "CUP-02", "MUG-01"],
    "newest": ["CUP-02", "MUG-01", "JUG-03"],
    "highest": ["MUG-01", "CUP-02", "JUG-03"],
    "lowest": ["CUP-02", "JUG-03", "MUG-01"],
    "most": ["MUG-01", "CUP-02", "JUG-03"],
    "fewest": ["CUP-02", "JUG-03", "MUG-01"],
    "sku": ["CUP-02", "JUG-03", "MUG-01"],
    "sku_last": ["MUG-01", "JUG-03", "CUP-02"],
}


@pytest.mark.parametrize("sort", SKUS_BY_SORT)
def test_pages_of_skus_show_each_once(
    viewer: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(sku_queries, "PAGE", 1)
    make_short(outage, "jug", [("JUG-03", 2)], minutes_ago=90)
    seen, cursor = [], ""
    for _ in range(3):
        answer = viewer.get("/desk/skus/", {"sort": sort, "cursor": cursor})
        seen += [row.sku for row in answer.context["rows"]]
        cursor = answer.context["page"].next_cursor
    assert cursor == ""
    assert seen == SKUS_BY_SORT[sort]
