"""The inventory list and the page of a SKU."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from coc_admin.console.stock import queries
from orders import ledger
from orders.ledger import Figure
from orders.models import Hold, InventoryRecord, Order
from tests.coc_admin.console.scene import NOW, Scene, make_shop, make_user, place

LIST = "NorthShop-stock"


def skus(answer: Any) -> list[str]:
    return [record.sku for record in answer.context["page"].rows]


def know(*figures: tuple[str, int], list_id: str = LIST, name: str = "") -> None:
    ledger.apply_snapshot(
        figures=[Figure(list_id, sku, Decimal(n), product_name=name) for sku, n in figures],
        taken_at=NOW,
        lag=timedelta(seconds=3),
        now=NOW,
    )


def test_list_shows_each_sku_of_each_list(viewer: Client, outage: Scene) -> None:
    know(("MUG-01", 50), name="Mug <b>")
    answer = viewer.get("/inventory/")
    told = [
        (r.inventory_list_id, r.sku, r.ato, r.held, r.snapshot_ato)
        for r in answer.context["page"].rows
    ]
    assert told == [
        (LIST, "CUP-02", 94, 6, 100),
        (LIST, "JUG-03", 100, 0, 100),
        (LIST, "MUG-01", 44, 6, 50),
        ("South-stock", "CUP-02", 100, 0, 100),
        ("South-stock", "JUG-03", 100, 0, 100),
        ("South-stock", "MUG-01", 100, 0, 100),
    ]
    page = answer.content.decode()
    assert "Mug &lt;b&gt;" in page
    assert "2 Feb 2026, 10:00 UTC" in page
    assert '<a href="/inventory/" aria-current="page"' in page


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"list={LIST}", ["CUP-02", "JUG-03", "MUG-01", "ZERO", "free"]),
        ("list=South-stock&sku=M", ["MUG-01"]),
        ("sku=MUG", ["MUG-01", "MUG-01"]),
        ("sku=mug", []),
        ("sku=UG", []),
        ("sku=%25", []),
        ("most=0", ["ZERO"]),
        (f"most=99.5&list={LIST}", ["CUP-02", "ZERO"]),
        (f"list={LIST}&sku=Z&most=0", ["ZERO"]),
        ("list=nowhere&sku=ZERO", ["ZERO"]),
        ("sku=none", []),
    ],
)
def test_filters(viewer: Client, db: None, query: str, found: list[str]) -> None:
    site = make_shop()
    make_shop("South Shop & Co")
    know(("ZERO", 0))
    ledger.add_untracked([(LIST, "free")])
    place(site, "1", items=[("CUP-02", 1)])
    assert skus(viewer.get(f"/inventory/?{query}")) == found


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("most=few", "Use a number like 5."),
        ("most=-1", "Ensure this value is greater than or equal to 0."),
        ("most=1e999999", "Ensure that there are no more than 12 digits in total."),
        ("sku=" + "x" * 251, "Use at most 250 characters."),
    ],
)
def test_mistake_is_shown_and_finds_nothing(
    viewer: Client, outage: Scene, query: str, words: str
) -> None:
    answer = viewer.get(f"/inventory/?{query}")
    assert (answer.status_code, skus(answer)) == (200, [])
    assert words in answer.content.decode()


def test_pages_show_each_record_once(
    viewer: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 4)
    make_shop()
    make_shop("South Shop & Co")
    know(("a", 1), ("Z", 1), ("ä", 1), ("_", 1), ("10", 1), ("9~9", 1))
    seen, cursor = [], ""
    for _ in range(3):
        answer = viewer.get("/inventory/", {"cursor": cursor})
        seen += [(r.inventory_list_id, r.sku) for r in answer.context["page"].rows]
        cursor = answer.context["page"].next_cursor
    assert cursor == ""
    first = ["10", "9~9", "CUP-02", "JUG-03", "MUG-01", "Z", "_", "a", "ä"]
    assert seen == [(LIST, sku) for sku in first] + [
        ("South-stock", sku) for sku in ("CUP-02", "JUG-03", "MUG-01")
    ]


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("cursor", ["x", "ü", "~", "AAAA", "YQ", "%00", "fgA", "=" * 9, "_" * 5000])
def test_cursor_that_is_none_is_the_start(viewer: Client, outage: Scene, cursor: str) -> None:
    assert len(skus(viewer.get("/inventory/", {"cursor": cursor}))) == 6


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("sku", ["MUG-01#1?x", "a&b=c", "'\"$(x)", "ключ", "..", "a" * 250])
def test_sku_with_odd_characters_has_its_page(viewer: Client, db: None, sku: str) -> None:
    make_shop()
    know((sku, 5))
    (record,) = viewer.get("/inventory/", {"sku": sku}).context["page"].rows
    answer = viewer.get(f"/inventory/{record.pk}/")
    assert answer.status_code == 200
    assert f'href="/orders/?q={quote(sku, safe="")}"' in answer.content.decode()


def test_sku_page_says_what_the_figure_is_made_of(viewer: Client, outage: Scene) -> None:
    record = InventoryRecord.objects.get(inventory_list=LIST, sku="MUG-01")
    answer = viewer.get(f"/inventory/{record.pk}/")
    makeup = answer.context["makeup"]
    # Waiting: in review, being cancelled, and waiting. Answered: complete, partial and nothing.
    assert (makeup.waiting, makeup.waiting_orders) == (6, 3)
    assert (makeup.answered, makeup.answered_orders, makeup.deficit) == (6, 3, 0)
    told = [
        (h.order.order_no, h.quantity, h.get_state_display()) for h in answer.context["holds"].rows
    ]
    answered = "Answered by OCI; held until a later snapshot"
    assert told == [
        ("0000012340", 2, answered),
        ("0000012341", 2, answered),
        ("0000012342", 2, answered),
        ("0000012343", 2, "Waiting for OCI's answer"),
        ("0000012344", 2, "Waiting for OCI's answer"),
        ("0000012345", 2, "Waiting for OCI's answer"),
    ]
    ledger.release(order=outage.cancelled, now=NOW)
    answer = viewer.get(f"/inventory/{record.pk}/")
    moved = [
        (m.get_reason_display(), m.ato_change, m.held_change, m.hold and m.hold.order.order_no)
        for m in answer.context["movements"].rows
    ]
    captured = [("Order captured", -2, 2, f"00000123{n}") for n in range(45, 39, -1)]
    assert moved == [
        ("Hold given back", 2, -2, "0000012344"),
        *captured,
        ("New figure from OCI", 100, 0, None),
    ]
    page = answer.content.decode()
    assert ">+2<" in page
    assert ">−2<" in page
    assert f"/orders/{outage.waiting.pk}/" in page


def test_sku_page_tells_a_rerun_that_oci_has_not_answered_from_an_answer(
    viewer: Client, outage: Scene
) -> None:
    record = InventoryRecord.objects.get(inventory_list=LIST, sku="MUG-01")
    asked, answered = b"Requested again from OCI; held until", b'text-secondary">answered'
    before = viewer.get(f"/inventory/{record.pk}/")
    assert (before.content.count(asked), before.content.count(answered)) == (0, 3)
    later = timezone.now() + timedelta(minutes=1)
    Hold.objects.filter(order=outage.partial, record=record).update(answered_at=later)
    after = viewer.get(f"/inventory/{record.pk}/")
    assert (after.content.count(asked), after.content.count(answered)) == (1, 2)
    makeup = after.context["makeup"]
    assert (makeup.waiting, makeup.waiting_orders) == (8, 4)
    assert (makeup.answered, makeup.answered_orders) == (4, 2)


@pytest.mark.parametrize(
    ("status", "why"),
    [("failed", b"Refused to the shopper; held until"), ("cancelling", b"Being cancelled; held")],
)
def test_sku_page_says_why_a_refused_or_cancelled_order_still_holds(
    viewer: Client, outage: Scene, status: str, why: bytes
) -> None:
    Order.objects.update(status="new")
    record = InventoryRecord.objects.get(inventory_list=LIST, sku="MUG-01")
    assert why not in viewer.get(f"/inventory/{record.pk}/").content
    Order.objects.filter(pk=outage.waiting.pk).update(status=status)
    assert viewer.get(f"/inventory/{record.pk}/").content.count(why) == 1


def test_promises_beyond_the_figure_are_told(viewer: Client, outage: Scene) -> None:
    know(("MUG-01", 5))
    record = InventoryRecord.objects.get(inventory_list=LIST, sku="MUG-01")
    answer = viewer.get(f"/inventory/{record.pk}/")
    assert (record.ato, record.held, answer.context["makeup"].deficit) == (0, 6, 1)
    assert "captured orders hold 1 more than OCI’s figure" in answer.content.decode()


def test_uncounted_sku(viewer: Client, db: None) -> None:
    make_shop()
    ledger.add_untracked([(LIST, "free")])
    record = InventoryRecord.objects.get(sku="free")
    page = viewer.get(f"/inventory/{record.pk}/").content.decode()
    assert "no figure is known; orders are accepted without counting" in page
    assert "No order holds any of it." in page
    assert "There are no movements yet." in page
    assert "not counted" in viewer.get("/inventory/?sku=free").content.decode()


def test_holds_and_ledger_have_pages_of_their_own(
    viewer: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "HOLDS", 2)
    monkeypatch.setattr(queries, "PAGE", 3)
    site = make_shop()
    orders = [place(site, f"N{number}", items=[("MUG-01", 1)]) for number in range(5)]
    ledger.release(order=orders[0], now=NOW)
    record = InventoryRecord.objects.get(sku="MUG-01")
    holds, movements, path = [], [], f"/inventory/{record.pk}/"
    for _ in range(2):
        context = viewer.get(path).context
        holds += [hold.order.order_no for hold in context["holds"].rows]
        path = f"/inventory/{record.pk}/?holds={context['holds'].next_cursor}"
    path = f"/inventory/{record.pk}/"
    for _ in range(3):
        context = viewer.get(path).context
        movements += [m.held_change for m in context["movements"].rows]
        path = f"/inventory/{record.pk}/?cursor={context['movements'].next_cursor}"
    assert holds == ["N1", "N2", "N3", "N4"]
    assert movements == [-1, 1, 1, 1, 1, 1, 0]
    assert context["movements"].next_cursor == ""
    for rubbish in ("?cursor=x&holds=-1", "?cursor=" + "9" * 40):
        assert len(viewer.get(f"/inventory/{record.pk}/{rubbish}").context["holds"].rows) == 2


def test_pages_need_the_right_to_see_inventory(client: Client, outage: Scene) -> None:
    record = InventoryRecord.objects.first()
    assert record is not None
    client.force_login(make_user("nina", "orders.view_order"))
    for path in ("/inventory/", f"/inventory/{record.pk}/"):
        assert client.get(path).status_code == 403
    assert "/inventory/" not in client.get("/").content.decode()


def test_sku_that_does_not_exist(viewer: Client, outage: Scene) -> None:
    last = InventoryRecord.objects.order_by("-pk")[0].pk
    for key in (last + 1, "9" * 40, "x"):
        assert viewer.get(f"/inventory/{key}/").status_code == 404
    assert viewer.post(f"/inventory/{last}/").status_code == 405


def test_list_takes_a_bounded_number_of_queries(
    viewer: Client, db: None, django_assert_max_num_queries: Any
) -> None:
    make_shop()
    path = f"/inventory/?list={LIST}&sku=M&most=500"
    viewer.get(path)
    for count in (3, 60):
        know(*((f"M{number:02d}", 1) for number in range(count)))
        with django_assert_max_num_queries(24):
            assert len(skus(viewer.get(path))) == min(count + 1, 50)


def test_sku_page_takes_a_bounded_number_of_queries(
    viewer: Client, db: None, django_assert_max_num_queries: Any
) -> None:
    site = make_shop()
    record = InventoryRecord.objects.get(sku="MUG-01")
    viewer.get("/inventory/")
    for count in (3, 57):
        for number in range(count):
            place(site, f"N{count}-{number:02d}", items=[("MUG-01", 1)])
        with django_assert_max_num_queries(24):
            answer = viewer.get(f"/inventory/{record.pk}/")
        assert len(answer.context["movements"].rows) == min(count + 1, 50)


def test_an_index_answers_the_list_and_its_search(db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's plan depends on how many rows there are")
    make_shop()
    plan = queries.records(list_=None, prefix="", most=None).explain()
    assert "TEMP B-TREE" not in plan
    searched = queries.records(list_=None, prefix="MUG", most=None).explain()
    assert "inventory_list_id=? AND" in searched
    assert "TEMP B-TREE" not in searched
