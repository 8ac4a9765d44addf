"""The orders in a rerun's scope and their forecast; changes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
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
from reconciliation.runs.scopes import ROUND, TooMany, demands_of, orders_in, round_of

ROWS = 200
# So many orders of a whole backlog are in memory at a time.
_PORTION = 1_000


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
    at_most: int | None = None,
) -> DryRun:
    """Ask OCI for availability and return the forecast of a run, order after order.

    With `told` only orders of these sites are counted and listed; a scope is then narrowed to them
    as well. Earlier orders of other sites, which a run takes along, count for the forecast alone.
    The forecast covers the oldest `ROUND` of the scope. Raises TooMany if there are more than
    `at_most` to plan.
    """
    data = scope_data or {}
    chosen = orders_in(scope, data).count()
    if at_most is not None and chosen > at_most:
        raise TooMany
    order_ids = round_of(scope, data, now=now, at_most=at_most)
    forecast = _Forecast(told=told, at=now)
    forecast.add(order_ids)
    return forecast.result(beyond=max(0, chosen - ROUND))


def whole_dry_run(
    *,
    scope: Scope | str,
    scope_data: Mapping[str, Any],
    told: Collection[str] | None,
    now: datetime,
    progress: Callable[[int, int], None],
) -> DryRun:
    """Return the forecast of all orders of a scope, with progress: orders planned, of all.

    It takes minutes for a large backlog, and the memory of a portion. Orders that are settled
    meanwhile are left out.
    """
    order_ids = round_of(scope, scope_data, now=now, whole=True)
    forecast = _Forecast(told=told, at=now)
    progress(0, len(order_ids))
    for start in range(0, len(order_ids), _PORTION):
        forecast.add(order_ids[start : start + _PORTION])
        progress(min(start + _PORTION, len(order_ids)), len(order_ids))
    return forecast.result()


@dataclass(slots=True)
class _Forecast:
    """Adds up what orders would get, given oldest first, a portion at a time."""

    told: Collection[str] | None
    at: datetime
    # What is left at OCI after the orders so far; None once it did not answer.
    stock: dict[planner.Key, Decimal] | None = field(default_factory=dict)
    asked: set[planner.Key] = field(default_factory=set)
    orders: int = 0
    units: Decimal = ZERO
    value: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    by_outcome: Counter[ReservationState] = field(default_factory=Counter)
    first: list[tuple[int, Decimal]] = field(default_factory=list)
    expected: dict[int, ReservationState] = field(default_factory=dict)
    may_change: bool = False

    def add(self, order_ids: Sequence[int]) -> None:
        """Plan the next orders."""
        orders = _figures(order_ids)
        demands = [one for one in demands_of(order_ids) if one.units and one.order_id in orders]
        got = self._served(demands)
        expected = _expected(orders, demands, got) if got is not None else {}
        for demand in demands:
            order = orders[demand.order_id]
            if self.told is not None and order.site not in self.told:
                continue
            units = sum(demand.units.values(), ZERO)
            self.orders += 1
            self.units += units
            self.value[order.currency] += order.order_total
            if len(self.first) < ROWS:
                self.first.append((order.pk, units))
                self.expected |= {order.pk: expected[order.pk]} if expected else {}
            if got is not None:
                self.by_outcome[expected[order.pk]] += 1
                self.may_change = self.may_change or _may_change(order, got[order.pk])

    def _served(
        self, demands: Sequence[planner.Demand]
    ) -> dict[int, dict[planner.Key, Decimal]] | None:
        """Return what orders would get of what those before them left; None without stock."""
        new = {key for demand in demands for key in demand.units} - self.asked
        if self.stock is not None and (new or not self.asked):
            figures = _stock(new)
            self.stock = None if figures is None else self.stock | figures
            self.asked |= new
        if self.stock is None:
            return None
        got = planner.forecast(demands, self.stock)
        for served in got.values():
            for key, units in served.items():
                self.stock[key] = self.stock.get(key, ZERO) - units
        return got

    def result(self, *, beyond: int = 0) -> DryRun:
        """Return the sums; `beyond` so many more orders are in the scope."""
        is_known = self.stock is not None
        shown = Order.objects.in_bulk([pk for pk, _ in self.first])
        return DryRun(
            orders=self.orders + beyond,
            units=self.units,
            value=dict(self.value),
            by_outcome=dict(self.by_outcome) if is_known else {},
            stock_known=is_known,
            stock_at=self.at if is_known else None,
            forecast_of=self.orders,
            rows=[
                DryRunRow(shown[pk], units, self.expected.get(pk) if is_known else None)
                for pk, units in self.first
                if pk in shown
            ],
            changes_nothing=is_known and not beyond and not self.may_change,
        )


def _may_change(order: Any, got: Mapping[planner.Key, Decimal]) -> bool:
    """Whether a run would move the order: it waits for its first answer, or would get units."""
    return order.reservation_state == ReservationState.MISSING or any(got.values())


def _stock(wanted: Collection[planner.Key]) -> dict[planner.Key, Decimal] | None:
    """Return OCI's availability, or None if it does not answer."""
    if not connection.may_call(connection.current()):
        return None
    try:
        figures = stock_refresh.fetch_keys(wanted, client=shared_client())
    except (OciError, ImproperlyConfigured):
        return None
    return {figure.key: figure.ato for figure in figures}


def _figures(order_ids: Sequence[int]) -> dict[int, Any]:
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
