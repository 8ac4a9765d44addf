"""A split of an order with several short items: replace a part, cancel the rest, in one act."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core import mail
from django.test import Client

from orders.models import (
    CustomerMessage,
    InventoryRecord,
    MessageKind,
    Order,
    OrderItem,
    Replacement,
)
from reconciliation.models import AttemptOutcome
from tests.coc_admin.console import scene
from tests.coc_admin.console.bulk.test_bulk_asks import short as short
from tests.coc_admin.console.scene import Scene


def test_of_several_short_items_those_with_a_replacement_are_proposed(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    # Two items are short; one record is like either of them in name, and serves one alone.
    order = outage.nothing
    names = {item.sku: item.product_name for item in order.items.all()}
    OrderItem.objects.filter(order=order, sku="MUG-01").update(product_name="Wooden tray")
    InventoryRecord.objects.filter(sku="MUG-01").update(snapshot_ato=0, ato=0)
    assert names.keys() == {"MUG-01", "CUP-02"}
    answer = merchandiser.get(f"/desk/?order={order.pk}")
    first = answer.context["panel"]["options"][0]
    split = first["option"].split
    assert (first["option"].remedy, first["is_first"]) == ("split", True)
    assert [(one.item.sku, one.sku) for one in split.parts] == [("CUP-02", "ALIKE")]
    assert [item.sku for item in split.rest] == ["MUG-01"]
    # The usual price of ALIKE is not known.
    assert split.change is None
    page = " ".join(answer.content.decode().split())
    assert "nothing like the rest is in stock" in page
    key = order.items.get(sku="CUP-02").pk
    link = f"/orders/{order.pk}/replace/?item={key}&amp;sku=ALIKE"
    assert link in page
    opened = merchandiser.get(link.replace("&amp;", "&"))
    assert opened.context["preview"].sku == "ALIKE"
    rows = {row.order.order_no: row.proposed for row in answer.context["rows"]}
    assert rows[order.order_no] == "Replace a part"
    # No single remedy is called the proposed one beside it.
    options = answer.context["panel"]["options"]
    assert [one["option"].remedy for one in options if one["option"].is_proposed] == ["split"]


def test_the_effect_of_a_split_is_in_money(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    sold = scene.place(outage.site, "with-alike", items=[("ALIKE", 1)], minutes_ago=5)
    scene.answer(outage.run, sold, 1, outcome=AttemptOutcome.COMPLETE, minutes_ago=4)
    OrderItem.objects.filter(sku="ALIKE").update(unit_price=Decimal("10.00"))
    order = outage.nothing
    OrderItem.objects.filter(order=order, sku="MUG-01").update(product_name="Wooden tray")
    InventoryRecord.objects.filter(sku="MUG-01").update(snapshot_ato=0, ato=0)
    page = merchandiser.get(f"/desk/?order={order.pk}")
    split = page.context["panel"]["options"][0]["option"].split
    open_units = {item.sku: item.open_quantity for item in order.items.all()}
    expected = Decimal("0.50") * open_units["CUP-02"] - Decimal("9.50") * open_units["MUG-01"]
    assert split.change == expected
    changes = [(item.sku, change) for item, change in split.cancelled]
    assert changes == [("MUG-01", -Decimal("9.50") * open_units["MUG-01"])]
    text = " ".join(page.content.decode().split())
    assert "Replace a part, cancel the rest" in text
    assert "Do all of this and go to the next order" in text


def form_of_split(client: Client, order: Order) -> dict[str, Any]:
    """Return what a browser sends of the proposed split."""
    (one,) = (
        one
        for one in client.get(f"/desk/?order={order.pk}").context["panel"]["options"]
        if one["option"].remedy == "split"
    )
    values = one["values"]
    form = {name: values[name] for name in ("seen", "token", "reason", "subject", "body")}
    form |= {"decided": order.pk, "kind": "split", "part": values["parts"]}
    form |= {"message_kind": one["option"].message.kind}
    return form | ({"send": "on"} if values["send"] else {})


def test_a_split_is_refused_and_then_begun_with_one_message(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    order = outage.nothing
    OrderItem.objects.filter(order=order, sku="MUG-01").update(product_name="Wooden tray")
    InventoryRecord.objects.filter(sku="MUG-01").update(snapshot_ato=0, ato=0)
    form = form_of_split(merchandiser, order)
    assert form["message_kind"] == MessageKind.CHANGED
    assert "Stoneware beaker (instead of" in form["body"]
    assert "× Wooden tray" in form["body"]
    before = list(OrderItem.objects.order_by("pk").values())
    replaced, cancelled = form["part"]
    for wrong, status in (
        ({"part": []}, 400),
        ({"part": [cancelled]}, 400),
        ({"part": ["1:x::", cancelled]}, 400),
        ({"part": [f"{replaced}X", cancelled]}, 409),
        ({"seen": "another"}, 409),
        ({"body": ""}, 400),
    ):
        refused = merchandiser.post(f"/desk/?order={order.pk}", form | wrong)
        assert refused.status_code == status, wrong
        assert list(OrderItem.objects.order_by("pk").values()) == before
        assert (Replacement.objects.count(), CustomerMessage.objects.count()) == (0, 0)
        typed = refused.context["panel"]["options"][0]["values"]
        assert typed["body"] == (form | wrong)["body"]
    # OCI does not answer here: all of it waits together, with its message.
    assert merchandiser.post(f"/desk/?order={order.pk}", form).status_code == 302
    begun = Replacement.objects.get(order=order)
    assert [(part.item.sku, part.sku) for part in begun.parts.all()] == [("MUG-01", "")]
    assert CustomerMessage.objects.get(replacement=begun).body == form["body"]
    assert mail.outbox == []
    page = " ".join(merchandiser.get(f"/orders/{order.pk}/").content.decode().split())
    assert "in place of short units" in page
    assert "Cancelled with it: " in page
