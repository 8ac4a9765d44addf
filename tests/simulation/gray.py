"""Gray outages: OCI answers queries, but not reservations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from reconciliation import connection
from reconciliation.connection import trials
from reconciliation.models import OWN_FAULTS, CallKind, ConnectionChange, OfflineCause, Outage
from reconciliation.reasons import say
from tests.simulation import actions
from tests.simulation.actions import Action
from tests.simulation.rows import Broken
from tests.simulation.world import World

_FAULTS: tuple[Mapping[str, Any], ...] = (
    {"mode": "hang"},
    {"mode": "hang", "commit": True},
    {"mode": "5xx"},
    {"mode": "5xx", "commit": True},
    {"mode": "drip", "delayMs": 1000},
    {"mode": "garbage"},
    {"mode": "empty"},
    {"mode": "down"},
    {"mode": "429", "retryAfter": 2},
)
# Orders, one a second, until a gray outage must be noticed, and those that must not wait then.
_NOTICED_IN = 6
_AFTER = 4
# This many attempts in this time are enough to decide.
_FEW, _EARLY = 2, 3
# Seconds of the clock until a recovered service must be noticed: probes, a trial, a hold.
_BACK_IN = 15


def gray_outage(world: World) -> None:
    """Only reservations are lost, with an order each second; then they work again."""
    actions.no_trouble(world)
    world.network.held_up = 0.0
    actions.tick_until(world, connection.may_call)
    fault = {**world.rng.choice(_FAULTS), "operations": ["put"]}
    world.note(f"gray outage: {fault}")
    world.seen["gray outages"] += 1
    # Interruptions and deaths are left to the other actions.
    calm = world.nature.deadly == 0 and world.nature.busy == 0
    was_usable = connection.is_usable(connection.current(), now=world.clock.now, patience=0)
    outages = set(Outage.objects.values_list("pk", flat=True))
    changes = ConnectionChange.objects.count()
    # Reservations lost just before count as part of it.
    lost_at = connection.healths()[CallKind.RESERVE].unanswered_since
    began = min(world.clock.now, lost_at or world.clock.now)
    tried = world.puts["web"]
    world.simulator.faults.replace([fault])
    _orders(world, _EARLY)
    early = world.puts["web"] - tried
    _orders(world, _NOTICED_IN - _EARLY)
    if calm and was_usable and early >= _FEW:
        _check_noticed(outages, changes, began)
    usable = connection.may_call(connection.current())
    # With no order to try, good reads bring the connection back, and the next order is the trial.
    stays_lost = not usable and bool(trials.orders_to_try())
    calls = world.puts["web"]
    _orders(world, _AFTER)
    if calm and stays_lost and world.puts["web"] != calls:
        raise Broken("a shopper waited for OCI after the verdict")
    _come_back(world)
    opened = Outage.objects.exclude(pk__in=outages).count()
    if calm and opened > 1:
        raise Broken(f"one gray outage, and {opened} rows")


def _orders(world: World, seconds: int) -> None:
    for _ in range(seconds):
        if len(world.placed) < world.nature.orders + 12:
            _order(world)
        actions.tick(world)


def _order(world: World) -> None:
    usable, calls = connection.may_call(connection.current()), world.puts["web"]
    actions.place_one(world)
    if not usable and world.puts["web"] != calls:
        raise Broken("a shopper waited for OCI while the connection was known to be lost")


def _check_noticed(before: set[int], changes: int, began: Any) -> None:
    """Raise Broken unless the connection went offline, after this many `changes`.

    It may be back: if no order waits, because sites refuse them, probes are enough to try again.
    """
    if not _went_offline(changes):
        raise Broken(f"a gray outage is not noticed in {_NOTICED_IN} orders")
    outage = Outage.objects.order_by("-pk").first()
    if outage is None:
        raise Broken("a gray outage without a row")
    if outage.pk not in before and outage.lost_at < began - timedelta(seconds=3):
        raise Broken("a gray outage began before its first call")


def _went_offline(changes: int) -> bool:
    states = ConnectionChange.objects.order_by("id").values_list("new_state", flat=True)
    return "OFFLINE" in states[changes:]


def _come_back(world: World) -> None:
    actions.no_trouble(world)
    held_until = connection.current().held_until
    if held_until is not None and held_until > world.clock.now:
        actions.pass_time(world, (held_until - world.clock.now).total_seconds())
    for _ in range(_BACK_IN):
        actions.tick(world)
        if connection.may_call(connection.current()):
            break


def check_changes() -> None:
    """Raise Broken if the connection came back too soon, or a relapse counts as a new outage."""
    lost_at = back_at = ended = None
    for change in ConnectionChange.objects.select_related("outage").order_by("id"):
        if change.new_state == "OFFLINE" and change.old_state in ("ONLINE", "RECOVERING"):
            relapsed = back_at is not None and timedelta(0) <= change.at - back_at < _RELAPSE
            lost_at = change.at if relapsed else None
            if relapsed and ended != change.outage and _are_of_oci(ended, change.outage):
                raise Broken("one outage with a relapse, and two rows")
        elif change.new_state == "FORCED_OFFLINE":
            lost_at = None
        elif change.new_state == "RECOVERING":
            # Our wall clock is sometimes corrected by up to two seconds.
            if lost_at is not None and change.at - lost_at < _RELAPSE - timedelta(seconds=3):
                raise Broken("the connection flaps")
            back_at, ended = change.at, change.outage


def _are_of_oci(*outages: Outage | None) -> bool:
    """Whether OCI caused these outages from the start, and not a person or our settings.

    A cause may be corrected later; the first reason stays.
    """
    apart, ours = (OfflineCause.FORCED, *OWN_FAULTS), say("credentials_or_tenant")
    return all(
        outage is not None and outage.cause not in apart and outage.reason != ours
        for outage in outages
    )


_RELAPSE = timedelta(seconds=60)


def slow_shortage(world: World) -> None:
    """OCI is short and slow: releases and fresh figures need calls of their own."""
    actions.no_trouble(world)
    actions.tick_until(world, connection.may_call)
    for _ in range(4):
        actions.sell_elsewhere(world)
    fault = {"mode": "slow", "delayMs": 1500, "operations": ["put", "patch", "availability"]}
    world.note(f"slow shortage: {fault}")
    world.simulator.faults.replace([fault])
    for _ in range(3):
        actions.place_one(world)
    actions.no_trouble(world)


GRAY: dict[Action, float] = {gray_outage: 12.0, slow_shortage: 5.0}
