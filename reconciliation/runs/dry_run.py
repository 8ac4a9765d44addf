"""The orders in a rerun's scope and their forecast; changes nothing."""

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
from reconciliation import connection
from reconciliation.connection.clients import shared_client
from reconciliation.models import Scope
from reconciliation.oci.errors import OciError
from reconciliation.reservation import stock_refresh
from reconciliation.runs import planner
from reconciliation.runs.scopes import ROUND, demands_of, orders_in, round_of

ROWS = 200


@dataclass(frozen=True, slots=True)
class DryRunRow:
    """One order in scope, and its forecast state."""

    order: Order
    units: Decimal
    expected: ReservationState | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """The orders in a scope; `by_outcome` is empty if stock is unknown.

    `forecast_of` says how many orders, oldest first, the forecast covers. `changes_nothing` is true
    where all of them have been answered before and none would get a unit more.
    """

    orders: int
    units: Decimal
    value: dict[str, Decimal]
    by_outcome: dict[ReservationState, int]
    stock_known: bool
    stock_at: datetime | None
    forecast_of: int
    rows: list[DryRunRow]
    changes_nothing: bool = False


def dry_run(
    *,
    scope: Scope | str,
    scope_data: Mapping[str, Any] | None = None,
    told: Collection[str] | None = None,
    now: datetime,
) -> DryRun:
    """Ask OCI for availability and return the forecast of a run, order after order.

    With `told` only orders of these sites are counted and listed; a scope is then narrowed to them
    as well. Earlier orders of other sites, which a run takes along, count for the forecast alone.
    """
    data = scope_data or {}
    chosen = orders_in(scope, data).count()
    order_ids = round_of(scope, data, now=now)
    demands = demands_of(order_ids)
    orders = _figures(order_ids)
    hidden = {pk for pk, order in orders.items() if told is not None and order.site not in told}
    wanted: dict[planner.Key, Decimal] = defaultdict(lambda: ZERO)
    for demand in demands:
        for key, units in demand.units.items():
            wanted[key] += units
    stock = _stock(wanted)
    got = planner.forecast(demands, stock) if stock is not None else {}
    expected = _expected(orders, demands, got) if stock is not None else {}
    demands = [one for one in demands if one.order_id in orders and one.order_id not in hidden]
    expected = {pk: state for pk, state in expected.items() if pk not in hidden}
    value: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for demand in demands:
        order = orders[demand.order_id]
        value[order.currency] += order.order_total
    number = chosen + len(order_ids) - len(hidden) - min(chosen, ROUND)
    shown = Order.objects.in_bulk([demand.order_id for demand in demands[:ROWS]])
    return DryRun(
        orders=number,
        units=sum((units for demand in demands for units in demand.units.values()), ZERO),
        value=dict(value),
        by_outcome=dict(Counter(expected.values())),
        stock_known=stock is not None,
        stock_at=now if stock is not None else None,
        forecast_of=len(demands),
        rows=[
            DryRunRow(shown[pk], sum(demand.units.values(), ZERO), expected.get(pk))
            for demand in demands[:ROWS]
            if (pk := demand.order_id) in shown
        ],
        changes_nothing=stock is not None
        and len(demands) == number
        and not any(_may_change(orders[one.order_id], got[one.order_id]) for one in demands),
    )


def _may_change(order: Any, got: Mapping[planner.Key, Decimal]) -> bool:
    """Whether a run would move the order: it waits for its first answer, or would get units."""
    return order.reservation_state == ReservationState.MISSING or any(got.values())


def _stock(wanted: Mapping[planner.Key, Decimal]) -> dict[planner.Key, Decimal] | None:
    """Return OCI's availability, or None if it does not answer."""
    if not connection.may_call(connection.current()):
        return None
    try:
        figures = stock_refresh.fetch_keys(list(wanted), client=shared_client())
    except (OciError, ImproperlyConfigured):
        return None
    return {figure.key: figure.ato for figure in figures}


def _figures(order_ids: list[int]) -> dict[int, Any]:
    """Return only the columns for the sums, by key: thousands of whole rows are slow."""
    rows = Order.objects.filter(pk__in=order_ids).order_by()
    names = ("pk", "site", "currency", "order_total", "reservation_state")
    return {row.pk: row for row in rows.values_list(*names, named=True)}


def _expected(
    orders: Mapping[int, Any],
    demands: list[planner.Demand],
    got: Mapping[int, Mapping[planner.Key, Decimal]],
) -> dict[int, ReservationState]:
    partial = ReservationState.PARTIAL
    partly = {pk for pk, order in orders.items() if order.reservation_state == partial}
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
