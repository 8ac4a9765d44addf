"""Two processes that meet at one order, in worlds whose nature `crosses`.

Chance seldom brings them together: in seven of 119 other worlds an update of an order came too
late, and usually the documents stopped the losing request as well. In none of the 19 that hand
orders over did an order change between being read and being acknowledged. Here one person cancels
an order for which another process may call OCI, and people change orders that order management has
read.
"""

from __future__ import annotations

from orders import documents
from orders.models import ExportStatus, Order, OrderStatus
from tests.simulation import actions, remedies
from tests.simulation.handover import read
from tests.simulation.order_management import acknowledge_one, decide_to_hand_over
from tests.simulation.people import cancel_one
from tests.simulation.world import Wish, World

_OPEN = (OrderStatus.NEW, OrderStatus.CREATED)


def cancel_under_way(world: World) -> None:
    """A merchandiser cancels a claimed order; a worker continues at once."""
    claimed = Order.objects.filter(claimed_until__gt=world.clock.now, status__in=_OPEN)
    orders = list(claimed.order_by("pk"))
    if not orders:
        return
    world.seen["orders cancelled under a claim"] += 1
    cancel_one(world, world.rng.choice(orders))
    wish = Wish(world.clock.true, "finish_cancellations", ())
    world.queue.append(wish)
    world.work_on(wish)


def acknowledge_what_has_changed(world: World) -> None:
    """Order management reads orders, people change some, and one of these is acknowledged."""
    decide_to_hand_over(world)
    ready = Order.objects.filter(export_status=ExportStatus.READY).values_list("pk", flat=True)
    seen = read(*ready)
    if not seen:
        return
    world.note(f"order management reads {sorted(seen)}")
    world.handover.pulled.update(seen)
    for change in world.rng.choices(list(_CHANGES), weights=list(_CHANGES.values()), k=3):
        change(world)
    changed = [pk for pk, (version, _) in seen.items() if documents.version_of(pk) != version]
    if changed:
        world.seen["orders changed since they were read"] += 1
        acknowledge_one(world, world.rng.choice(changed))


_CHANGES: dict[actions.Action, float] = {
    remedies.cancel_short: 3.0,
    remedies.replace: 3.0,
    remedies.reopen: 1.0,
    remedies.give_back: 1.0,
}
# In addition to the usual events.
CROSSING: dict[actions.Action, float] = {acknowledge_what_has_changed: 20.0}
# While another process is in the middle of its work.
MEETING: dict[actions.Action, float] = {cancel_under_way: 60.0}
