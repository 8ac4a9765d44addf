"""Orders changed past the product: named by row, restored where an independent trace proves it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from orders import privacy
from orders.models import (
    CaptureTrace,
    InventoryList,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.serializers import iso
from reconciliation import tasks
from reconciliation.maintenance import repair
from reconciliation.models import ReportDay
from reconciliation.reports import publish
from tests.bundles import bundle, place
from tests.engine import MIA, Engine
from tests.factories import know_stock
from tests.reconciliation.maintenance import accidents
from tests.reconciliation.maintenance.missing import found, numbers, offline

pytestmark = pytest.mark.django_db

ORDER = "UPDATE orders_order SET {} = %s WHERE order_no = %s"
ITEM = (
    "UPDATE orders_orderitem SET {} = %s WHERE position = 1 AND order_id ="
    " (SELECT id FROM orders_order WHERE order_no = %s)"
)
BODY = (
    "UPDATE orders_orderpayload SET body = REPLACE(body, %s, %s) WHERE order_id ="
    " (SELECT id FROM orders_order WHERE order_no = %s)"
)
MISTAKEN_HASH = "0" * 64

RESTORED: list[tuple[str, str, Any, str]] = [
    (ORDER, "order_total", 10_0000, "order_total is 10, its capture trace says 42.25"),
    (ORDER, "currency", "EUR", "currency is EUR, its capture trace says USD"),
    (
        ORDER,
        "creation_date",
        "2020-01-01",
        "creation_date is 2020-01-01, its payload says 2026-02-02T12:00:00.000Z",
    ),
    (ORDER, "customer", '{"email": "eve@example.test"}', "its payload names another customer"),
    (ITEM, "product_name", "Jug", "product_name of item item-0 is Jug, its payload says {name}"),
    (ITEM, "unit_price", 1_0000, "unit_price of item item-0 is 1, its payload says 9.5"),
    (ITEM, "unit_price", None, "unit_price of item item-0 is nothing, its payload says 9.5"),
]


def rows_of(order: Order) -> list[Any]:
    values = list(Order.objects.filter(pk=order.pk).values())
    return [*values, *OrderItem.objects.filter(order=order).order_by("pk").values()]


def apply_all() -> None:
    call_command("coc_repair", apply_all=True, yes=True, reason="drill")


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("order_no", ["live", "waits"])
@pytest.mark.parametrize(("statement", "column", "value", "detail"), RESTORED)
def test_what_is_proven_is_restored(
    orders: dict[str, Order],
    engine: Engine,
    order_no: str,
    statement: str,
    column: str,
    value: Any,
    detail: str,
) -> None:
    order = orders[order_no]
    before = rows_of(order)
    accidents.execute(statement.format(column), value, order_no)
    detail = detail.format(name="Mug" if order_no == "live" else "Cup")
    row = "changed", f"order shop {order_no} (id {order.pk})"

    details = found()[row]

    assert details == [detail]
    # Merged meanwhile, the reports say the same; payload and trace do not.
    ReportDay.objects.update(needs_merge=True)
    tasks.merge_reports()
    assert found() == {row: [detail]}
    [proposal] = repair.proposals(now=engine.clock())
    assert "eve@" not in str(proposal)
    apply_all()
    assert rows_of(order) == before
    told = OrderEvent.objects.filter(order=order).latest("id")
    assert (told.kind, told.reason.startswith("As it was captured again: ")) == ("repaired", True)
    tasks.project_reports()
    tasks.merge_reports()
    assert found() == {}


def test_a_moved_moment_of_capture_is_restored_and_both_days_are_written(
    orders: dict[str, Order], engine: Engine
) -> None:
    order, report = orders["waits"], offline()
    moved = order.captured_at - timedelta(days=3)
    accidents.execute(ORDER.format("captured_at"), f"{moved:%Y-%m-%d %H:%M:%S.%f}", "waits")
    detail = f"captured_at is {iso(moved)}, its capture trace says {iso(order.captured_at)}"
    rows = found()
    assert rows["changed", f"order shop waits (id {order.pk})"] == [detail]
    assert f"says of order waits: capturedAt {iso(order.captured_at)}, its row {iso(moved)}" in (
        rows["report", f"report {report.name}"] + rows["changed", f"report {report.name}"]
    )
    publish.rebuild(now=engine.clock(), day=moved.date())
    tasks.merge_reports()

    apply_all()

    tasks.project_reports()
    tasks.merge_reports()
    assert Order.objects.get(order_no="waits").captured_at == order.captured_at
    assert found() == {}
    assert numbers(report)[-1] == "waits"
    assert ReportDay.objects.get(report_type="offline", date=moved.date()).order_count == 0


def test_a_hash_that_was_changed_is_restored(orders: dict[str, Order]) -> None:
    order = orders["live"]
    accidents.execute(ORDER.format("payload_hash"), MISTAKEN_HASH, "live")
    detail = f"payload_hash is {MISTAKEN_HASH}, its capture trace says {order.payload_hash}"
    assert found() == {("changed", f"order shop live (id {order.pk})"): [detail]}
    apply_all()
    assert Order.objects.get(pk=order.pk).payload_hash == order.payload_hash
    assert found() == {}


BY_HAND: list[tuple[str, tuple[Any, ...], str, str]] = [
    (
        ITEM.format("sku"),
        ("JUG", "live"),
        "changed",
        "sku of item item-0 is JUG, its payload says MUG",
    ),
    (
        ITEM.format("quantity"),
        (3_000, "live"),
        "changed",
        "quantity of item item-0 is 3, its payload says 1",
    ),
    (
        ITEM.format("item_id"),
        ("x", "live"),
        "changed",
        "its payload has item item-0 (MUG), which is missing; item x (MUG) is not in its payload",
    ),
    (
        ORDER.format("order_no"),
        ("alive", "live"),
        "changed",
        "order_no is alive, its capture trace says live",
    ),
    (BODY, ("9.5", "8.5", "live"), "payload", "its payload is not what was sent: the hash differs"),
    (BODY, ("{", "[", "live"), "payload", "its payload cannot be read"),
    (
        "DELETE FROM orders_orderpayload WHERE order_id ="
        " (SELECT id FROM orders_order WHERE order_no = %s)",
        ("live",),
        "payload",
        "its payload is missing",
    ),
]


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("statement", "values", "fault", "detail"), BY_HAND)
def test_what_is_not_proven_is_named_and_left(
    orders: dict[str, Order],
    capsys: pytest.CaptureFixture[str],
    statement: str,
    values: tuple[Any, ...],
    fault: str,
    detail: str,
) -> None:
    order = orders["live"]
    backup = accidents.back_up(order)
    accidents.execute(statement, *values)
    changed = rows_of(order)
    now = Order.objects.get(pk=order.pk).order_no
    row = fault, f"order shop {now} (id {order.pk})"
    assert "; ".join(found()[row]) == detail

    with pytest.raises(SystemExit):
        apply_all()

    assert "no safe repair. Restore its row" in capsys.readouterr().out
    assert [one for one in found() if one[0] == fault] == [row]
    assert [(one.get("sku"), one.get("order_no")) for one in rows_of(order)] == [
        (one.get("sku"), one.get("order_no")) for one in changed
    ]

    backup.restore(over=True)
    # A repair may have made other rows agree with what was changed.
    call_command("coc_repair", apply_all=True, yes=True, reason="restored")
    assert found() == {}


def test_a_file_that_says_otherwise_of_an_order_without_witness(orders: dict[str, Order]) -> None:
    """The payload was reduced and tells no customer: the report alone still does."""
    order = orders["waits"]
    OrderPayload.objects.filter(order=order).update(reduced_at=order.captured_at)
    accidents.execute(ORDER.format("customer"), '{"email": "eve@example.test"}', "waits")
    row = "changed", f"report {offline().name}"
    assert found() == {row: ["says of order waits: another customer than its row"]}
    before = offline().read_bytes()
    with pytest.raises(SystemExit):
        apply_all()
    assert offline().read_bytes() == before
    assert list(found()) == [row]


def test_a_row_of_a_report_that_belongs_elsewhere(orders: dict[str, Order]) -> None:
    """The number of orders is right, and one of them is another one."""
    accidents.execute(
        "UPDATE orders_order SET short_at = %s WHERE order_no = %s",
        f"{orders['nothing'].captured_at:%Y-%m-%d %H:%M:%S.%f}",
        "waits",
    )
    report = ReportDay.objects.get(report_type="oversold")
    ReportDay.objects.filter(pk=report.pk).update(order_count=report.order_count + 1)
    details = [
        detail for (_, row), all_of in found().items() if "oversold" in row for detail in all_of
    ]
    assert details == ["order waits is not in it"]
    apply_all()
    assert found() == {}


def test_an_older_order_is_proven_by_its_payload(orders: dict[str, Order]) -> None:
    """Its trace was written when it had been changed already."""
    order = orders["live"]
    for table in ("orders_order", "orders_capturetrace"):
        accidents.execute(f"UPDATE {table} SET order_total = 100000 WHERE id = %s", order.pk)
    details = ["order_total is 10, its payload says 42.25"]
    assert found() == {("changed", f"order shop live (id {order.pk})"): details}
    apply_all()
    assert Order.objects.get(pk=order.pk).order_total == order.order_total
    assert found() == {}


def test_without_any_trace_the_payload_is_compared(orders: dict[str, Order]) -> None:
    order = orders["live"]
    CaptureTrace.objects.filter(pk=order.pk).delete()
    assert found() == {}
    accidents.execute(ORDER.format("order_total"), 10_0000, "live")
    details = ["order_total is 10, its payload says 42.25"]
    assert found() == {("changed", f"order shop live (id {order.pk})"): details}


def test_what_the_product_does_to_orders_is_no_change(
    orders: dict[str, Order], engine: Engine
) -> None:
    """Erased and reduced; bundles, rules of whose list have changed since."""
    site = Site.objects.get()
    engine.at_oci({"PART1": 20, "PART2": 20})
    know_stock({"PART1": 20, "PART2": 20})
    place(engine, site, "kit", bundle(quantity=2), bundle("LOOSE", {"PART1": 1}, itemId="7"))
    InventoryList.objects.update(part_quantity_per_bundle=True, use_bundle_inventory_only=True)
    assert [one for one in found() if one[0] in ("changed", "payload")] == []
    ids = list(Order.objects.values_list("pk", flat=True))
    privacy.erase(order_ids=ids, actor=MIA, reason="asked", now=engine.clock())
    tasks.project_reports()
    tasks.merge_reports()
    assert [one for one in found() if one[0] in ("changed", "payload")] == []
    accidents.execute(
        "UPDATE orders_orderitem SET product_name = %s WHERE sku = %s AND kind = 'bundled'",
        "Lid",
        "PART2",
    )
    kit = Order.objects.get(order_no="kit")
    part = OrderItem.objects.get(order=kit, sku="PART2")
    details = [f"product_name of item {part.item_id} is Lid, its payload says empty"]
    assert found() == {("changed", f"order shop kit (id {kit.pk})"): details}
    # A reduced payload has no hash of its own: a person decides.
    [proposal] = repair.proposals(now=engine.clock())
    assert proposal.id == ""


def test_an_order_from_before_bundles_were_read(orders: dict[str, Order]) -> None:
    """Its payload has parts that its items lack."""
    order = orders["live"]
    payload = OrderPayload.objects.get(order=order)
    sent = json.loads(payload.body)
    sent["productItems"][0]["bundledProductItems"] = [{"productId": "PART", "quantity": 1}]
    OrderPayload.objects.filter(order=order).update(body=json.dumps(sent))
    assert [one[0] for one in found()] == ["payload"]
    OrderPayload.objects.filter(order=order).update(reduced_at=order.captured_at)
    assert found() == {}
