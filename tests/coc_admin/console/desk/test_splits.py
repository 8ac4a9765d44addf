"""What is proposed for an order with several short items: replace a part, cancel the rest."""

from __future__ import annotations

from decimal import Decimal

from django.test import Client

from orders.models import InventoryRecord, Order, OrderItem
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
    split = answer.context["panel"]["split"]
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
    assert not any(one["option"].is_proposed for one in answer.context["panel"]["options"])


def test_the_effect_of_a_split_is_in_money(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    sold = scene.place(outage.site, "with-alike", items=[("ALIKE", 1)], minutes_ago=5)
    scene.answer(outage.run, sold, 1, outcome=AttemptOutcome.COMPLETE, minutes_ago=4)
    OrderItem.objects.filter(sku="ALIKE").update(unit_price=Decimal("10.00"))
    order = outage.nothing
    OrderItem.objects.filter(order=order, sku="MUG-01").update(product_name="Wooden tray")
    InventoryRecord.objects.filter(sku="MUG-01").update(snapshot_ato=0, ato=0)
    split = merchandiser.get(f"/desk/?order={order.pk}").context["panel"]["split"]
    open_units = {item.sku: item.open_quantity for item in order.items.all()}
    expected = Decimal("0.50") * open_units["CUP-02"] - Decimal("9.50") * open_units["MUG-01"]
    assert split.change == expected
