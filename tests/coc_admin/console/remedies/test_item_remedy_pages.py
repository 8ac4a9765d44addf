"""Cancelling and replacing short items, as people do it; OCI is the simulator."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from orders.models import InventoryRecord, Order, OrderEvent, OrderItem, Replacement
from reconciliation.models import ReservationDocument
from tests.coc_admin.console.scene import Scene
from tests.engine import D, Engine, quantities, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator

REASON = "The shopper agreed."


@pytest.fixture
def short(engine: Engine) -> Order:
    """An order of 3 MUG, of which OCI had 1, and of 2 JUG, all there; 5 CUP are in stock."""
    site = engine.site({"MUG": 5, "JUG": 5, "CUP": 5})
    order = engine.capture(site, "A1", [("MUG", 3), ("JUG", 2)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    return order


def rows() -> list[Any]:
    models = (Order, OrderItem, OrderEvent, InventoryRecord, Replacement)
    return [list(model.objects.order_by("pk").values()) for model in models]


def shown(page: bytes, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]*)"', page.decode())


# Cancelling


def test_short_items_are_cancelled_with_a_preview_and_once(
    merchandiser: Client, outage: Scene
) -> None:
    path = f"/orders/{outage.partial.pk}/cancel-items/"
    order_page = f"/orders/{outage.partial.pk}/"
    assert path.encode() in merchandiser.get(order_page).content
    page = merchandiser.get(path).content
    assert b"Up to 2 short units will not be delivered. The 1 reserved units are kept" in page
    items = shown(page, "item")
    assert len(items) == 2

    for _ in range(2):
        answer = merchandiser.post(path, {"item": items, "reason": REASON})
        assert (answer.status_code, answer["Location"]) == (302, order_page)

    shown_after = merchandiser.get(order_page)
    told = [(line.title, line.who, line.why, line.notes) for line in shown_after.context["story"]]
    assert told[-1] == (
        "Short items cancelled",
        "mia",
        REASON,
        ("1 × MUG-01; 1 × CUP-02",),
    )
    assert [title for title, *_ in told].count("Short items cancelled") == 1
    assert b"1 cancelled" in shown_after.content
    assert list(Order.objects.oversold()) == [outage.nothing]
    assert shown_after.context["standing"].title == "Short items cancelled by mia; it was oversold"


def test_one_of_them_may_stay_open_and_all_are_opened_again(
    merchandiser: Client, outage: Scene
) -> None:
    path = f"/orders/{outage.partial.pk}/cancel-items/"
    first = shown(merchandiser.get(path).content, "item")[0]
    merchandiser.post(path, {"item": first, "reason": REASON})
    assert outage.partial in Order.objects.oversold()
    reopen = f"/orders/{outage.partial.pk}/reopen/"
    assert reopen.encode() in merchandiser.get(f"/orders/{outage.partial.pk}/").content
    assert b"The 1 cancelled units are short again." in merchandiser.get(reopen).content
    assert merchandiser.post(reopen, {"reason": "Found one."}).status_code == 302
    assert not OrderItem.objects.filter(cancelled_quantity__gt=0).exists()


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], b"Choose at least one item."),
        (["x:1"], b"does not belong to the order"),
        (["1:y"], b"does not belong to the order"),
    ],
)
def test_nonsense_is_explained(
    merchandiser: Client, outage: Scene, items: list[str], words: bytes
) -> None:
    before = rows()
    answer = merchandiser.post(
        f"/orders/{outage.partial.pk}/cancel-items/", {"item": items, "reason": " "}
    )
    assert answer.status_code == 200
    assert words in answer.content
    assert b"Enter a reason." in answer.content
    assert rows() == before


def test_the_loser_of_a_race_sees_what_changed_and_keeps_the_input(
    merchandiser: Client, outage: Scene
) -> None:
    path = f"/orders/{outage.partial.pk}/cancel-items/"
    items = shown(merchandiser.get(path).content, "item")
    OrderItem.objects.filter(order=outage.partial, sku="CUP-02").update(reserved_quantity=D(1))
    before = rows()
    answer = merchandiser.post(path, {"item": items, "reason": REASON})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Not cancelled. Nothing was changed." in page
    assert "0 of CUP-02 are short now, not 1" in page
    assert f'value="{REASON}"' in page
    assert rows() == before


def test_with_nothing_reserved_it_says_what_to_do(merchandiser: Client, outage: Scene) -> None:
    page = merchandiser.get(f"/orders/{outage.nothing.pk}/cancel-items/").content
    assert b"Cancel the whole order" in page
    assert b"<form method" not in page.split(b"<main")[1].split(b"</main>")[0]


@pytest.mark.parametrize("what", ["cancel-items", "replace"])
def test_viewers_may_not(viewer: Client, outage: Scene, what: str) -> None:
    path = f"/orders/{outage.partial.pk}/{what}/"
    before = rows()
    assert path.encode() not in viewer.get(f"/orders/{outage.partial.pk}/").content
    assert viewer.get(path).status_code == 403
    assert viewer.post(path, {"reason": REASON}).status_code == 403
    assert rows() == before


# Replacing


def test_a_replacement_is_chosen_previewed_and_reserved_once(
    merchandiser: Client, short: Order, engine: Engine
) -> None:
    path = f"/orders/{short.pk}/replace/"
    assert path.encode() in merchandiser.get(f"/orders/{short.pk}/").content
    OrderItem.objects.update(unit_price=D("9.50"))
    page = merchandiser.get(path)
    assert [one.sku for one, _ in page.context["suggestions"]] == ["CUP"]
    item = OrderItem.objects.get(sku="MUG")
    found = merchandiser.get(path, {"item": item.pk, "q": "CU"})
    assert [one.sku for one, _ in found.context["matches"]] == ["CUP"]

    page = merchandiser.get(path, {"item": item.pk, "sku": "CUP"})
    assert b"5 are available to order now. 2 are taken off at once." in page.content
    filled = {name: shown(page.content, name)[0] for name in ("item", "sku", "units")}
    assert filled == {"item": str(item.pk), "sku": "CUP", "units": "2.000"}
    before = rows()
    asked = merchandiser.post(path, filled | {"unit_price": "11", "preview": "1"}).content
    assert b"The difference is 3.00 USD in all" in asked
    assert b"Enter a reason." not in asked
    assert rows() == before
    for _ in range(2):
        answer = merchandiser.post(path, filled | {"unit_price": "11", "reason": REASON})
        assert (answer.status_code, answer["Location"]) == (302, f"/orders/{short.pk}/")

    assert quantities(short) == [("MUG", D(3), D(1)), ("JUG", D(2), D(2)), ("CUP", D(2), D(2))]
    assert engine.held() == {"MUG": D(1), "JUG": D(2), "CUP": D(2)}
    shown_after = merchandiser.get(f"/orders/{short.pk}/")
    last = shown_after.context["story"][-1]
    assert (last.title, last.notes) == (
        "Replaced",
        ("CUP instead of 2 × MUG", "Price difference: +3 USD"),
    )
    assert shown_after.context["sums"].short == 0
    assert b'replaces <span class="code">MUG</span>' in shown_after.content
    assert b"5 of 5 units are reserved" in shown_after.content
    assert path.encode() not in shown_after.content


def test_oci_short_of_it_is_said_with_the_figures(
    merchandiser: Client, short: Order, engine: Engine
) -> None:
    engine.at_oci({"CUP": 1})
    item = OrderItem.objects.get(sku="MUG")
    answer = merchandiser.post(
        f"/orders/{short.pk}/replace/",
        {"item": item.pk, "sku": "CUP", "units": "2", "unit_price": "8", "reason": REASON},
    )
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Not replaced. The order is unchanged." in page
    assert "OCI had 1 of CUP, and 2 are needed." in page
    assert f'value="{REASON}"' in page
    assert 'value="8"' in page
    assert quantities(short) == [("MUG", D(3), D(1)), ("JUG", D(2), D(2))]


def test_without_an_answer_the_order_says_so_and_offers_nothing_else(
    merchandiser: Client, short: Order, engine: Engine
) -> None:
    engine.oci.fault("drop", operations=["put"])
    item = OrderItem.objects.get(sku="MUG")
    answer = merchandiser.post(
        f"/orders/{short.pk}/replace/",
        {"item": item.pk, "sku": "CUP", "units": "2", "unit_price": "", "reason": REASON},
        follow=True,
    )
    engine.oci.fault("none")
    set_connection("ONLINE")
    page = answer.content.decode()
    assert "OCI has not answered clearly." in page
    assert "OCI is asked to reserve 2 CUP in place of short units." in page
    for other in ("replace", "cancel-items", "settle"):
        assert f"/orders/{short.pk}/{other}/" not in page
    assert f"/orders/{short.pk}/cancel/" in page


def test_a_wrong_price_or_item_is_explained(merchandiser: Client, short: Order) -> None:
    other = OrderItem.objects.get(sku="JUG")
    path, before = f"/orders/{short.pk}/replace/", rows()
    item = OrderItem.objects.get(sku="MUG")
    filled = {"item": item.pk, "sku": "CUP", "units": "2", "reason": REASON}
    page = merchandiser.post(path, filled | {"unit_price": "cheap"}).content
    assert b"Use a number like 49.90." in page
    answer = merchandiser.post(path, filled | {"item": other.pk})
    assert answer.status_code == 409
    assert b"0 of JUG are short now, not 2" in answer.content
    assert merchandiser.post(path, filled | {"item": 10**9}).status_code == 409
    assert rows() == before


# Giving a reservation back by hand


def test_a_document_is_given_back_with_a_preview_and_once(
    operator: Client, short: Order, engine: Engine
) -> None:
    document = ReservationDocument.objects.get()
    path = f"/orders/{short.pk}/documents/{document.pk}/give-back/"
    assert path.encode() in operator.get(f"/orders/{short.pk}/").content
    page = operator.get(path).content.decode()
    assert "which holds 3 units" in page
    assert str(document.reservation_id) in page
    assert b"Enter a reason." in operator.post(path, {"reason": " "}).content
    for _ in range(2):
        answer = operator.post(path, {"reason": REASON}, follow=True)
        assert b"OCI has released the reservation. OCI&#x27;s answer: cancelled." in answer.content
    assert quantities(short) == [("MUG", D(3), D(0)), ("JUG", D(2), D(0))]
    assert engine.held() == {}
    story = operator.get(f"/orders/{short.pk}/").context["story"]
    told = [(line.title, line.who, line.notes) for line in story]
    assert told.count(("Reservation given back manually", "otto", ("1 × MUG; 2 × JUG",))) == 1
    assert path.encode() not in operator.get(f"/orders/{short.pk}/").content
    assert operator.get(path).status_code == 200


def test_what_must_stay_is_refused_with_the_reason(operator: Client, short: Order) -> None:
    path = f"/orders/{short.pk}/documents/{ReservationDocument.objects.get().pk}/give-back/"
    Order.objects.update(export_status="exported")
    before = rows()
    answer = operator.post(path, {"reason": REASON})
    assert answer.status_code == 409
    assert b"may be shipping the reserved items" in answer.content
    assert rows() == before
    assert operator.get(f"/orders/{short.pk}/documents/{10**9}/give-back/").status_code == 404


def test_merchandisers_may_not_give_back(merchandiser: Client, short: Order) -> None:
    path = f"/orders/{short.pk}/documents/{ReservationDocument.objects.get().pk}/give-back/"
    before = rows()
    assert path.encode() not in merchandiser.get(f"/orders/{short.pk}/").content
    assert merchandiser.get(path).status_code == 403
    assert merchandiser.post(path, {"reason": REASON}).status_code == 403
    assert rows() == before
