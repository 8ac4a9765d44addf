"""Worlds in which exports and deltas follow OCI's stock, with their faults."""

from __future__ import annotations

from decimal import Decimal

from orders.models import InventoryRecord
from reconciliation import connection
from reconciliation.connection import clients
from reconciliation.stock_mirror import changes, feeds, full_export
from tests.simulation.rows import Broken
from tests.simulation.world import World

_STYLES = ("whole", "whole", "truncated", "fails")


def follow(world: World) -> None:
    """A poller takes a turn; it may die in the middle, or be interrupted."""
    world.run("stock mirror", lambda: _turn(world))


def disturb(world: World) -> None:
    """From now on deltas are lost or doubled, exports fail, or every token expires."""
    rng, oci = world.rng, world.simulator
    oci.settings.change(
        {
            "loseDeltas": rng.choice((0, 0, 2)),
            "repeatDeltas": rng.choice(("no", "yes")),
            "exportStyle": rng.choice(_STYLES),
            "impex": rng.choice(("offered", "offered", "offered", "absent", "forbidden")),
        }
    )
    if rng.random() < 0.5:
        oci.books.expire_deltas()
    world.note("the feeds of stock are disturbed")


FOLLOWING = {follow: 16.0, disturb: 3.0}


def check(world: World) -> None:
    """Let the feeds recover and time pass; then every figure must equal OCI's."""
    world.simulator.settings.change(
        {"loseDeltas": 0, "repeatDeltas": "no", "exportStyle": "whole", "impex": "offered"}
    )
    # An unavailable feed is tried again after ten minutes.
    for _ in range(8):
        world.clock.go(120.0)
        world.network.deliver_late()
        follow(world)
        world.tick()
        world.invariants.check()
    books = world.simulator.books
    for record in InventoryRecord.objects.select_related("inventory_list").order_by("pk"):
        kind = "group" if record.inventory_list.list_type == "group" else "location"
        found = books.figures(kind, record.inventory_list_id, record.sku)
        theirs = Decimal(str(found["ato"])) if found else Decimal(0)
        if record.snapshot_ato is not None and record.snapshot_ato != theirs:
            raise Broken(f"{record}: {record.snapshot_ato} where OCI has {theirs}")


def _turn(world: World) -> None:
    client, clock = clients.client_for_feeds(), world.clock
    feeds.ensure_rows()
    if not connection.may_call(connection.current()):
        return
    for feed in feeds.due_for_changes(clock()):
        changes.follow(feed, client=client, clock=clock)
    export = feeds.due_for_export(clock())
    if export is not None:
        full_export.bring_in(export, client=client, clock=clock, pause=world.pause)
