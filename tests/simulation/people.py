"""Actions of people in a world: merchandisers, operators, and order management."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from orders import exports, outcomes, settlement
from orders.actors import api_client, person
from orders.adjustment_lines import Keep
from orders.errors import CannotAdjust, CannotCancel, CannotSettle, ExportRefused
from orders.models import ExportStatus, InventoryList, Order, Resolution
from reconciliation import connection, remedies
from reconciliation.models import DocumentState, ReservationDocument, Run, Scope, Trigger
from reconciliation.outages import planned
from reconciliation.reservation import release
from reconciliation.reservation.release import cancel_order
from reconciliation.runs import lifecycle
from reconciliation.runs.lifecycle import RunRefused
from tests.simulation.world import World

SHOP = api_client("storefront")
MIA = person("mia")


def cancel(world: World) -> None:
    """A merchandiser cancels an order."""
    order = some_order(world)
    if order is not None:
        cancel_one(world, order)


def cancel_one(world: World, order: Order) -> None:
    """A merchandiser cancels this order."""
    world.note(f"cancel {order}")

    def work() -> Any:
        try:
            return cancel_order(
                order_id=order.pk, actor=MIA, reason="The customer asked.", now=world.clock.now
            )
        except CannotCancel as refusal:
            return refusal

    world.run("web", work)


def settle_outside(world: World) -> None:
    """A merchandiser has covered an order's shortage elsewhere."""
    order = some_order(world, *Order.objects.oversold().values_list("pk", flat=True))
    if order is None:
        return
    world.note(f"settle {order} outside")

    def work() -> Any:
        try:
            return release.settle_outside(
                order_id=order.pk,
                reference="PO 7",
                actor=MIA,
                reason="Bought elsewhere.",
                now=world.clock.now,
            )
        except CannotSettle as refusal:
            return refusal

    world.run("web", work)


def open_again(world: World) -> None:
    """A merchandiser reopens an order that was not covered after all."""
    settled = Order.objects.filter(resolution=Resolution.SETTLED_OUTSIDE).order_by("pk")
    order = some_order(world, *settled.values_list("pk", flat=True))
    if order is None:
        return
    world.note(f"open {order} again")

    def work() -> Any:
        try:
            return settlement.reopen(
                order_id=order.pk, actor=MIA, reason="The parcel was lost.", now=world.clock.now
            )
        except CannotSettle as refusal:
            return refusal

    world.run("web", work)


def rerun(world: World) -> None:
    """A merchandiser starts a reconciliation of a scope."""
    rng = world.rng
    scope = rng.choice((Scope.MISSING, Scope.OVERSOLD, Scope.RUN_FAILURES, Scope.ORDERS, Scope.SKU))
    data: dict[str, Any] = {}
    if scope == Scope.RUN_FAILURES:
        run = Run.objects.order_by("-pk").first()
        if run is None:
            return
        data["run"] = run.pk
    elif scope == Scope.ORDERS:
        pks = list(Order.objects.order_by("pk").values_list("pk", flat=True))
        data["orders"] = rng.sample(pks, min(len(pks), 3))
    elif scope == Scope.SKU:
        data["sku"] = rng.choice(world.nature.skus)
    world.note(f"rerun {scope} {data}")
    start(world, scope, data)


def start(world: World, scope: Scope, data: dict[str, Any]) -> Any:
    """Start a run like a person; returns the run, RunRefused or Death."""

    def work() -> Any:
        try:
            return lifecycle.start_run(
                trigger=Trigger.PERSON,
                actor=MIA,
                now=world.clock.now,
                scope=scope,
                scope_data=data,
            )
        except RunRefused as refusal:
            return refusal

    return world.run("web", work)


def force_offline(world: World) -> None:
    """An operator forces the connection offline."""
    world.note("force offline")
    now = world.clock.now
    world.run("web", lambda: connection.force_offline(actor=MIA, reason="Drill.", now=now))


def release_forced(world: World) -> None:
    """An operator releases the forced connection."""
    world.note("release")
    now = world.clock.now
    world.run("web", lambda: planned.release(actor=MIA, reason="Over.", now=now))


def export(world: World) -> None:
    """Order management takes a ready order."""
    order = some_order(world)
    if order is None:
        return
    world.note(f"export {order}")

    def work() -> Any:
        try:
            return exports.change_export_status(
                order_id=order.pk, to=ExportStatus.EXPORTED, actor=SHOP, now=world.clock.now
            )
        except ExportRefused as refusal:
            return refusal

    world.run("web", work)


def adjust(world: World) -> None:
    """An operator keeps a part of a reservation document, or moves it to another list."""
    rng = world.rng
    documents = ReservationDocument.objects.filter(state=DocumentState.COUNTED).exclude(held=[])
    pks = list(documents.order_by("pk").values_list("pk", flat=True))
    if not pks:
        return
    document = documents.get(pk=rng.choice(pks))
    lists = list(InventoryList.objects.order_by("pk").values_list("pk", flat=True))
    keeps = []
    for (list_id, sku), held in sorted(remedies.still_held(document).items()):
        to_list = rng.choice(lists) if rng.random() < 0.4 else list_id
        units = rng.choice((held, held - 1, max(Decimal(1), held - 1)))
        keeps.append(Keep(list_id, sku, held, units, to_list))
    told = ", ".join(f"{one.units}/{one.held} {one.sku} to {one.to_list}" for one in keeps)
    world.note(f"adjust {document.order}: {told}")

    def work() -> Any:
        try:
            return remedies.adjust_reservation(
                document_id=document.pk,
                keeps=keeps,
                actor=MIA,
                reason="Damaged.",
                clock=world.clock,
            )
        except CannotAdjust as refusal:
            world.note(f"  {refusal}")
            return refusal

    world.run("web", work)


def review(world: World) -> None:
    """A merchandiser has checked the orders in review."""
    for pk in list(Order.objects.needing_review().values_list("pk", flat=True)):
        world.note(f"end review of {pk}")

        def work(pk: int = pk) -> Any:
            return outcomes.end_review(
                order_id=pk, actor=MIA, reason="Looked at it.", now=world.clock.now
            )

        world.run("web", work)


def some_order(world: World, *likely: int) -> Order | None:
    """Return an order, usually one of `likely`."""
    if likely and world.rng.random() < 0.8:
        return Order.objects.get(pk=world.rng.choice(likely))
    pks = list(Order.objects.order_by("pk").values_list("pk", flat=True))
    return Order.objects.get(pk=world.rng.choice(pks)) if pks else None
