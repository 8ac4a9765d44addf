"""Queries of the console's lists: filters, pages, and counts for a page of rows at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from coc_admin.console import sorting
from coc_admin.pager import Column, Keyset, Page
from orders.models import Order, OrderItem, OrderStatus, ReservationState
from orders.search import find_orders
from orders.search_expressions import CUSTOMER_EMAIL, CUSTOMER_NAME, customer_begins_with
from reconciliation.models import EntryState, RunEntry

PAGE = 50
MOST_COUNTED = 10_000
MOST_CUSTOMERS = 1_000
MOST_FOUND = 1_000

# value in the URL, label, and whether the oldest come first (states that wait for a person)
ORDER_STATES = (
    ("all", _("All"), False),
    ("waiting", _("Waiting"), True),
    ("oversold", _("Oversold"), True),
    ("review", _("Needs review"), True),
    ("reserved", _("Reserved"), False),
    ("cancelled", _("Cancelled"), False),
)
# By the value in the URL; equal values in order of capture.
ORDER_SORTS = {
    "newest": Keyset(Column("captured_at", datetime, True), Column("id", descending=True)),
    "oldest": Keyset(Column("captured_at", datetime), Column("id")),
    "highest": Keyset(Column("order_total", Decimal, True), Column("id", descending=True)),
    "lowest": Keyset(Column("order_total", Decimal), Column("id")),
}


SORT_WORDS = {
    "newest": _("Newest first"),
    "oldest": _("Oldest first"),
    "highest": _("Highest value first"),
    "lowest": _("Lowest value first"),
}
SORT_COLUMNS = {
    "captured": sorting.Column("newest", "oldest", is_ascending=False),
    "value": sorting.Column("highest", "lowest", is_ascending=False),
}


def orders_in_state(state: str) -> QuerySet[Order]:
    """Return the orders of one of ORDER_STATES; all of them for an unknown value."""
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


def with_customer(orders: QuerySet[Order], text: str) -> QuerySet[Order]:
    """Narrow to orders whose customer's name or e-mail begins with `text`, in any case."""
    known = Order.objects.order_by().alias(
        customer_name=CUSTOMER_NAME, customer_email=CUSTOMER_EMAIL
    )
    fit = customer_begins_with("customer_name", text) | customer_begins_with("customer_email", text)
    first = list(known.filter(fit).values_list("pk", flat=True)[: MOST_CUSTOMERS + 1])
    if len(first) <= MOST_CUSTOMERS:
        return orders.filter(pk__in=first)
    # So many matches that a walk through the list finds them quickly.
    return orders.alias(customer_name=CUSTOMER_NAME, customer_email=CUSTOMER_EMAIL).filter(fit)


def search_orders(orders: QuerySet[Order], text: str, *, sites: Collection[str]) -> QuerySet[Order]:
    """Narrow to the order with that number (one per site), that SKU, or else that text.

    The text matches a number or customer, among the newest 1,000 matches. Only numbers of `sites`
    count, so other sites' order numbers are not disclosed.
    """
    # Naming the sites lets the unique index (site, order number) answer.
    numbered = Q(site__in=sites, order_no=text)
    if Order.objects.filter(numbered).exists():
        return orders.filter(numbered)
    items = OrderItem.objects.filter(sku=text)
    if items.exists():
        return orders.filter(pk__in=items.values("order"))
    return orders.filter(pk__in=find_orders(text, sites=list(sites), most=MOST_FOUND).keys)


def page_of_orders(orders: QuerySet[Order], *, cursor: str, sort: str) -> Page[Order]:
    """Return the page at `cursor`, by one of ORDER_SORTS; an invalid cursor means the start."""
    return ORDER_SORTS[sort].page(orders.select_related("site"), cursor, size=PAGE)


def sorted_orders(orders: QuerySet[Order], sort: str) -> QuerySet[Order]:
    """Return `orders` by one of ORDER_SORTS."""
    return ORDER_SORTS[sort].sorted(orders)


def count_up_to(rows: QuerySet[Any], *, of_customer: bool = False) -> tuple[int, bool]:
    """Return the number of orders, at most 10,000, and whether there are more.

    At most 1,000 if filtered `of_customer`, because counting matches reads many names.
    """
    most = MOST_CUSTOMERS if of_customer else MOST_COUNTED
    number = rows.order_by()[: most + 1].count()
    return min(number, most), number > most


def counts_of_runs(
    run_ids: Sequence[int], *, sites: Collection[str] | None = None
) -> dict[int, dict[str, int]]:
    """Return how many orders of each run, or those of `sites`, are in each state; one query."""
    entries = RunEntry.objects.filter(run__in=run_ids)
    if sites is not None:
        entries = entries.filter(order__site__in=sites)
    rows = entries.order_by().values_list("run", "state").annotate(number=Count("pk"))
    counts: dict[int, dict[str, int]] = {pk: defaultdict(int) for pk in run_ids}
    for run_id, state, number in rows:
        counts[run_id][state] = number
    return {pk: dict(states) for pk, states in counts.items()}


def short_of(counts: dict[str, int]) -> int:
    """Return how many orders of a run were not fully reserved."""
    return counts.get(EntryState.PARTIAL, 0) + counts.get(EntryState.NOTHING, 0)
