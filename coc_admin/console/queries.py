"""What the console's lists read: filters, cursors, and counts for a page of rows at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from django.db.models import Count, Q, QuerySet, Sum

from orders.fields import ZERO
from orders.models import Order, OrderItem, OrderStatus, ReservationState, Site
from reconciliation.models import EntryState, RunEntry

T = TypeVar("T")

PAGE = 50
MOST_COUNTED = 10_000

# Value in the URL, label, and whether the oldest come first (what waits for somebody).
ORDER_STATES = (
    ("all", "All", False),
    ("waiting", "Waiting", True),
    ("oversold", "Oversold", True),
    ("review", "Needs review", True),
    ("reserved", "Reserved", False),
    ("cancelled", "Cancelled", False),
)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows of a list, the cursor of the next ones, and whether these are the first."""

    rows: list[T]
    next_cursor: str
    is_first: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Units of one order."""

    ordered: Decimal = ZERO
    reserved: Decimal = ZERO

    @property
    def short(self) -> Decimal:
        """Ordered minus reserved."""
        return self.ordered - self.reserved


def orders_in_state(state: str) -> QuerySet[Order]:
    """Return the orders of one of ORDER_STATES; all of them for a value that is none."""
    orders = Order.objects.all()
    if state == "waiting":
        return orders.waiting()
    if state == "oversold":
        return orders.oversold()
    if state == "review":
        return orders.needing_review()
    if state == "reserved":
        return orders.filter(status=OrderStatus.NEW, reservation_state=ReservationState.COMPLETE)
    if state == "cancelled":
        return orders.filter(status__in=[OrderStatus.CANCELLING, OrderStatus.CANCELLED])
    return orders


def search_orders(orders: QuerySet[Order], text: str) -> QuerySet[Order]:
    """Narrow to the order with that number (one a site), or else to orders with that SKU."""
    # Naming the sites lets the unique index (site, order number) answer.
    numbered = Q(site__in=list(Site.objects.values_list("pk", flat=True)), order_no=text)
    if Order.objects.filter(numbered).exists():
        return orders.filter(numbered)
    return orders.filter(pk__in=OrderItem.objects.filter(sku=text).values("order"))


def page_of_orders(orders: QuerySet[Order], *, cursor: str, oldest_first: bool) -> Page[Order]:
    """Return the page after `cursor` by (captured at, id); a cursor that is none is the start."""
    after = _read_cursor(cursor)
    orders = orders.select_related("site")
    if oldest_first:
        orders = orders.order_by("captured_at", "id")
        if after:
            at, pk = after
            orders = orders.filter(captured_at__gte=at).filter(Q(captured_at__gt=at) | Q(pk__gt=pk))
    else:
        orders = orders.order_by("-captured_at", "-id")
        if after:
            at, pk = after
            orders = orders.filter(captured_at__lte=at).filter(Q(captured_at__lt=at) | Q(pk__lt=pk))
    rows = list(orders[: PAGE + 1])
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    next_cursor = f"{rows[-1].captured_at.isoformat()}~{rows[-1].pk}" if more else ""
    return Page(rows, next_cursor, is_first=after is None)


def _read_cursor(text: str) -> tuple[datetime, int] | None:
    moment, _, number = text.partition("~")
    try:
        at, pk = datetime.fromisoformat(moment), int(number)
    except ValueError:
        return None
    return None if at.tzinfo is None or not 0 < pk < 2**63 else (at, pk)


def count_up_to(orders: QuerySet[Order]) -> tuple[int, bool]:
    """Return how many there are, at most 10,000, and whether there are more."""
    number = orders.order_by()[: MOST_COUNTED + 1].count()
    return min(number, MOST_COUNTED), number > MOST_COUNTED


def totals_of(orders: Iterable[Order]) -> dict[int, Totals]:
    """Return the units of each order by its primary key; one query."""
    rows = (
        OrderItem.objects.filter(order__in=[order.pk for order in orders])
        .order_by()
        .values("order")
        .annotate(ordered=Sum("quantity"), reserved=Sum("reserved_quantity"))
    )
    return {row["order"]: Totals(row["ordered"], row["reserved"]) for row in rows}


def counts_of_runs(run_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return how many orders of each run are in each state; one query."""
    rows = (
        RunEntry.objects.filter(run__in=run_ids)
        .order_by()
        .values_list("run", "state")
        .annotate(number=Count("pk"))
    )
    counts: dict[int, dict[str, int]] = {pk: defaultdict(int) for pk in run_ids}
    for run_id, state, number in rows:
        counts[run_id][state] = number
    return {pk: dict(states) for pk, states in counts.items()}


def short_of(counts: dict[str, int]) -> int:
    """Return how many orders of a run did not get everything."""
    return counts.get(EntryState.PARTIAL, 0) + counts.get(EntryState.NOTHING, 0)
