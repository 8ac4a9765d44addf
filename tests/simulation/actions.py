"""Possible events in a world: shoppers, other channels, OCI and time; see also `people`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orders.errors import OrderRefused
from orders.models import Order, Site
from reconciliation import connection, tasks
from reconciliation.models import Connection
from reconciliation.reservation.placement import place_order
from reconciliation.runs import lifecycle
from tests.orders.payloads import raw_order
from tests.simulation import bundles
from tests.simulation.people import (
    SHOP,
    adjust,
    cancel,
    export,
    force_offline,
    open_again,
    release_forced,
    rerun,
    review,
    settle_outside,
)
from tests.simulation.processes import Death
from tests.simulation.world import Wish, World

Fault = Mapping[str, Any]
_ALL_DOWN: tuple[Fault, ...] = (
    {"mode": "down"},
    {"mode": "hang"},
    {"mode": "5xx"},
    {"mode": "5xx", "commit": True},
    {"mode": "garbage"},
    {"mode": "forbidden"},
    {"mode": "badtoken"},
    {"mode": "flap", "style": "down", "onMs": 4000, "offMs": 7000},
    {"mode": "flap", "style": "hang", "onMs": 2000, "offMs": 5000},
)
_SOME: tuple[Fault, ...] = (
    {"mode": "429", "retryAfter": 3, "probability": 0.5},
    {"mode": "429", "retryAfter": 40, "every": 3},
    {"mode": "drop", "probability": 0.5},
    {"mode": "cut", "every": 2},
    {"mode": "hang", "commit": True, "probability": 0.4, "operations": ["put"]},
    {"mode": "hang", "operations": ["token"]},
    {"mode": "5xx", "probability": 0.4},
    {"mode": "5xx", "commit": True, "operations": ["put", "patch"], "probability": 0.6},
    {"mode": "slow", "delayMs": 1500, "probability": 0.5},
    {"mode": "slow", "delayMs": 6000, "when": "after", "operations": ["put"], "probability": 0.4},
    {"mode": "wrongquantities", "style": "more", "operations": ["put"], "probability": 0.3},
    {"mode": "wrongquantities", "style": "other", "operations": ["put"], "probability": 0.3},
    {"mode": "wrongtype", "operations": ["put"], "probability": 0.3},
    {"mode": "empty", "operations": ["put"], "probability": 0.3},
    {"mode": "empty", "style": "noplaces", "operations": ["put"], "probability": 0.3},
    {"mode": "drop", "operations": ["patch"]},
    {"mode": "badtoken", "every": 4},
)


def place(world: World) -> None:
    """A shopper orders one to three SKUs; other shoppers may follow."""
    for _ in range(world.rng.choice((1, 1, 2, 4))):
        if len(world.placed) < world.nature.orders:
            place_one(world)


def place_one(world: World) -> None:
    """One shopper orders one to three SKUs."""
    rng, number = world.rng, len(world.placed)
    site = rng.choice(list(Site.objects.order_by("pk")))
    skus = rng.sample(world.nature.skus, rng.randint(1, min(3, len(world.nature.skus))))
    lines = [(sku, float(rng.choice((1, 1, 1, 2, 3)))) for sku in skus]
    raw = raw_order(f"{number:04}", lines)
    if world.nature.untracked and rng.random() < 0.6:
        raw = bundles.with_untracked(raw, rng)
        world.seen["orders with untracked SKUs"] += 1
    if world.nature.bundles and rng.random() < 0.6:
        raw = bundles.wrapped(raw, rng)
        world.seen["orders with bundles or options"] += 1
    world.placed.append((site, raw))
    send(world, site, raw)


def place_again(world: World) -> None:
    """A storefront that got no answer sends the same order again."""
    if world.placed:
        send(world, *world.rng.choice(world.placed))


def send(world: World, site: Site, raw: bytes) -> None:
    """Place an order like the storefront, and remember the answer."""
    number = json.loads(raw)["orderNo"]

    def work() -> Any:
        try:
            return place_order(raw=raw, site=site, actor=SHOP, clock=world.clock)
        except OrderRefused as refusal:
            return refusal
        finally:
            world.invariants.waited(world.processes.running.waited)

    world.note(f"place {site.pk} {number}")
    answer = world.run("web", work)
    if answer is Death:
        return
    key = (site.pk, number)
    world.handover.answered(key, answer.type if isinstance(answer, OrderRefused) else "")
    if isinstance(answer, OrderRefused):
        world.note(f"  {number}: {answer.type}")
        if world.nature.alone and answer.type == "short-on-stock" and _is_kept(site, number):
            raise AssertionError(f"OCI was short of {number} although nobody else sells")
        return
    world.note(f"  {number}: accepted, {answer.order.reservation_state}")
    world.invariants.accepted.add(key)


def _is_kept(site: Site, number: str) -> bool:
    return Order.objects.filter(site=site, order_no=number).exists()


def tick(world: World) -> None:
    """A second passes, and a monitor ticks; another one stands by."""
    pass_time(world, 1.0)
    world.note("tick")
    world.tick(0 if world.rng.random() < 0.8 else 1)


def work(world: World) -> None:
    """A worker takes a task or two."""
    for _ in range(world.rng.choice((1, 1, 2, 4))):
        if due := world.due_tasks():
            world.work_on(world.rng.choice(due))


def work_twice(world: World) -> None:
    """The queue gives a reconciliation to a second worker while the first works on it."""
    run = lifecycle.active_run()
    if run is not None:
        again = Wish(world.clock.true, "work_run", (run.pk,))
        world.queue.append(again)
        world.work_on(again)


def sweep(world: World) -> None:
    """The schedule lets a worker sweep, perhaps before or after its minute."""
    world.note("sweep")
    world.run("worker sweep", tasks.sweep)


def pass_time(world: World, seconds: float) -> None:
    world.clock.go(seconds)
    world.network.deliver_late()


def wait(world: World) -> None:
    """Time passes: a moment, a minute, sometimes hours."""
    rng = world.rng
    span = rng.choice((0.3, 2.0, 2.0, 10.0, 30.0, 70.0, 70.0, 3600.0))
    seconds = rng.uniform(0, span)
    world.note(f"wait {seconds:.1f} s")
    pass_time(world, seconds)


def correct_clock(world: World) -> None:
    """Our wall clock is corrected; nobody can interpret a host that is an hour wrong."""
    seconds = world.rng.uniform(-2.0, 0.2)
    world.note(f"the clock is corrected by {seconds:.2f} s")
    world.clock.set_wrong(seconds)


def trouble(world: World, faults: Sequence[Fault] = ()) -> None:
    """OCI goes away, or misbehaves, for some time."""
    rng = world.rng
    kind = rng.choice(faults or _ALL_DOWN + _SOME)
    fault = dict(kind)
    if rng.random() < 0.7:
        fault["seconds"] = rng.choice((2, 10, 60, 300))
    world.note(f"trouble at OCI: {fault}")
    world.seen["outages" if kind in _ALL_DOWN else "other trouble at OCI"] += 1
    world.simulator.faults.replace([fault])
    world.network.held_up = rng.choice((0.0, 0.0, 0.3))


def trouble_sometimes(world: World) -> None:
    """OCI misbehaves, but is reachable."""
    trouble(world, _SOME)


def no_trouble(world: World) -> None:
    """OCI works normally."""
    world.note("OCI is well")
    world.simulator.faults.replace([])
    world.network.held_up = 0.0


def outage(world: World) -> None:
    """OCI goes away, the monitor notices, and shoppers continue to order."""
    trouble(world, _ALL_DOWN)
    tick_until(world, lambda state: not connection.may_call(state))
    place(world)
    sell_elsewhere(world)


def recovery(world: World) -> None:
    """OCI is back, sometimes with faults; the monitor notices, and a worker begins."""
    no_trouble(world)
    tick_until(world, connection.may_call)
    if world.rng.random() < 0.5:
        trouble_sometimes(world)
    pass_time(world, 0.5)
    work(world)


def adjust_reservation(world: World) -> None:
    """An operator adjusts a reservation, usually while OCI is there and its figures are fresh."""
    mostly_fresh(world, trouble=0.5)
    adjust(world)


def mostly_fresh(world: World, *, trouble: float) -> None:
    """Usually make OCI available and its figures fresh; it may still misbehave (`trouble`)."""
    if world.rng.random() < 0.8:
        no_trouble(world)
        tick_until(world, connection.may_call)
        pass_time(world, 5.0)
        tick(world)
        if world.rng.random() < trouble:
            trouble_sometimes(world)


def tick_until(world: World, reached: Callable[[Connection], bool]) -> None:
    """Tick a monitor until the connection is online, at most four times."""
    for _ in range(4):
        tick(world)
        if reached(connection.current()):
            return


def sell_elsewhere(world: World) -> None:
    """Another channel sells free units."""
    if world.nature.alone:
        return
    rng = world.rng
    sku, units = rng.choice(world.nature.skus), rng.randint(1, 12)
    place = rng.choice(("dc1", "dc1", "dc2", "store"))
    sold = world.simulator.books.sell(sku, units * 1000, place)
    world.note(f"{place} sells {sold // 1000} of {sku} elsewhere")


def restock(world: World) -> None:
    """Goods arrive."""
    if world.nature.alone:
        return
    rng = world.rng
    sku, units = rng.choice(world.nature.skus), rng.randint(1, 5)
    place = rng.choice(("dc1", "store"))
    books = world.simulator.books
    with books.lock:
        book = books.edit(sku)
        book.records[place].on_hand += units * 1000
        book.settle(books.graph)
    world.note(f"{units} of {sku} arrive at {place}")


def switch_tasks(world: World) -> None:
    """The queue starts or stops losing, doubling and delaying tasks."""
    world.losing_tasks = not world.losing_tasks
    world.note(f"tasks are lost: {world.losing_tasks}")


Action = Callable[[World], None]

ACTIONS: dict[Action, int] = {
    place: 24,
    place_again: 3,
    tick: 6,
    work: 26,
    sweep: 6,
    wait: 8,
    correct_clock: 1,
    trouble: 4,
    no_trouble: 2,
    outage: 9,
    recovery: 14,
    sell_elsewhere: 9,
    restock: 2,
    cancel: 5,
    rerun: 5,
    force_offline: 1,
    release_forced: 2,
    export: 2,
    review: 2,
    switch_tasks: 2,
}
# Events while another process is in the middle of its work.
OVERTAKING: dict[Action, int] = {
    place: 10,
    place_again: 4,
    tick: 12,
    work: 20,
    sweep: 8,
    wait: 12,
    sell_elsewhere: 3,
    cancel: 10,
    rerun: 5,
    trouble: 5,
    no_trouble: 2,
}
# Additional actions of people in worlds whose nature `settles`.
SETTLING: dict[Action, float] = {settle_outside: 9.0, open_again: 3.0}

# Additional actions of operators in worlds whose nature `adjusts`.
ADJUSTING: dict[Action, float] = {adjust_reservation: 25.0}

# Additional events in worlds whose nature is `promises`: goods arrive, figures are renewed.
PROMISING: dict[Action, float] = {restock: 14.0, tick: 14.0}

# Additional events, in the middle of a process, in worlds whose nature `doubles`.
DOUBLING: dict[Action, float] = {work_twice: 100.0}


def weighed(rng: random.Random, actions: dict[Action, int]) -> dict[Action, float]:
    """Return the weights of one world: each has its own, and some events never happen in it."""
    weights = {action: weight * rng.choice((0, 0.3, 1, 1, 3)) for action, weight in actions.items()}
    return weights | {
        action: max(weights[action], actions[action] / 2)
        for action in (place, tick, work, outage, recovery)
        if action in actions
    }


def chosen(rng: random.Random, weights: dict[Action, float]) -> Action:
    """Choose an action."""
    return rng.choices(list(weights), weights=list(weights.values()))[0]
