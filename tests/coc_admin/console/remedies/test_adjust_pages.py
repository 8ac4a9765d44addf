"""Adjusting a reservation document, as operators do it; OCI is the simulator."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.models import Profile
from orders.models import (
    Adjustment,
    InventoryList,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
)
from reconciliation import remedies
from reconciliation.connection import clients
from reconciliation.models import ReservationDocument
from reconciliation.reservation import stock_refresh
from tests import factories
from tests.engine import D, Engine, quantities, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator

REASON = "One is damaged."


@pytest.fixture
def order(engine: Engine) -> Order:
    """An order of 3 MUG and 2 CUP of `web`, completely reserved; 9 MUG are in `outlet`."""
    site = engine.site({"MUG": 10, "CUP": 5})
    InventoryList.objects.create(pk="outlet")
    factories.permit_lists(site, "outlet")
    engine.at_oci({"MUG": 9}, location="dc2")
    at = engine.clock() - timedelta(hours=1)
    factories.know_stock({"MUG": 9}, list_id="outlet", at=at)
    engine.clock.now -= timedelta(minutes=5)
    order = engine.place(site, "A1", [("MUG", 3), ("CUP", 2)]).order
    engine.clock.go(60)
    count_it(engine)
    return order


def count_it(engine: Engine) -> None:
    """Let OCI's figures count its answers."""
    keys = InventoryRecord.objects.values_list("inventory_list", "sku")
    stock_refresh.refresh(keys=keys, client=clients.shared_client(), clock=engine.clock)


def path_of(order: Order) -> str:
    document = ReservationDocument.objects.get(order=order, state="counted")
    return f"/orders/{order.pk}/documents/{document.pk}/adjust/"


def filled(mug: str = "3", to: str = "web", cup: str = "2") -> dict[str, Any]:
    """What the form sends; lines are in the order of the SKU."""
    return {
        "list": ["web", "web"],
        "sku": ["CUP", "MUG"],
        "held": ["2", "3"],
        "keep": [cup, mug],
        "to": ["web", to],
    }


def rows() -> list[Any]:
    models = (Order, OrderItem, OrderEvent, InventoryRecord, Movement, Adjustment)
    return [list(model.objects.order_by("pk").values()) for model in models]


def confirm(client: Client, order: Order, **chosen: str) -> Any:
    return client.post(
        path_of(order), filled(**chosen) | {"confirm": "1", "reason": REASON}, follow=True
    )


def test_a_part_is_released_with_a_preview_and_once(
    operator: Client, order: Order, engine: Engine
) -> None:
    path = path_of(order)
    assert path.encode() in operator.get(f"/orders/{order.pk}/").content
    page = operator.get(path).content.decode()
    assert re.findall(r'name="keep"[^>]* value="([^"]*)"', page) == ["2", "3"]
    assert "outlet (9 available)" in page
    before = rows()
    shown = operator.post(path, filled(mug="2")).content.decode()
    assert '2 of 3 × <span class="code">MUG</span> stay in' in shown
    assert "The order becomes short of the 1 released units" in shown
    assert '<span class="code">MUG</span> in <span class="code">web</span>: 7 are' in shown
    asked = operator.post(path, filled(mug="2") | {"confirm": "1", "reason": " "})
    assert b"Enter a reason." in asked.content
    again = operator.post(path, filled(mug="2") | {"change": "1"}).content.decode()
    assert re.findall(r'name="keep"[^>]* value="([^"]*)"', again) == ["2", "2"]
    assert rows() == before

    for _ in range(2):
        answer = operator.post(path, filled(mug="2") | {"confirm": "1", "reason": REASON})
        assert (answer.status_code, answer["Location"]) == (302, f"/orders/{order.pk}/")
    told = operator.get(f"/orders/{order.pk}/")
    assert (
        b"OCI has released the old reservation. OCI&#x27;s answer: OCI reserved everything"
        in told.content
    )
    assert quantities(order) == [("MUG", D(3), D(2)), ("CUP", D(2), D(2))]
    assert engine.held() == {"MUG": D(2), "CUP": D(2)}
    lines = [(line.title, line.who, line.why, line.notes) for line in told.context["story"]]
    note = ("2 of 3 × MUG kept in web",)
    assert lines.count(("Reservation adjusted manually", "otto", REASON, note)) == 1
    assert lines.count(("Adjustment requested", "otto", REASON, note)) == 1
    # The old document is past; the new one can be adjusted again.
    assert path.encode() not in told.content
    assert path_of(order).encode() in told.content
    assert b"Nothing is counted under this document." in operator.get(path).content


def test_an_item_moves_to_another_list(operator: Client, order: Order, engine: Engine) -> None:
    shown = operator.post(path_of(order), filled(to="outlet")).content.decode()
    assert 'move from <span class="code">web</span> to <span class="code">outlet</span>' in shown
    page = confirm(operator, order, to="outlet").content.decode()
    assert 'from <span class="code">outlet</span>' in " ".join(page.split())
    assert "3 of 3 × MUG moved from web to outlet" in page
    assert OrderItem.objects.get(sku="MUG").inventory_list_id == "outlet"
    order.refresh_from_db()
    assert order.reservation_state == "COMPLETELY_RESERVED"


def test_with_nothing_kept_it_is_giving_the_document_back(operator: Client, order: Order) -> None:
    path = path_of(order)
    before = rows()
    for more in ({}, {"confirm": "1", "reason": REASON}):
        answer = operator.post(path, filled(mug="0", cup="0") | more)
        assert answer.status_code == 302
        assert answer["Location"] == path.replace("adjust", "give-back")
    assert rows() == before


def test_a_scarce_sku_is_refused_with_the_figure(
    operator: Client, order: Order, engine: Engine
) -> None:
    engine.at_oci({"MUG": 1}, location="dc2")
    engine.clock.go(60)
    count_it(engine)
    before = rows()
    shown = operator.post(path_of(order), filled(to="outlet")).content.decode()
    assert "1 of MUG (outlet) are available to order, and 3 are needed." in shown
    answer = confirm(operator, order, to="outlet")
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Not adjusted. The order keeps its old reservation." in page
    assert "Alternatively, give the whole document back" in page
    assert f'value="{REASON}"' in page
    assert rows() == before


def test_a_part_of_a_scarce_sku_is_released_where_it_is(
    operator: Client, order: Order, engine: Engine
) -> None:
    engine.at_oci({"MUG": 4})
    engine.clock.go(60)
    count_it(engine)
    path, before = path_of(order), rows()
    shown = operator.post(path, filled(mug="2")).content.decode()
    assert "releases only the rest, so nobody else can take them." in shown
    assert 'name="release"' in shown
    assert 'name="confirm"' not in shown
    # A page from before the SKU was scarce is refused, and shows what can be done.
    refused = confirm(operator, order, mug="2")
    assert refused.status_code == 409
    assert b'name="release"' in refused.content
    assert rows() == before

    for _ in range(2):
        sent = filled(mug="2") | {"release": "1", "reason": REASON}
        told = operator.post(path, sent, follow=True)
        assert told.status_code == 200
        assert b"OCI has released the units. OCI&#x27;s answer: released." in told.content
    assert quantities(order) == [("MUG", D(3), D(2)), ("CUP", D(2), D(2))]
    assert engine.held() == {"MUG": D(2), "CUP": D(2)}
    lines = [(line.title, line.why, line.notes) for line in told.context["story"]]
    assert lines.count(("Reservation given back manually", REASON, ("1 × MUG",))) == 1
    assert ("Asked OCI to release units", "OCI's answer: released.", ()) in lines
    assert b"Released at OCI" in told.content
    # What is left can be given back; the page says how much that is.
    left = operator.get(path).content.decode()
    assert [float(held) for held in re.findall(r'name="held" value="([^"]*)"', left)] == [2, 2]


def test_oci_short_of_it_is_said_with_the_figures(
    operator: Client, order: Order, engine: Engine
) -> None:
    engine.at_oci({"MUG": 1}, location="dc2")
    answer = confirm(operator, order, to="outlet")
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "OCI had 1 of MUG in outlet, and 3 are needed." in page
    assert f'href="/orders/{order.pk}/#story-title"' in page
    assert quantities(order) == [("MUG", D(3), D(3)), ("CUP", D(2), D(2))]
    assert engine.held() == {"MUG": D(3), "CUP": D(2)}


def test_without_an_answer_the_order_says_so_and_offers_nothing_else(
    operator: Client, order: Order, engine: Engine
) -> None:
    path = path_of(order)
    engine.oci.fault("drop", operations=["put"])
    page = confirm(operator, order, mug="2").content.decode()
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert "OCI has not answered clearly. The order stays as it is" in page
    assert "A reservation of this order is being adjusted" in page
    assert "2 of 3 × MUG kept in web" in page
    for other in ("adjust", "give-back", "replace", "settle"):
        assert f"/{other}/" not in page
    assert f"/orders/{order.pk}/cancel/" in page
    assert b"is being adjusted. Try again" in operator.get(path).content
    # The same again finds it under way; something else is refused.
    assert confirm(operator, order, mug="2").status_code == 200
    other = confirm(operator, order, mug="1")
    assert other.status_code == 409
    assert remedies.finish_adjustments(clock=engine.clock) == 1
    assert quantities(order) == [("MUG", D(3), D(2)), ("CUP", D(2), D(2))]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mug": "4"}, "Keep at most 3."),
        ({"mug": "-1"}, "Keep 0 or more."),
        ({"mug": "two"}, "Use a number like 2 or 2.5."),
        ({"mug": ""}, "Enter how many units to keep. 0 releases them all."),
        ({"to": "moon"}, "Choose one of the lists."),
    ],
)
def test_nonsense_is_explained_beside_the_line(
    operator: Client, order: Order, change: dict[str, str], words: str
) -> None:
    before = rows()
    answer = operator.post(path_of(order), filled(**change) | {"confirm": "1", "reason": REASON})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert answer.content.count(b'aria-invalid="true"') == 1
    assert rows() == before


@pytest.mark.parametrize("hostile", [{"sku": "MUG"}, {"keep": ["1"] * 500}, {"list": []}, {}])
def test_lines_that_do_not_fit_show_the_form_anew(
    operator: Client, order: Order, hostile: dict[str, Any]
) -> None:
    before = rows()
    sent = filled() | hostile if hostile else {}
    answer = operator.post(path_of(order), sent | {"confirm": "1", "reason": REASON})
    assert answer.status_code in (200, 409)
    assert rows() == before


def test_nothing_is_moved_to_a_list_that_one_may_not_see(operator: Client, order: Order) -> None:
    profile, _ = Profile.objects.get_or_create(user=User.objects.get(username="otto"))
    profile.every_site = False
    profile.save()
    profile.sites.add(order.site)
    page = operator.get(path_of(order)).content
    assert b"outlet" not in page
    answer = operator.post(path_of(order), filled(to="outlet"))
    assert b"Choose one of the lists." in answer.content


def test_merchandisers_may_not_adjust(merchandiser: Client, order: Order) -> None:
    before, path = rows(), path_of(order)
    assert path.encode() not in merchandiser.get(f"/orders/{order.pk}/").content
    assert merchandiser.get(path).status_code == 403
    assert merchandiser.post(path, filled(mug="2")).status_code == 403
    assert rows() == before


def test_what_must_stay_is_refused_with_the_reason(operator: Client, order: Order) -> None:
    Order.objects.update(export_status="exported")
    before = rows()
    page = operator.get(path_of(order)).content
    assert b"may be shipping the reserved items" in page
    assert b"<form method" not in page.split(b"<main")[1].split(b"</main>")[0]
    assert confirm(operator, order, mug="2").status_code == 409
    assert rows() == before
    assert operator.get(f"/orders/{order.pk}/documents/{10**9}/adjust/").status_code == 404


def test_in_german(operator: Client, order: Order) -> None:
    Profile.objects.update_or_create(
        user=User.objects.get(username="otto"), defaults={"language": "de"}
    )
    page = operator.post(path_of(order), filled(to="outlet")).content.decode()
    assert "Was geschehen wird" in page
    assert 'werden von <span class="code">web</span> nach' in page
