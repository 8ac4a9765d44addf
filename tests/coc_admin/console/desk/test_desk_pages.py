"""The oversold desk: its two views, who may see them, and their queries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from coc_admin.models import Profile
from orders.desk import shortages
from orders.models import DeskEntry, InventoryRecord, OrderItem
from tests.coc_admin.console.desk.short_orders import limit, make_short, numbers, user
from tests.coc_admin.console.scene import NOW, Scene


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


def test_shortcuts_are_listed_unless_switched_off(viewer: Client, outage: Scene) -> None:
    assert b'id="shortcuts"' in viewer.get("/desk/").content
    Profile.objects.create(user=user("vera"), shortcuts=False)
    page = viewer.get("/desk/").content
    assert b'id="shortcuts"' not in page
    assert b"shortcuts.js" not in page
