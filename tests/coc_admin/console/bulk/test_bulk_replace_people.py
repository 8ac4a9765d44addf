"""Replacing in bulk when others are at work, and who may do it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.models import Profile
from orders import ledger
from orders.models import Hold, Order, OrderItem, Replacement
from reconciliation.models import BulkLine, BulkRemedy
from reconciliation.remedies.bulk import execution
from tests.coc_admin.console.bulk.choosing import begin
from tests.coc_admin.console.bulk.replacing_many import (
    WHY,
    confirm,
    finish,
    form_of,
    picked,
    rows,
    text_of,
    told,
)
from tests.coc_admin.console.bulk.replacing_many import short as short
from tests.engine import D, Engine
from tests.engine import engine as engine
from tests.engine import simulator as simulator

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
    assert "3 orders have changed since you looked" in text_of(answer)
    assert "A replacement is being reserved for the order" in text_of(answer)
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
        ("Already done", "mia has already requested this.")
    }
    assert Replacement.objects.count() == 2
    finish(engine)


def test_the_figure_of_the_ato_is_no_move_of_an_order(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    path = begin(merchandiser, "replace", [short[1], short[3]])
    form = form_of(picked(merchandiser, path))
    # With 6 units the fourth order still gets 2 of 3, with 4 none of 1: the words differ, the
    # effect does not.
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
    # If nothing of the chosen list or currency is short, the person must choose again.
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
        lag=execution.timedelta(seconds=3),
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
        assert "CUP" not in text_of(asked).replace('value="CUP"', "")
        assert "A0" not in text_of(asked)
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
    with django_assert_max_num_queries(36):
        merchandiser.get(path)
    with django_assert_max_num_queries(36):
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
