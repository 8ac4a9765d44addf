"""The options for replacing one short SKU in many orders, and the preview."""

from __future__ import annotations

import pytest
from django.test import Client

from coc_admin.console.bulk import replace_views
from orders import cancellation
from orders.models import InventoryRecord, Order, OrderItem
from reconciliation.models import BulkRemedy
from tests import factories
from tests.coc_admin.console.bulk.choosing import begin
from tests.coc_admin.console.bulk.replacing_many import finish, form_of, picked, rows, text_of
from tests.coc_admin.console.bulk.replacing_many import short as short
from tests.engine import MIA, D, Engine, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator

# Choosing


def test_the_replacement_is_chosen_in_steps(merchandiser: Client, short: list[Order]) -> None:
    before = rows()
    path = begin(merchandiser, "replace", short[:3])
    page = merchandiser.get(path)
    words = text_of(page)
    assert "3 chosen orders in USD are short of 6 ×" in words
    # Enough for the order that is short of the fewest; the list says for how many it does.
    offered = [(one.sku, one.ato, served) for one, served in page.context["suggestions"]]
    assert offered == [("CUP", D(6), 3)]
    assert "all orders" in words

    found = merchandiser.get(path, {"q": "PO"})
    assert [one.sku for one, _ in found.context["matches"]] == ["POT"]
    link = "?list=web&amp;short=MUG&amp;currency=USD&amp;sku=POT"
    assert link in text_of(found)
    preview = merchandiser.get(path + link.replace("&amp;", "&"))
    assert preview.context["choice"].sku == "POT"
    assert len(preview.context["to_do"]) == 3
    assert rows() == before


def test_a_replacement_that_does_for_some_is_offered(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    InventoryRecord.objects.filter(sku="CUP").update(snapshot_ato=D(3), ato=D(3))
    engine.keeps_promises = False
    page = merchandiser.get(begin(merchandiser, "replace", short))
    offered = [(one.sku, one.ato, served) for one, served in page.context["suggestions"]]
    # 2 for the first, none for the second that needs 3, 1 for the third.
    assert ("CUP", D(3), 2) in offered
    assert "2 of 4 orders" in text_of(page)


def test_the_short_sku_is_chosen_where_there_are_several(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    other = engine.capture(short[0].site, "B1", [("POT", 2), ("MUG", 1)])
    engine.at_oci({"POT": 0})
    engine.reconcile()
    factories.change_currency(short[1], "EUR")
    path = begin(merchandiser, "replace", [*short, other])
    page = merchandiser.get(path)
    groups = [(one.sku, one.currency, one.orders, one.units) for one in page.context["groups"]]
    assert groups == [
        ("MUG", "USD", 4, D(6)),
        ("MUG", "EUR", 1, D(3)),
        ("POT", "USD", 1, D(2)),
    ]
    page = merchandiser.get(path, {"list": "web", "short": "MUG"})
    assert [one.currency for one in page.context["groups"]] == ["USD", "EUR"]
    page = merchandiser.get(path, {"short": "POT"})
    assert page.context["group"].sku == "POT"
    # Nonsense shows all there is to choose from.
    page = merchandiser.get(path, {"short": "NONE", "list": "x\0"})
    assert len(page.context["groups"]) == 3


def test_nothing_to_replace_is_said(merchandiser: Client, engine: Engine) -> None:
    order = engine.capture(engine.site({"MUG": 9}), "A1", [("MUG", 1)])
    page = merchandiser.get(begin(merchandiser, "replace", [order], listing="orders"))
    assert "The selected orders have no short item that can be replaced" in text_of(page)


def test_all_orders_short_of_one_sku_are_taken_from_the_desk_by_sku(
    merchandiser: Client, viewer: Client, engine: Engine, short: list[Order]
) -> None:
    other = engine.capture(short[0].site, "B1", [("POT", 2)])
    engine.at_oci({"POT": 0})
    engine.reconcile()
    assert 'name="row" value="web~MUG"' in text_of(merchandiser.get("/desk/skus/"))
    assert "desk/skus/replace" not in text_of(viewer.get("/desk/skus/"))
    asked = {"row": "web~MUG"}
    answer = merchandiser.post("/desk/skus/replace/?assignee=nobody", asked)
    page = merchandiser.get(answer["Location"])
    assert page.context["group"].sku == "MUG"
    made = BulkRemedy.objects.get()
    assert {line.order_id for line in made.lines.all()} == {order.pk for order in short}
    assert other.pk not in {line.order_id for line in made.lines.all()}

    for nonsense in ("", "web", "web~NONE", "MUG~web"):
        answer = merchandiser.post("/desk/skus/replace/", {"row": nonsense})
        assert answer["Location"] == "/desk/skus/"
    unstorable = {"row": "web~a\0b"}
    assert merchandiser.post("/desk/skus/replace/", unstorable).status_code == 400
    assert BulkRemedy.objects.count() == 1


def test_the_oldest_orders_are_taken_where_there_are_too_many(
    merchandiser: Client, short: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replace_views, "MOST_CHOSEN", 2)
    asked = {"row": "web~MUG"}
    page = merchandiser.post("/desk/skus/replace/", asked, follow=True)
    assert "The rest were left out" in text_of(page)
    assert [item.order for item in page.context["group"].items] == short[:2]


# The preview


def test_a_preview_tells_of_each_order_and_changes_nothing(
    merchandiser: Client, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short)
    before = rows()
    page = picked(merchandiser, path)
    assert [
        (one.order, one.replacing.units, one.replacing.difference) for one in page.context["to_do"]
    ] == [(short[0], D(2), None), (short[1], D(3), None), (short[2], D(1), None)]
    assert [(one.order, one.closed) for one in page.context["left_out"]] == [
        (short[3], "0 of CUP are available to order, and 2 are needed.")
    ]
    figures = ("needed", "units", "difference", "lacking")
    assert [page.context[name] for name in figures] == [D(8), D(6), None, 1]
    words = text_of(page)
    assert "There is not enough CUP for all" in words
    assert "A replacement cannot be undone." in words
    assert "Blue mug" in words

    form = form_of(page, unit_price="8.25", preview="1") | {"reason": ""}
    page = merchandiser.post(path, form)
    assert page.context["difference"] == D("-7.50")
    assert "Say why" not in text_of(page)
    assert 'name="shown_price" value="8.25"' in text_of(page)
    assert rows() == before


def test_orders_to_which_it_cannot_be_done_are_left_out_with_why(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    site = short[0].site
    twice = engine.capture(site, "B1", [("MUG", 1), ("MUG", 2)])
    other = engine.capture(site, "B2", [("POT", 9)])
    whole = engine.capture(site, "B3", [("CUP", 1)])
    engine.at_oci({"POT": 0})
    engine.reconcile()
    factories.change_currency(short[0], "EUR")
    cancellation.request_cancellation(
        order_id=short[1].pk, actor=MIA, reason="r", now=engine.clock()
    )
    engine.replace(OrderItem.objects.get(order=short[2]), "CUP", units=D(1))
    engine.oci.fault("drop", operations=["put"])
    item = OrderItem.objects.get(order=short[3])
    engine.replace(item, "CUP", units=D(2))
    engine.oci.fault("none")
    set_connection("ONLINE")
    path = begin(merchandiser, "replace", [*short, twice, other, whole], listing="orders")
    page = picked(merchandiser, path)
    assert {one.order.order_no: one.closed for one in page.context["planned"]} == {
        "A0": "Its prices are in EUR. Replace it separately.",
        "A1": "The order is being cancelled.",
        "A2": "MUG was already replaced by CUP.",
        "A3": "A replacement is being reserved for the order. Try again when that has finished.",
        "B1": "Several of its items are short of MUG. Replace them on the page of the order.",
        "B2": "The order is not short of MUG.",
        "B3": "No item of the order is short.",
    }
    assert "None of the selected orders allows this" in text_of(page)
    assert 'name="reason"' not in text_of(page)
    finish(engine)


def test_a_sku_that_the_list_does_not_know_or_others_wait_for_is_refused(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short[:1])
    [one] = picked(merchandiser, path, sku="NONE").context["planned"]
    assert one.closed == "The inventory list web does not know NONE."
    engine.capture(short[0].site, "B1", [("CUP", 1)])
    [one] = picked(merchandiser, path).context["planned"]
    assert one.closed == "Other orders wait for CUP. They are served first."
