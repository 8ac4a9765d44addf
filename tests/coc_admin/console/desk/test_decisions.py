"""Deciding beside the list: remedy and message as one act, the next order, refusals and undo."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from coc_admin.models import AuditEntry
from orders.desk import causes
from orders.models import (
    CustomerMessage,
    MessageKind,
    Order,
    OrderStatus,
    Resolution,
)
from tests.coc_admin.console.scene import Scene


def panel(client: Client, order: Order, query: str = "") -> dict[str, Any]:
    context: dict[str, Any] = client.get(f"/desk/?order={order.pk}{query}").context["panel"]
    return context


def form_of(client: Client, order: Order, kind: str, **changed: str) -> dict[str, Any]:
    """Return what a browser sends of the form of one remedy."""
    (one,) = (one for one in panel(client, order)["options"] if one["option"].remedy == kind)
    values = one["values"]
    form = {
        "decided": order.pk,
        "kind": kind,
        "message_kind": one["option"].message.kind,
        "item": values["units"],
        **{name: values[name] for name in ("seen", "token", "reason", "subject", "body")},
    }
    if values["send"]:
        form["send"] = "on"
    return form | changed


def decide(client: Client, order: Order, form: dict[str, Any]) -> Any:
    return client.post(f"/desk/?of=2&order={order.pk}", form)


def test_one_post_cancels_items_tells_the_customer_and_goes_on(
    merchandiser: Client, outage: Scene
) -> None:
    order = outage.partial
    form = form_of(merchandiser, order, "cancel_items", body="Dear Ada, typed by hand")
    answer = decide(merchandiser, order, form)
    message = CustomerMessage.objects.get()
    told = f"/desk/?of=2&done={order.pk}&told={message.pk}&order={outage.nothing.pk}"
    assert (answer.status_code, answer["Location"]) == (302, told)
    order.refresh_from_db()
    assert order.resolution == Resolution.SHORT_CANCELLED
    assert (message.kind, message.email) == (MessageKind.SHORT_CANCELLED, "sent")
    assert [(one.to, one.body) for one in mail.outbox] == [
        (["ada@example.test"], "Dear Ada, typed by hand")
    ]
    assert AuditEntry.objects.filter(action="customer.written").count() == 1
    page = merchandiser.get(told).content.decode()
    assert "1 of 2 left." in page
    assert "short items cancelled" in page
    assert "The customer was notified." in page

    # A second click changes nothing and sends nothing.
    events = order.events.count()
    assert decide(merchandiser, order, form).status_code == 302
    assert (order.events.count(), len(mail.outbox)) == (events, 1)

    undone = decide(merchandiser, order, {"decided": order.pk, "kind": "undo"})
    assert f"order={order.pk}&done={order.pk}" in undone["Location"]
    order.refresh_from_db()
    assert order.resolution == Resolution.NONE
    assert "open again" in merchandiser.get(undone["Location"]).content.decode()


def test_a_draft_names_what_the_remedy_will_change(merchandiser: Client, outage: Scene) -> None:
    drafts = {
        one["option"].remedy.value: one["option"].message.body
        for one in panel(merchandiser, outage.partial)["options"]
    }
    assert list(drafts) == ["cancel_items", "cancel_order", "settle"]
    assert "1 × Stoneware MUG-01\n1 × Stoneware CUP-02" in drafts["cancel_items"]
    assert "we have cancelled it" in drafts["cancel_order"]
    outage.partial.refresh_from_db()
    assert outage.partial.status == OrderStatus.NEW


def test_a_refusal_leaves_everything_and_keeps_what_was_typed(
    merchandiser: Client, outage: Scene
) -> None:
    order = outage.nothing
    typed = {"reference": " ", "body": "Kept text"}
    answer = decide(merchandiser, order, form_of(merchandiser, order, "settle", **typed))
    assert answer.status_code == 400
    assert b"Enter a reference that others can look up" in answer.content
    assert b"Kept text" in answer.content

    stale = form_of(merchandiser, order, "cancel_order", body="Kept text")
    Order.objects.filter(pk=order.pk).update(generation=order.generation + 7)
    answer = decide(merchandiser, order, stale)
    assert answer.status_code == 409
    assert b"Nothing was done." in answer.content
    assert b"Kept text" in answer.content
    order.refresh_from_db()
    assert (order.status, order.resolution) == (OrderStatus.NEW, Resolution.NONE)
    assert not CustomerMessage.objects.exists()
    assert mail.outbox == []


def test_without_an_address_the_remedy_is_possible_and_says_so(
    merchandiser: Client, outage: Scene
) -> None:
    order = outage.nothing
    Order.objects.filter(pk=order.pk).update(customer={})
    order.items.update(unit_price=None)
    shown = merchandiser.get(f"/desk/?order={order.pk}")
    assert b"no e-mail address, so no message can be sent" in shown.content
    forced = form_of(merchandiser, order, "cancel_order", send="on")
    assert decide(merchandiser, order, forced).status_code == 409
    form = form_of(merchandiser, order, "cancel_order")
    assert decide(merchandiser, order, form).status_code == 302
    order.refresh_from_db()
    assert order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED)
    assert not CustomerMessage.objects.exists()


def test_the_panel_is_for_who_may_see_and_change_the_order(
    viewer: Client, merchandiser: Client, outage: Scene
) -> None:
    order = outage.partial
    assert panel(viewer, order)["options"] == ()
    form = form_of(merchandiser, order, "cancel_order")
    assert decide(viewer, order, form).status_code == 403
    assert merchandiser.post("/desk/", form | {"decided": "99999999"}).status_code == 404
    for key in ("0", "x", "99999999999999999999", "-1"):
        assert viewer.get(f"/desk/?order={key}&done={key}&told={key}&of={key}").status_code == 200
    part = viewer.get(f"/desk/?order={order.pk}", headers={"X-Part": "panel"}).content.decode()
    assert part.count("<section") >= 1
    assert "<html" not in part


@pytest.mark.parametrize("sort", ["oldest", "newest", "highest", "lowest"])
def test_after_the_last_order_comes_the_first_and_then_none(
    merchandiser: Client, outage: Scene, sort: str
) -> None:
    both = [outage.partial, outage.nothing]
    other, last = both if sort in ("oldest", "lowest") else both[::-1]
    form = form_of(merchandiser, last, "cancel_order")
    del form["send"]
    answer = merchandiser.post(f"/desk/?sort={sort}&order={last.pk}", form)
    assert answer["Location"].endswith(f"done={last.pk}&order={other.pk}")
    form = form_of(merchandiser, other, "cancel_order")
    del form["send"]
    answer = merchandiser.post(f"/desk/?sort={sort}&order={other.pk}", form)
    assert answer["Location"] == f"/desk/?sort={sort}&done={other.pk}"
    assert merchandiser.get(answer["Location"]).status_code == 200


def test_the_cause_names_the_figure_then_and_the_orders_served_first(outage: Scene) -> None:
    order = outage.nothing
    items = list(order.items.order_by("position"))
    mug, cup = causes.causes_of(order, items)
    # Complete and partial came first, with 2 and 2 mugs, and hold 2 and 1 of them.
    assert (mug.item.sku, mug.then, mug.earlier_number, mug.earlier_units) == ("MUG-01", 96, 2, 3)
    assert [(one.order.pk, one.units) for one in mug.earlier] == [
        (outage.partial.pk, 1),
        (outage.complete.pk, 2),
    ]
    assert (cup.item.sku, cup.then, cup.earlier_number) == ("CUP-02", 98, 1)


def test_the_panel_alone_is_that_of_the_whole_page(
    merchandiser: Client, viewer: Client, outage: Scene
) -> None:
    def without_keys(text: str) -> str:
        text = re.sub(r"csrfmiddlewaretoken\" value=\"\w+|name=\"token\" value=\"[-\w]+", "", text)
        return " ".join(text.split())

    # Of the second one nothing can be decided, and a decider reads something else than a viewer.
    Order.objects.filter(pk=outage.nothing.pk).update(
        export_status="exported", open_remedy="adjustment"
    )
    for client in (merchandiser, viewer):
        for order in (outage.partial, outage.nothing, outage.complete):
            address = f"/desk/?order={order.pk}"
            page = without_keys(client.get(address).content.decode())
            alone = client.get(address, headers={"X-Part": "panel"}).content.decode()
            assert without_keys(alone[alone.index("<section") : alone.rindex("</section>")]) in page
