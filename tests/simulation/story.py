"""One seed from its beginning to its end: events, then OCI recovers and the backlog must drain."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from orders.models import Adjustment, Order, OrderStatus, Replacement
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.models.replacements import OPEN_REPLACEMENT
from reconciliation import connection, tasks
from reconciliation.models import ConnectionState, Run, Scope
from tests.simulation import actions, endings, people, stock
from tests.simulation.crossings import CROSSING, MEETING
from tests.simulation.gray import GRAY, check_changes
from tests.simulation.order_management import HANDING_OVER
from tests.simulation.remedies import MERCHANDISING, REMEDYING
from tests.simulation.rows import Broken, rows
from tests.simulation.world import World, alive

# Longer than every lease, claim, retry and second check together.
_LONGEST_DRAIN = 40
_MEMORY = Path("/dev/shm")


class Failure(AssertionError):
    """A seed that broke a promise: the promise, and the full log."""

    def __init__(self, seed: int, what: str, log: list[str]) -> None:
        super().__init__(
            "\n".join(
                [
                    f"seed {seed}: {what}",
                    *log,
                    f"seed {seed}: {what}",
                    f"replay: make simulate FIRST={seed} SEEDS=1",
                ]
            )
        )
        self.seed, self.what = seed, what


@dataclass(frozen=True, slots=True)
class Told:
    """The result of a seed: the number of each kind of event, and a digest of everything."""

    seen: Counter[str]
    digest: str


def simulate(seed: int) -> Told:
    """Play one seed; raises Failure. Leaves nothing in the database, and no file."""
    folder = Path(tempfile.mkdtemp(prefix="coc-sim-", dir=_MEMORY if _MEMORY.is_dir() else None))
    log: list[str] = []
    broken: list[Exception] = []
    try:
        with transaction.atomic():
            try:
                with alive(World(seed, folder, log, broken)) as world:
                    return _play(world)
            finally:
                transaction.set_rollback(True)
    except Exception as error:
        first = broken[0] if broken else error
        what = str(first) if isinstance(first, AssertionError) else repr(first)
        raise Failure(seed, what, log) from first
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _play(world: World) -> Told:
    overtaking = actions.weighed(world.rng, actions.OVERTAKING)
    usual = actions.weighed(world.rng, actions.ACTIONS)
    if world.nature.settles:
        overtaking, usual = overtaking | actions.SETTLING, usual | actions.SETTLING
    if world.nature.adjusts:
        overtaking, usual = overtaking | actions.ADJUSTING, usual | actions.ADJUSTING
    if world.nature.doubles:
        overtaking = overtaking | actions.DOUBLING
    if world.nature.remedies:
        overtaking, usual = overtaking | REMEDYING, usual | REMEDYING
    if world.nature.grays:
        usual = usual | GRAY
    if world.nature.promises:
        overtaking, usual = overtaking | actions.PROMISING, usual | actions.PROMISING
    if world.nature.hands_over:
        usual = usual | HANDING_OVER
    if world.nature.crosses:
        overtaking, usual = overtaking | MEETING, usual | CROSSING
    if world.nature.merchandises:
        usual = usual | MERCHANDISING
    if world.nature.follows:
        overtaking, usual = overtaking | stock.FOLLOWING, usual | stock.FOLLOWING
    world.overtake = lambda: _do(world, overtaking)
    for step in range(world.nature.steps):
        _do(world, usual)
        if step % 20 == 19:
            _keep_promises(world)
    _drain(world)
    if world.nature.follows:
        stock.check(world)
    endings.check(world)
    check_changes()
    settled = endings.settled()
    _rerun_changes_nothing(world, settled)
    return Told(
        seen=_seen(world),
        digest=hashlib.sha256("\n".join([*world.log, str(settled)]).encode()).hexdigest(),
    )


def _seen(world: World) -> Counter[str]:
    """Count the events, to show whether the seeds reach what they should."""
    seen = world.seen + Counter({"calls to OCI": world.network.calls})
    for name, sql in (
        ("order", "SELECT status || ' ' || reservation_state FROM orders_order"),
        ("event", "SELECT kind FROM orders_orderevent"),
        ("attempt", "SELECT operation || ' ' || outcome FROM reconciliation_attempt"),
        ("outages", "SELECT 'noticed' FROM reconciliation_outage"),
        ("run", "SELECT state FROM reconciliation_run"),
        ("adjustment", "SELECT state FROM orders_rearrangement"),
        ("replacement", "SELECT state FROM orders_replacement"),
    ):
        seen.update(f"{name} {row[0]}" for row in rows(sql))
    return seen


def _do(world: World, weights: dict[actions.Action, float]) -> None:
    try:
        actions.chosen(world.rng, weights)(world)
        world.invariants.check()
    except Exception as error:
        # Cleaning up after an interrupted process must neither hide a finding nor replace it.
        world.broken.append(error)
        raise
    if world.broken:
        raise world.broken[0]


def _keep_promises(world: World) -> None:
    found = [one for one in endings.broken(world) if one.promise != 6]
    if found:
        raise Broken(str(found[0]))


def _drain(world: World) -> None:
    """Let OCI recover and time pass until nothing is left to do."""
    world.note("--- all is well from here on")
    world.nature = endings.calm(world.nature)
    world.losing_tasks = False
    actions.no_trouble(world)
    world.run("operator", lambda: _release(world))
    for round_ in range(_LONGEST_DRAIN):
        people.review(world)
        for _ in range(4):
            actions.pass_time(world, 1.0)
            world.tick()
            if connection.current().state == ConnectionState.ONLINE:
                break
        _work_off(world)
        world.run("worker sweep", tasks.sweep)
        _work_off(world)
        world.invariants.check()
        if round_ > 1 and not _something_left(world):
            # OCI gives the counts of a cancel back a little later.
            actions.pass_time(world, 10.0)
            return
        actions.pass_time(world, 35.0)
    raise Broken(f"does not drain: {_something_left(world)}")


def _release(world: World) -> None:
    connection.release_forced(actor=people.MIA, reason="Over.", now=world.clock.now)


def _work_off(world: World) -> None:
    for _ in range(200):
        due = world.due_tasks()
        if not due:
            return
        world.work_on(due[0])
    raise Broken("tasks wake each other for ever")


def _something_left(world: World) -> str:
    unfinished = Order.objects.filter(status__in=[OrderStatus.CREATED, OrderStatus.CANCELLING])
    left = {
        "waiting": list(Order.objects.waiting().values_list("order_no", flat=True)),
        "unfinished": list(unfinished.values_list("order_no", "status")),
        "review": list(Order.objects.needing_review().values_list("order_no", flat=True)),
        "adjustments": list(
            Adjustment.objects.filter(OPEN_ADJUSTMENT).values_list("pk", flat=True)
        ),
        "replacements": list(
            Replacement.objects.filter(OPEN_REPLACEMENT).values_list("pk", flat=True)
        ),
        "runs": list(Run.objects.filter(is_active=True).values_list("pk", flat=True)),
        "documents": rows(
            "SELECT order_id, generation, state FROM reconciliation_reservationdocument"
            " WHERE state IN ('cancelling', 'answered', 'prepared') AND NOT"
            " (state = 'prepared' AND sends = 0)"
        ),
        "events": rows("SELECT id FROM orders_orderevent WHERE NOT projected"),
        "reports": rows("SELECT id FROM reconciliation_reportday WHERE needs_merge"),
        "tasks": [wish for wish in world.queue if wish.due <= world.clock.true],
        "connection": [
            state for state in [connection.current().state] if state != ConnectionState.ONLINE
        ],
    }
    return ", ".join(f"{name} {what}" for name, what in left.items() if what)


def _rerun_changes_nothing(world: World, settled: object) -> None:
    """Run everything again: settled orders stay unchanged (promise 5)."""
    for scope, data in (
        (Scope.MISSING, {}),
        (Scope.ORDERS, {"orders": list(Order.objects.values_list("pk", flat=True))}),
    ):
        world.note(f"--- once more: {scope}")
        before = Order.objects.oversold().exists()
        people.start(world, scope, data)
        for _ in range(3):
            actions.pass_time(world, 1.0)
            _work_off(world)
        world.invariants.check()
        if Run.objects.filter(is_active=True).exists():
            raise Broken("the run does not end")
        if not before and endings.settled() != settled:
            raise Broken(f"running {scope} again changed something")
