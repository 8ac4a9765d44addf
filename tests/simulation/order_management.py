"""Hand-over, limits and releases of parts, as events of worlds whose nature `hands_over`.

Sites hand short orders over at once, after a while or after a decision; operators change offline
limits. Order management reads orders and acknowledges them sooner or later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orders import exports, handover
from orders.adjustment_lines import Keep
from orders.errors import ExportRefused
from orders.models import ExportStatus, Order, Site
from reconciliation import remedies
from reconciliation.models import DocumentState, ReservationDocument
from tests.simulation.handover import read
from tests.simulation.nature import limits_of_site
from tests.simulation.people import MIA, SHOP, some_order
from tests.simulation.world import World


def pull(world: World) -> None:
    """Order management reads the ready orders."""
    ready = Order.objects.filter(export_status=ExportStatus.READY).order_by("pk")
    pks = list(ready.values_list("pk", flat=True)[:3])
    if pks:
        world.note(f"order management reads {pks}")
        world.handover.pulled.update(read(*pks))


def acknowledge(world: World) -> None:
    """Order management acknowledges orders it has read, which may have changed since."""
    if world.handover.pulled:
        acknowledge_one(world, world.rng.choice(sorted(world.handover.pulled)))


def acknowledge_one(world: World, pk: int) -> None:
    """Order management acknowledges the order `pk`, which it has read."""
    version, told = world.handover.pulled.pop(pk)
    world.note(f"order management acknowledges version {version} of {pk}")

    def work() -> Any:
        try:
            return exports.change_export_status(
                order_id=pk,
                to=ExportStatus.EXPORTED,
                actor=SHOP,
                now=world.clock.now,
                version=version,
            )
        except ExportRefused as refusal:
            return refusal

    done = world.run("web", work)
    if isinstance(done, Order):
        world.seen["versions acknowledged"] += 1
        world.handover.acknowledged.setdefault(pk, (version, told))
    elif isinstance(done, ExportRefused):
        world.seen["acknowledgements refused"] += 1
        world.note(f"  refused: {done.detail}")


def decide_to_hand_over(world: World) -> None:
    """A merchandiser lets order management take a short order at once."""
    _decide(world, "hand over", handover.hand_over_now)


def hold(world: World) -> None:
    """A merchandiser keeps a short order from order management."""
    _decide(world, "hold", handover.hold)


def _decide(world: World, what: str, verb: Callable[..., Order]) -> None:
    order = some_order(world, *Order.objects.oversold().values_list("pk", flat=True))
    if order is None:
        return
    world.note(f"{what} {order}")
    world.attempt(lambda: verb(order_id=order.pk, actor=MIA, reason="r", now=world.clock.now))


def change_limits(world: World) -> None:
    """An operator changes a site's limits for offline selling."""
    site = world.rng.choice(list(Site.objects.order_by("pk").values_list("pk", flat=True)))
    fields = limits_of_site(world.rng)
    world.note(f"{site} takes {fields}")
    world.seen["limits changed"] += 1
    Site.objects.filter(pk=site).update(**fields)


def release_part(world: World) -> None:
    """An operator releases a unit of a document, and keeps the rest."""
    documents = ReservationDocument.objects.filter(state=DocumentState.COUNTED).exclude(held=[])
    pks = list(documents.order_by("pk").values_list("pk", flat=True))
    if not pks:
        return
    document = documents.select_related("order").get(pk=world.rng.choice(pks))
    held = sorted(remedies.still_held(document).items())
    keeps = [
        Keep(list_id, sku, units, units - (number == 0), list_id)
        for number, ((list_id, sku), units) in enumerate(held)
    ]
    world.note(f"release 1 of document {document.pk} of {document.order}")
    world.seen["parts to release"] += 1
    world.attempt(
        lambda: remedies.release_part(
            document_id=document.pk, keeps=keeps, actor=MIA, reason="r", clock=world.clock
        ),
    )


HANDING_OVER: dict[Callable[[World], None], float] = {
    pull: 16.0,
    acknowledge: 14.0,
    decide_to_hand_over: 3.0,
    hold: 3.0,
    change_limits: 3.0,
    release_part: 8.0,
}
