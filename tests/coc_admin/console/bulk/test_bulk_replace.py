"""Replacing one short SKU in many orders at once, as people do it; OCI is the simulator."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin import bulk as bulks
from coc_admin.console.bulk import replace_pages
from coc_admin.models import AuditEntry, BulkLine, BulkRemedy, Profile
from orders import cancellation, ledger
from orders.ledger import LedgerChanged
from orders.models import (
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    Replacement,
)
from reconciliation import releases, remedies
from reconciliation.models import ReservationDocument
from tests.coc_admin.console.bulk.test_desk_bulk import begin, chosen, marks
from tests.engine import MIA, D, Engine, ato, quantities, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator

WHY = {"reason": "The blue one is as good."}
PICK = {"list": "web", "short": "MUG", "currency": "USD", "sku": "CUP"}


@pytest.fixture
def short(engine: Engine) -> list[Order]:
    """Four orders of 2, 3, 1 and 2 MUG, of which OCI has none; 6 CUP are in stock."""
    site = engine.site({"MUG": 20, "CUP": 6, "POT": 9})
    orders = [
        engine.capture(site, f"A{number}", [("MUG", units)])
        for number, units in enumerate([2, 3, 1, 2])
    ]
    engine.at_oci({"MUG": 0})
    engine.reconcile()
    OrderItem.objects.update(unit_price=D("9.50"))
    InventoryRecord.objects.filter(sku="CUP").update(product_name="Blue mug")
    return orders


def rows() -> list[Any]:
    models = (Order, OrderItem, OrderEvent, Hold, InventoryRecord, Movement, Replacement)
    models = (*models, ReservationDocument, AuditEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


def picked(client: Client, path: str, **more: Any) -> Any:
    """Return the preview of a draft with everything chosen."""
    return client.get(path, PICK | more)


def form_of(page: Any, **more: Any) -> dict[str, Any]:
    """Return what a browser sends when the preview is confirmed."""
    found = re.findall(r'name="(shown_price|unit_price)"[^>]* value="([^"]*)"', _text(page))
    return PICK | WHY | {"mark": marks(page)} | dict(found) | more


def _text(page: Any) -> str:
    return str(page.content.decode())


def confirm(client: Client, path: str, **more: Any) -> Any:
    return client.post(path, form_of(picked(client, path), **more))


def told(client: Client, path: str) -> dict[str, tuple[str, str]]:
    """Return how each replacement stands on the page of the result, with why."""
    return {
        row.line.order.order_no: (row.label, row.why) for row in client.get(path).context["rows"]
    }


def finish(engine: Engine) -> int:
    return remedies.finish_replacements(clock=engine.clock)


# Choosing


def test_the_replacement_is_chosen_in_steps(merchandiser: Client, short: list[Order]) -> None:
    before = rows()
    path = begin(merchandiser, "replace", short[:3])
    page = merchandiser.get(path)
    words = _text(page)
    assert "3 chosen orders in USD are short of 6 ×" in words
    # Enough for the order that is short of the fewest; the list says for how many it does.
    offered = [(one.sku, one.ato, served) for one, served in page.context["suggestions"]]
    assert offered == [("CUP", D(6), 3)]
    assert "all orders" in words

    found = merchandiser.get(path, {"q": "PO"})
    assert [one.sku for one, _ in found.context["matches"]] == ["POT"]
    link = "?list=web&amp;short=MUG&amp;currency=USD&amp;sku=POT"
    assert link in _text(found)
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
    assert "2 of 4 orders" in _text(page)


def test_the_short_sku_is_chosen_where_there_are_several(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    other = engine.capture(short[0].site, "B1", [("POT", 2), ("MUG", 1)])
    engine.at_oci({"POT": 0})
    engine.reconcile()
    Order.objects.filter(pk=short[1].pk).update(currency="EUR")
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
    assert "Nothing that could be replaced is short in the chosen orders" in _text(page)


def test_all_orders_short_of_one_sku_are_taken_from_the_desk_by_sku(
    merchandiser: Client, viewer: Client, engine: Engine, short: list[Order]
) -> None:
    other = engine.capture(short[0].site, "B1", [("POT", 2)])
    engine.at_oci({"POT": 0})
    engine.reconcile()
    assert 'name="row" value="web~MUG"' in _text(merchandiser.get("/desk/skus/"))
    assert "desk/skus/replace" not in _text(viewer.get("/desk/skus/"))
    asked = {"row": "web~MUG"}
    answer = merchandiser.post("/desk/skus/replace/?assignee=nobody", asked)
    page = merchandiser.get(answer["Location"])
    assert page.context["group"].sku == "MUG"
    made = BulkRemedy.objects.get()
    assert {line.order_id for line in made.lines.all()} == {order.pk for order in short}
    assert other.pk not in {line.order_id for line in made.lines.all()}

    for nonsense in ("", "web", "web~NONE", "MUG~web", "web~a\0b"):
        answer = merchandiser.post("/desk/skus/replace/", {"row": nonsense})
        assert answer["Location"] == "/desk/skus/"
    assert BulkRemedy.objects.count() == 1


def test_the_oldest_orders_are_taken_where_there_are_too_many(
    merchandiser: Client, short: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replace_pages, "MOST_CHOSEN", 2)
    asked = {"row": "web~MUG"}
    page = merchandiser.post("/desk/skus/replace/", asked, follow=True)
    assert "the rest was left out" in _text(page)
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
        (short[3], "Of CUP 0 are available to order; 2 are needed.")
    ]
    figures = ("needed", "units", "difference", "lacking")
    assert [page.context[name] for name in figures] == [D(8), D(6), None, 1]
    words = _text(page)
    assert "There is not enough CUP for all" in words
    assert "A replacement cannot be taken back." in words
    assert "Blue mug" in words

    form = form_of(page, unit_price="8.25", preview="1") | {"reason": ""}
    page = merchandiser.post(path, form)
    assert page.context["difference"] == D("-7.50")
    assert "Say why" not in _text(page)
    assert 'name="shown_price" value="8.25"' in _text(page)
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
    Order.objects.filter(pk=short[0].pk).update(currency="EUR")
    cancellation.request_cancellation(
        order_id=short[1].pk, actor=MIA, reason="r", now=engine.clock()
    )
    remedies.replace_short(
        item_id=OrderItem.objects.get(order=short[2]).pk,
        sku="CUP",
        units=D(1),
        unit_price=None,
        actor=MIA,
        reason="r",
        clock=engine.clock,
    )
    engine.oci.fault("drop", operations=["put"])
    item = OrderItem.objects.get(order=short[3])
    remedies.replace_short(
        item_id=item.pk,
        sku="CUP",
        units=D(2),
        unit_price=None,
        actor=MIA,
        reason="r",
        clock=engine.clock,
    )
    engine.oci.fault("none")
    set_connection("ONLINE")
    path = begin(merchandiser, "replace", [*short, twice, other, whole], listing="orders")
    page = picked(merchandiser, path)
    assert {one.order.order_no: one.closed for one in page.context["planned"]} == {
        "A0": "Its prices are in EUR: replace it in a second go.",
        "A1": "The order is being cancelled.",
        "A2": "MUG is replaced by CUP already.",
        "A3": "A replacement for an item of the order is being reserved; wait for its end.",
        "B1": "Several of its items are short of MUG: replace them on its page.",
        "B2": "Nothing of MUG is short in it.",
        "B3": "Nothing of the order is short.",
    }
    assert "This can be done to none of the chosen orders" in _text(page)
    assert 'name="reason"' not in _text(page)
    finish(engine)


def test_a_sku_that_the_list_does_not_know_or_others_wait_for_is_refused(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short[:1])
    [one] = picked(merchandiser, path, sku="NONE").context["planned"]
    assert one.closed == "The inventory list web does not know NONE."
    engine.capture(short[0].site, "B1", [("CUP", 1)])
    [one] = picked(merchandiser, path).context["planned"]
    assert one.closed == "Orders wait for CUP; they are served first."


# Confirming


def test_many_are_begun_at_once_and_finished_in_the_background(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short)
    form = form_of(picked(merchandiser, path, sku="CUP"), unit_price="8.25", shown_price="8.25")
    form["mark"] = marks(merchandiser.post(path, form | {"preview": "1"}))
    asked = len(engine.oci.requests())
    for _ in range(2):
        answer = merchandiser.post(path, form)
        assert (answer.status_code, answer["Location"]) == (302, path)
    assert len(engine.oci.requests()) == asked
    begun = Replacement.objects.order_by("pk")
    assert [one.order for one in begun] == short[:3]
    assert ato("CUP") == (D(0), D(6))
    reserving = ("Being reserved", "")
    left_out = ("Left out", "Of CUP 0 are available to order; 2 are needed.")
    assert told(merchandiser, path) == {
        "A0": reserving,
        "A1": reserving,
        "A2": reserving,
        "A3": left_out,
    }
    live = _text(merchandiser.get(f"/live{path}"))
    assert "3 replacements are being reserved at OCI" in live
    assert 'data-live-seconds="2"' in live
    assert "<html" not in live

    assert finish(engine) == 3
    done = ("Replaced", "")
    assert told(merchandiser, path) == {"A0": done, "A1": done, "A2": done, "A3": left_out}
    assert quantities(short[1]) == [("MUG", D(3), D(0)), ("CUP", D(3), D(3))]
    differences = list(begun.values_list("price_difference", flat=True))
    assert differences == [D("-2.50"), D("-3.75"), D("-1.25")]
    assert {one.reason for one in begun} == {WHY["reason"]}
    assert chosen(merchandiser) == set()
    assert list(Order.objects.oversold()) == [short[3]]
    logged = AuditEntry.objects.get(action="desk.bulk")
    detail = {name: logged.detail[name] for name in ("orders", "left_out", "replaced", "by")}
    assert detail == {"orders": 3, "left_out": 1, "replaced": "MUG", "by": "CUP"}


def test_what_oci_does_not_have_is_told_with_the_figures(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short[:2])
    confirm(merchandiser, path)
    engine.at_oci({"CUP": 4})
    releases.cancel_order(order_id=short[0].pk, actor=MIA, reason="r", now=engine.clock())
    engine.at_oci({"CUP": 1})
    assert finish(engine) == 1
    assert told(merchandiser, path)["A1"] == (
        "Not replaced",
        "OCI had 1 of CUP; 3 are needed.",
    )
    page = merchandiser.get(path)
    assert [number for _, number in page.context["counts"]] == [1, 1]
    assert "Cancelling the order gives back all that is reserved for it." in _text(page)


def test_another_price_than_was_shown_is_shown_first(
    merchandiser: Client, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", short)
    before = rows()
    page = confirm(merchandiser, path, unit_price="8")
    assert page.status_code == 200
    assert "the price is another one than was shown" in _text(page)
    assert rows() == before
    assert BulkRemedy.objects.get().confirmed_at is None
    for wrong in ("x", "-1"):
        page = confirm(merchandiser, path, unit_price=wrong)
        assert 'id="unit_price-error"' in _text(page)
    assert rows() == before
    merchandiser.post(path, form_of(confirm(merchandiser, path, unit_price="8")))
    assert set(Replacement.objects.values_list("unit_price", flat=True)) == {D(8)}


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_while_oci_is_away_nothing_is_begun(
    merchandiser: Client, short: list[Order], state: str
) -> None:
    path = begin(merchandiser, "replace", short)
    form = form_of(picked(merchandiser, path))
    set_connection(state)
    before = rows()
    page = picked(merchandiser, path)
    assert "OCI cannot be asked just now" in _text(page)
    assert "Reserve and replace" not in _text(page)
    answer = merchandiser.post(path, form)
    assert answer.status_code == 409
    assert "OCI cannot be asked just now" in _text(answer)
    assert f'value="{WHY["reason"]}"' in _text(answer)
    assert rows() == before
    assert BulkRemedy.objects.get().confirmed_at is None


def test_oci_lost_in_the_middle_leaves_the_rest_to_be_done(
    merchandiser: Client, engine: Engine, short: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(merchandiser, "replace", short)
    begin_one = remedies.begin_replacement

    def then_away(**arguments: Any) -> Any:
        made = begin_one(**arguments)
        set_connection("OFFLINE")
        return made

    with monkeypatch.context() as patched:
        patched.setattr(bulks.remedies, "begin_replacement", then_away)
        confirm(merchandiser, path)
    assert finish(engine) == 0
    page = merchandiser.get(path)
    assert [row.label for row in page.context["rows"]] == [
        "Being reserved",
        "To do",
        "To do",
        "Left out",
    ]
    words = _text(page)
    assert "it goes on when OCI answers again" in words
    assert "2 orders are still to be done" in words
    # It must not go on by itself for ever.
    assert "data-carry-on" not in words
    merchandiser.post(path)
    assert Replacement.objects.count() == 1

    set_connection("ONLINE")
    assert "data-carry-on" in _text(merchandiser.get(path))
    merchandiser.post(path)
    assert finish(engine) == 3
    assert [label for label, _ in told(merchandiser, path).values()] == [
        "Replaced",
        "Replaced",
        "Replaced",
        "Left out",
    ]


@pytest.mark.parametrize("step", ["begin_replacement", "_note"])
def test_death_on_the_way_forgets_and_doubles_nothing(
    merchandiser: Client,
    engine: Engine,
    short: list[Order],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    class Death(BaseException):
        pass

    path = begin(merchandiser, "replace", short)
    where = bulks.remedies if step == "begin_replacement" else bulks
    real, calls = getattr(where, step), iter(range(9))

    def die(*args: Any, **more: Any) -> Any:
        if next(calls) == 1:
            raise Death
        return real(*args, **more)

    form = form_of(picked(merchandiser, path))
    with monkeypatch.context() as patched:
        patched.setattr(where, step, die)
        with pytest.raises(Death):
            merchandiser.post(path, form)
    assert [line.state for line in BulkLine.objects.order_by("order__captured_at")] == [
        "begun",
        "pending",
        "pending",
        "left_out",
    ]
    assert Replacement.objects.count() == 1
    merchandiser.post(path)
    assert [one.order for one in Replacement.objects.order_by("pk")] == short[:3]
    assert finish(engine) == 3


def test_stock_that_is_gone_by_then_is_refused_for_the_youngest(
    merchandiser: Client, engine: Engine, short: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(merchandiser, "replace", short)
    monkeypatch.setattr(bulks, "AT_ONCE", 1)
    confirm(merchandiser, path)
    # A shopper buys 2 of the 4 that are left.
    engine.at_oci({"CUP": 6})
    engine.place(short[0].site, "S1", [("CUP", 2)])
    for _ in range(2):
        merchandiser.post(path)
    assert told(merchandiser, path) == {
        "A0": ("Being reserved", ""),
        "A1": ("Refused", "Of CUP 2 are available to order; 3 are needed."),
        "A2": ("Being reserved", ""),
        "A3": ("Left out", "Of CUP 0 are available to order; 2 are needed."),
    }
    assert finish(engine) == 2


def test_stock_that_is_changed_all_the_time_is_refused_with_words(
    merchandiser: Client, short: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(**_: Any) -> Any:
        raise LedgerChanged

    path = begin(merchandiser, "replace", short[:1])
    form = form_of(picked(merchandiser, path))
    before = rows()[:-1]
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "take", changed)
        merchandiser.post(path, form)
    assert told(merchandiser, path) == {
        "A0": ("Refused", "Its stock was just being changed; try it again.")
    }
    assert rows()[:-1] == before


# Two people


def test_whoever_comes_second_sees_what_changed(
    merchandiser: Client, operator: Client, engine: Engine, short: list[Order]
) -> None:
    mine, theirs = (begin(one, "replace", short) for one in (merchandiser, operator))
    shown = form_of(picked(operator, theirs))
    confirm(merchandiser, mine)
    answer = operator.post(theirs, shown)
    assert answer.status_code == 409
    # The fourth was left out for want of stock before, and is so now.
    assert set(answer.context["moved"]) == {order.pk for order in short[:3]}
    assert "3 orders have moved on since you looked" in _text(answer)
    assert "A replacement for an item of the order is being reserved" in _text(answer)
    assert Replacement.objects.count() == 3
    finish(engine)


def test_two_who_confirm_at_once_replace_once(
    merchandiser: Client, operator: Client, engine: Engine, short: list[Order]
) -> None:
    mine, theirs = (begin(one, "replace", short[:2]) for one in (merchandiser, operator))
    made = BulkRemedy.objects.get(pk=theirs.split("/")[2])
    # Both were confirmed before the first was carried out.
    keys = [order.pk for order in short[:2]]
    items = {item.order_id: item for item in OrderItem.objects.filter(order__in=keys)}
    confirm(merchandiser, mine)
    for line in made.lines.all():
        item = items[line.order_id]
        BulkLine.objects.filter(pk=line.pk).update(
            state="pending", units={str(item.pk): str(item.open_quantity)}
        )
    BulkRemedy.objects.filter(pk=made.pk).update(
        confirmed_at=engine.clock(), inventory_list="web", short_sku="MUG", sku="CUP"
    )
    operator.post(theirs)
    assert set(told(operator, theirs).values()) == {
        ("Already done", "mia has asked for it already.")
    }
    assert Replacement.objects.count() == 2
    finish(engine)


def test_the_figure_of_the_ato_is_no_move_of_an_order(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", [short[1], short[3]])
    form = form_of(picked(merchandiser, path))
    # Of 6 the fourth still gets 2 of 3; of 4 it gets none of 1: its words differ, not what is done.
    engine.place(short[0].site, "S1", [("CUP", 2)])
    answer = merchandiser.post(path, form)
    assert (answer.status_code, set(answer.context["moved"])) == (409, {short[3].pk})
    form = form_of(answer)
    engine.place(short[0].site, "S2", [("CUP", 1)])
    assert merchandiser.post(path, form).status_code == 302
    assert told(merchandiser, path)["A3"][0] == "Left out"
    assert finish(engine) == 1


@pytest.mark.parametrize(
    ("name", "status"),
    # Of a list or currency of which nothing is short, what is short is to be chosen anew.
    [("list", 200), ("currency", 200), ("short", 409), ("sku", 409), ("shown_price", 409)],
)
def test_the_marks_cover_what_is_chosen(
    merchandiser: Client, engine: Engine, short: list[Order], name: str, status: int
) -> None:
    other = engine.capture(short[0].site, "B1", [("POT", 1)])
    engine.at_oci({"POT": 0})
    engine.reconcile()
    others = {"list": "outlet", "short": "POT", "currency": "EUR", "sku": "POT", "shown_price": "1"}
    path = begin(merchandiser, "replace", [*short, other])
    form = form_of(picked(merchandiser, path)) | {name: others[name]}
    if name == "shown_price":
        form["unit_price"] = "1"
    before = rows()
    answer = merchandiser.post(path, form)
    assert answer.status_code == status
    assert rows() == before


# Who may


def test_a_viewer_may_not(viewer: Client, merchandiser: Client, short: list[Order]) -> None:
    path = begin(merchandiser, "replace", short)
    for answer in (
        viewer.get(path),
        viewer.post(path, WHY),
        viewer.get(f"/live{path}"),
        viewer.post("/desk/skus/replace/", {"row": "web~MUG"}),
        viewer.post("/chosen/desk/", {"shown": short[0].pk, "order": short[0].pk, "do": "replace"}),
    ):
        assert answer.status_code == 403
    assert BulkRemedy.objects.count() == 1


def test_of_another_site_nothing_is_seen_or_done(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    outlet = engine.site({}, "outlet", list_id="outlet")
    engine.at_oci({"MUG": 5}, location="dc2")
    ledger.apply_snapshot(
        figures=[ledger.Figure("outlet", sku, D(5)) for sku in ("MUG", "JAR")],
        taken_at=engine.clock(),
        lag=bulks.timedelta(seconds=3),
        now=engine.clock(),
    )
    other = engine.capture(outlet, "O1", [("MUG", 2)])
    engine.at_oci({"MUG": 0}, location="dc2")
    engine.reconcile()
    path = begin(merchandiser, "replace", [*short, other])
    form = form_of(picked(merchandiser, path))
    profile = Profile.objects.create(user=User.objects.get(username="mia"), every_site=False)
    profile.sites.set(["outlet"])

    page = merchandiser.get(path)
    assert page.context["group"].items[0].order == other
    assert [one.sku for one, _ in page.context["suggestions"]] == ["JAR"]
    for asked in (picked(merchandiser, path), merchandiser.post(path, form)):
        assert "CUP" not in _text(asked).replace('value="CUP"', "")
        assert "A0" not in _text(asked)
    assert not Replacement.objects.exists()
    answer = merchandiser.post("/desk/skus/replace/", {"row": "web~MUG"})
    assert answer["Location"] == "/desk/skus/"


# Queries


def test_a_hundred_orders_take_a_bounded_number_of_queries(
    merchandiser: Client, engine: Engine, django_assert_max_num_queries: Any
) -> None:
    site = engine.site({"MUG": 100, "CUP": 90})
    many = [engine.capture(site, f"N{number:03d}", [("MUG", 1)]) for number in range(100)]
    for order in many:
        Order.objects.filter(pk=order.pk).update(
            reservation_state="NOTHING_RESERVED", short_at=engine.clock()
        )
    Hold.objects.update(state="answered")
    engine.keeps_promises = False
    path = begin(merchandiser, "replace", many)
    with django_assert_max_num_queries(30):
        merchandiser.get(path)
    with django_assert_max_num_queries(30):
        page = picked(merchandiser, path)
    assert (len(page.context["to_do"]), len(page.context["left_out"])) == (90, 10)
    merchandiser.post(path, form_of(page))
    assert merchandiser.get(path).context["pending"] == 40
    merchandiser.post(path)
    assert BulkLine.objects.filter(state="begun").count() == 90
    for address in (path, f"/live{path}"):
        with django_assert_max_num_queries(24):
            page = merchandiser.get(address)
        assert page.context["under_way"] == 90
