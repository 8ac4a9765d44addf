"""The oversold desk: its two views with their filters, who looks after an order, and notes."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.console.desk import queries, sku_queries, views
from coc_admin.models import AuditEntry, Profile
from orders.desk import shortages
from orders.models import DeskEntry, InventoryRecord, Order, OrderItem
from orders.units import note_open
from reconciliation.models import AttemptOutcome
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import NOW, Scene


def numbers(answer: Any) -> list[str]:
    """Return the order numbers of the list, in its order."""
    return [row.order.order_no for row in answer.context["rows"]]


def make_short(outage: Scene, order_no: str, items: list[tuple[str, float]], **more: Any) -> Order:
    """Capture an order of which OCI then has nothing."""
    order = scene.place(outage.site, order_no, items=items, **more)
    nothing = [0] * len(items)
    scene.answer(outage.run, order, *nothing, outcome=AttemptOutcome.NOTHING)
    order.refresh_from_db()
    return order


def user(name: str) -> User:
    return User.objects.get(username=name)


def limit(name: str, *sites: str) -> None:
    """Let a person see these sites only."""
    Profile.objects.create(user=user(name), every_site=False).sites.set(sites)


def test_the_desk_lists_what_is_short_and_what_stock_says(viewer: Client, outage: Scene) -> None:
    InventoryRecord.objects.filter(sku="CUP-02").update(snapshot_ato=Decimal(0), ato=0)
    answer = viewer.get("/desk/")
    assert numbers(answer) == ["0000012341", "0000012342"]
    partial, nothing = (row.short for row in answer.context["rows"])
    stock = outage.site.inventory_list_id
    assert partial.by_key == {(stock, "MUG-01"): 1, (stock, "CUP-02"): 1}
    assert (partial.units, partial.value, partial.stock) == (2, Decimal("19.0000"), "part")
    assert (nothing.units, nothing.value, nothing.stock) == (3, Decimal("28.5000"), "part")
    assert (answer.context["number"], answer.context["more"]) == (2, False)
    assert b"2 short orders are not settled yet." in answer.content


def test_stock_says_enough_none_or_not_known(viewer: Client, outage: Scene) -> None:
    enough = make_short(outage, "enough", [("JUG-03", 3)])
    unknown = make_short(outage, "unknown", [("CUP-02", 3)])
    InventoryRecord.objects.filter(sku="MUG-01").update(snapshot_ato=Decimal(0), ato=0)
    InventoryRecord.objects.filter(sku="CUP-02").update(snapshot_ato=None, ato=0)
    found = shortages.shortages_of([enough.pk, unknown.pk, outage.nothing.pk])
    assert [found[pk].stock for pk in found] == ["enough", "unknown", "none"]


def test_a_row_shows_three_of_its_skus_and_leads_to_its_pages(
    merchandiser: Client, outage: Scene
) -> None:
    skus = ("MUG-01", "CUP-02", "JUG-03", "MUG-01", "POT-04")
    order = make_short(outage, "N-SKUS", [(sku, 1) for sku in skus[:4]], minutes_ago=90)
    page = merchandiser.get("/desk/").content.decode()
    row = page.partition("Choose order: N-SKUS")[2].partition("</tr>")[0]
    shown = [f'short-sku" title="{sku}">{units} ×' for units, sku in zip("211", skus, strict=False)]
    assert [row.count(words) for words in shown] == [1, 1, 1]
    assert "…" not in row
    links = (
        f"/orders/{order.pk}/",
        f"/desk/?of=3&amp;order={order.pk}",
        f"/desk/orders/{order.pk}/",
    )
    assert [page.count(f'href="{link}"') for link in links] == [1, 1, 1]
    OrderItem.objects.filter(pk=order.items.latest("position").pk).update(sku=skus[4])
    page = merchandiser.get("/desk/").content.decode()
    row = page.partition("Choose order: N-SKUS")[2].partition("</tr>")[0]
    assert row.count("short-sku") == 3
    assert row.count('<span class="text-secondary">…</span>') == 1


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
        ("?sku=MUG-01&amp;sort=newest", "ascending", "Promised"),
        ("?sku=MUG-01&amp;sort=highest", "", "Value"),
    ],
    "/desk/?sort=highest&order=7&done=3": [
        ("?sort=oldest&amp;order=7", "", "Promised"),
        ("?sort=lowest&amp;order=7", "descending", "Value"),
    ],
    "/desk/?sort=lowest": [
        ("?sort=oldest", "", "Promised"),
        ("?sort=highest", "ascending", "Value"),
    ],
    "/desk/skus/?sort=sku": [
        ("?sort=sku_last", "ascending", "SKU"),
        ("?sort=most", "", "Short units"),
        ("?sort=highest", "", "Value"),
        ("?sort=oldest", "", "Oldest promise"),
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


def test_cancelled_and_replaced_units_are_short_no_more(viewer: Client, outage: Scene) -> None:
    OrderItem.objects.filter(order=outage.partial, sku="CUP-02").update(cancelled_quantity=1)
    row = viewer.get("/desk/?short=part").context["rows"][0].short
    assert (row.units, row.value) == (1, Decimal("9.5000"))
    assert [r.units for r in viewer.get("/desk/skus/?sku=CUP-02").context["rows"]] == [1]


@pytest.mark.parametrize("path", ["/desk/", "/desk/?sort=highest", "/desk/skus/"])
def test_as_many_queries_for_2_as_for_40_orders(
    viewer: Client, outage: Scene, path: str, django_assert_num_queries: Any
) -> None:
    # An order that is short of one product alone is looked up for a replacement.
    make_short(outage, "one", [("JUG-03", 1)])
    viewer.get(path)
    with django_assert_num_queries(24, exact=False) as few:
        viewer.get(path)
    for number in range(40):
        order = make_short(outage, f"N{number}", [("JUG-03", 1)])
        DeskEntry.objects.create(order=order, assignee=user("vera"), note="n", noted_at=NOW)
    with django_assert_num_queries(len(few)):
        viewer.get(path)


@pytest.mark.parametrize(
    ("path", "queries"),
    [("/desk/", 21), ("/desk/?sort=highest", 22), ("/desk/skus/", 16)],
)
@pytest.mark.parametrize("site", ["", "NorthShop"])
def test_so_many_queries_and_no_more(
    viewer: Client,
    outage: Scene,
    path: str,
    queries: int,
    site: str,
    django_assert_num_queries: Any,
) -> None:
    if site:
        limit("vera", site)
    viewer.get(path)
    # The alert about short orders has the figures of the person's sites, and their value.
    with django_assert_num_queries(queries + (1 if site else 0)):
        viewer.get(path)


def test_another_site_is_not_seen_or_guessed(merchandiser: Client, outage: Scene) -> None:
    limit("mia", "South Shop & Co")
    for path in ("/desk/", "/desk/?site=NorthShop", "/desk/?sku=MUG-01", "/desk/skus/"):
        answer = merchandiser.get(path)
        assert list(answer.context["rows"]) == []
        assert b"NorthShop-stock" not in answer.content
        assert b"0000012341" not in answer.content
    key = outage.partial.pk
    assert merchandiser.get(f"/desk/orders/{key}/").status_code == 404
    assert merchandiser.post(f"/desk/orders/{key}/", {"note": "x"}).status_code == 404
    merchandiser.post("/desk/assign/", {"shown": f"{key}:0", "assignee": user("mia").pk})
    assert not DeskEntry.objects.exists()


def test_an_empty_desk_says_so(viewer: Client, db: None) -> None:
    assert b"No open order is oversold." in viewer.get("/desk/").content
    assert b"Nothing is short" in viewer.get("/desk/skus/").content


def test_a_viewer_looks_and_changes_nothing(viewer: Client, outage: Scene) -> None:
    page = viewer.get("/desk/").content.decode()
    assert "/desk/orders/" not in page
    for word in ("mine:", 'value="cancel"', 'value="rerun"', 'value="assign"'):
        assert word not in page
    key = outage.partial.pk
    assert viewer.get(f"/desk/orders/{key}/").status_code == 403
    assert viewer.post("/desk/assign/", {"shown": f"{key}:0"}).status_code == 403
    ticked = {"shown": f"{key}:0", "order": key}
    for do in ("cancel", "settle_outside", "rerun", "assign", f"mine:{key}"):
        assert viewer.post("/chosen/desk/", ticked | {"do": do}).status_code == 403
    assert not DeskEntry.objects.exists()


def test_the_navigation_and_the_home_page_lead_to_the_desk(viewer: Client, outage: Scene) -> None:
    page = viewer.get("/").content.decode()
    assert page.count('href="/desk/"') == 2
    assert page.count('href="/desk/?view=first"') == 1


def test_note_and_assignee_are_saved_with_their_author(merchandiser: Client, outage: Scene) -> None:
    path, mia = f"/desk/orders/{outage.partial.pk}/", user("mia")
    form = {"shown": f"{outage.partial.pk}:0", "was_note": "", "assignee": mia.pk}
    for _ in range(2):
        answer = merchandiser.post(path, form | {"note": " Calls back\r\non Friday. "})
    assert (answer.status_code, answer["Location"]) == (302, "/desk/")
    entry = DeskEntry.objects.get()
    assert (entry.assignee, entry.assigned_by) == (mia, "mia")
    assert (entry.note, entry.noted_by) == ("Calls back\non Friday.", "mia")
    assert [one.action for one in AuditEntry.objects.all()] == ["desk.assigned", "desk.noted"]
    row = merchandiser.get("/desk/?assignee=me").context["rows"][0]
    assert row.order == outage.partial


@pytest.mark.parametrize("first", ["note", "assignee"])
def test_the_loser_of_a_race_sees_what_has_changed_and_keeps_the_input(
    merchandiser: Client, outage: Scene, first: str
) -> None:
    otto = scene.make_user("otto", *scene.MERCHANDISER)
    entry = DeskEntry.objects.create(order=outage.partial, assigned_by="otto", noted_by="otto")
    entry.assigned_at = entry.noted_at = NOW
    entry.note = "Otto was first." if first == "note" else ""
    entry.assignee = otto if first == "assignee" else None
    entry.save()
    answer = merchandiser.post(
        f"/desk/orders/{outage.partial.pk}/",
        {
            "shown": f"{outage.partial.pk}:0",
            "was_note": "",
            "assignee": user("mia").pk,
            "note": "My own words.",
        },
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "another person has changed this in the meantime" in page
    assert ">My own words.</textarea>" in page
    assert ("“Otto was first.”" if first == "note" else "Assignee now: otto") in page
    now = DeskEntry.objects.get()
    assert (now.note, now.assignee) == (entry.note, entry.assignee)
    assert not AuditEntry.objects.exists()


def test_only_those_who_may_remedy_it_can_be_assigned(merchandiser: Client, outage: Scene) -> None:
    vera = scene.make_user("vera", *scene.VIEWER)
    south = scene.make_user("sue", *scene.MERCHANDISER)
    limit("sue", "South Shop & Co")
    for other, words in ((vera, "Choose a person"), (south, "cannot see the site")):
        answer = merchandiser.post(
            f"/desk/orders/{outage.partial.pk}/",
            {"shown": f"{outage.partial.pk}:0", "assignee": other.pk, "note": "kept"},
        )
        assert answer.status_code == 409
        assert words in answer.content.decode()
        assert ">kept</textarea>" in answer.content.decode()
    people = merchandiser.get("/desk/").context["people"]
    assert [one.username for one in people] == ["mia", "sue"]
    assert not DeskEntry.objects.exists()


def test_many_orders_are_assigned_but_not_those_taken_meanwhile(
    merchandiser: Client, outage: Scene
) -> None:
    otto, mia = scene.make_user("otto", *scene.MERCHANDISER), user("mia")
    both = [outage.partial.pk, outage.nothing.pk]
    merchandiser.post("/chosen/desk/", {"shown": [f"{pk}:0" for pk in both], "order": both})
    DeskEntry.objects.create(
        order=outage.partial, assignee=otto, assigned_at=NOW, assigned_by="otto"
    )
    answer = merchandiser.post("/chosen/desk/", {"do": "assign", "assignee": mia.pk})
    assert answer.status_code == 409
    assert [(o.order_no, held) for o, _, held in answer.context["rows"]] == [
        ("0000012341", otto.pk)
    ]
    assert DeskEntry.objects.get(order=outage.partial).assignee == otto
    assert DeskEntry.objects.get(order=outage.nothing).assignee == mia

    again = {"shown": f"{outage.partial.pk}:{otto.pk}", "assignee": mia.pk}
    assert merchandiser.post("/desk/assign/", again)["Location"] == "/desk/"
    assert DeskEntry.objects.filter(assignee=mia).count() == 2


def test_one_button_takes_an_order_and_keeps_the_filters(
    merchandiser: Client, outage: Scene
) -> None:
    key = outage.nothing.pk
    answer = merchandiser.post(
        "/chosen/desk/?sku=MUG-01", {"shown": f"{key}:0", "do": f"mine:{key}"}
    )
    assert answer["Location"] == "/desk/?sku=MUG-01"
    assert DeskEntry.objects.get().assignee == user("mia")


def test_hostile_notes_are_shown_as_text(merchandiser: Client, outage: Scene) -> None:
    DeskEntry.objects.create(
        order=outage.partial, note='"><script>alert(1)</script>', noted_at=NOW, noted_by="<b>"
    )
    for path in ("/desk/", f"/desk/orders/{outage.partial.pk}/"):
        page = merchandiser.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<b>" not in page.split("<main")[1]


def test_shortcuts_are_listed_unless_switched_off(viewer: Client, outage: Scene) -> None:
    assert b'id="shortcuts"' in viewer.get("/desk/").content
    Profile.objects.create(user=user("vera"), shortcuts=False)
    page = viewer.get("/desk/").content
    assert b'id="shortcuts"' not in page
    assert b"shortcuts.js" not in page
