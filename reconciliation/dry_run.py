"""What a rerun would touch and what availability says would happen; changes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from orders import outcomes
from orders.fields import ZERO
from orders.models import Order, ReservationState
from reconciliation import connection, planner, snapshots
from reconciliation.models import Scope
from reconciliation.oci.errors import OciError
from reconciliation.oci_client import client as shared_client
from reconciliation.scopes import ROUND, demands_of, orders_in, round_of

ROWS = 200


@dataclass(frozen=True, slots=True)
class DryRunRow:
    """One order that would be touched, and the state that availability says it would end in."""

    order: Order
    units: Decimal
    expected: ReservationState | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run of a scope would touch; `by_outcome` is empty when stock is not known.

    `forecast_of` says how many orders, oldest first, the forecast covers.
    """

    orders: int
    units: Decimal
    value: dict[str, Decimal]
    by_outcome: dict[ReservationState, int]
    stock_known: bool
    stock_at: datetime | None
    forecast_of: int
    rows: list[DryRunRow]


def dry_run(
    *,
    scope: Scope | str,
    scope_data: Mapping[str, Any] | None = None,
    told: Collection[str] | None = None,
    now: datetime,
) -> DryRun:
    """Ask OCI what is available and say what a run of this scope would do, order after order.

    With `told` only orders of these sites are counted and listed; a scope is then narrowed to them
    as well. Earlier orders of other sites, which a run takes along, count for the forecast alone.
    """
    data = scope_data or {}
    chosen = orders_in(scope, data).count()
    order_ids = round_of(scope, data)
    demands = demands_of(order_ids)
    orders = _orders(order_ids)
    hidden = {o.pk for o in orders if told is not None and o.site_id not in told}
    wanted: dict[planner.Key, Decimal] = defaultdict(lambda: ZERO)
    for demand in demands:
        for key, units in demand.units.items():
            wanted[key] += units
    stock = _stock(wanted)
    expected = _expected(orders, demands, stock) if stock is not None else {}
    orders = [order for order in orders if order.pk not in hidden]
    demands = [demand for demand in demands if demand.order_id not in hidden]
    expected = {pk: state for pk, state in expected.items() if pk not in hidden}
    value: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for order in orders:
        value[order.currency] += order.order_total
    return DryRun(
        orders=chosen + len(order_ids) - len(hidden) - min(chosen, ROUND),
        units=sum((units for demand in demands for units in demand.units.values()), ZERO),
        value=dict(value),
        by_outcome=dict(Counter(expected.values())),
        stock_known=stock is not None,
        stock_at=now if stock is not None else None,
        forecast_of=len(orders),
        rows=[
            DryRunRow(order, sum(demand.units.values(), ZERO), expected.get(order.pk))
            for order, demand in zip(orders[:ROWS], demands, strict=False)
        ],
    )


def _stock(wanted: Mapping[planner.Key, Decimal]) -> dict[planner.Key, Decimal] | None:
    """Return what OCI says is available, or None while it does not say."""
    if not connection.may_call(connection.current()):
        return None
    try:
        figures = snapshots.fetch_keys(list(wanted), client=shared_client())
    except (OciError, ImproperlyConfigured):
        return None
    return {figure.key: figure.ato for figure in figures}


def _orders(order_ids: list[int]) -> list[Order]:
    found = Order.objects.in_bulk(order_ids)
    return [found[pk] for pk in order_ids if pk in found]


def _expected(
    orders: list[Order],
    demands: list[planner.Demand],
    stock: Mapping[planner.Key, Decimal],
) -> dict[int, ReservationState]:
    got = planner.forecast(demands, stock)
    partly = {order.pk for order in orders if order.reservation_state == ReservationState.PARTIAL}
    expected = {}
    for demand in demands:
        keys = sorted(demand.units)
        ordered = {index: demand.units[key] for index, key in enumerate(keys)}
        reserved = {index: got[demand.order_id][key] for index, key in enumerate(keys)}
        state = outcomes.state_of(ordered, reserved)
        # What it holds already it keeps, even if it gets nothing more.
        if state == ReservationState.NOTHING and demand.order_id in partly:
            state = ReservationState.PARTIAL
        expected[demand.order_id] = state
    return expected
