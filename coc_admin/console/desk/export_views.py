"""The oversold desk as a file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import console_page
from coc_admin.console.desk import queries
from coc_admin.console.desk.filters import read_desk_filter
from coc_admin.console.downloads import form_or_404, orders_response, refuse_too_many
from orders.desk.shortages import Shortage, shortages_of
from orders.models import Order, ReservationState
from orders.tables import Column, Kind, Table

MOST_ROWS = 50_000
_CHUNK = 500
_STATES = {str(value): label for value, label in ReservationState.choices}

DESK_COLUMNS = (
    Column("siteId", gettext_lazy("Site")),
    Column("orderNo", gettext_lazy("Order number")),
    Column("capturedAt", gettext_lazy("Captured"), Kind.MOMENT),
    Column("reservationState", gettext_lazy("Reservation state"), Kind.CHOICE, choices=_STATES),
    Column("shortUnits", gettext_lazy("Short units"), Kind.QUANTITY),
    Column("currency", gettext_lazy("Currency")),
    Column("shortValue", gettext_lazy("Value short"), Kind.MONEY, currency="currency"),
    Column("orderTotal", gettext_lazy("Order total"), Kind.MONEY, currency="currency"),
    Column("skus", gettext_lazy("Short SKUs")),
    Column("customerName", gettext_lazy("Customer")),
    Column("customerEmail", gettext_lazy("E-mail address")),
    Column("promisedUntil", gettext_lazy("Promised date"), Kind.MOMENT),
    Column("assignee", gettext_lazy("Assignee")),
    Column("note", gettext_lazy("Note")),
)


@console_page("reconciliation.download_report")
def desk_export(request: HttpRequest, form: str) -> HttpResponseBase:
    """Send the short orders of the desk's URL, in its order, in a Form.

    `per_site=1` sends a file for each site. More than MOST_ROWS are refused.
    """
    chosen = form_or_404(form)
    wanted = read_desk_filter(request)
    found = wanted.orders()
    if found[: MOST_ROWS + 1].count() > MOST_ROWS:
        return refuse_too_many(request, "desk", MOST_ROWS)
    table_of = partial(_table, sort=wanted.sort_of_orders)
    answer = orders_response(request, found, table_of, chosen, stem="short")
    audit.record(
        request=request, action="orders.exported", target="desk", detail=request.GET.dict()
    )
    return answer


def _table(orders: QuerySet[Order], sort: str) -> Table:
    return Table(gettext_lazy("Short orders"), DESK_COLUMNS, _rows(orders, sort))


def _rows(orders: QuerySet[Order], sort: str) -> Iterator[list[Any]]:
    found = queries.sorted_short_orders(orders, sort)[:MOST_ROWS].iterator(chunk_size=_CHUNK)
    while many := list(islice(found, _CHUNK)):
        found_short = shortages_of([order.pk for order in many])
        for order in many:
            yield _row(order, found_short[order.pk])


def _row(order: Order, shortage: Shortage) -> list[Any]:
    entry = getattr(order, "desk_entry", None)
    return [
        order.site_id,
        order.order_no,
        order.captured_at,
        order.reservation_state,
        shortage.units,
        order.currency,
        shortage.value if shortage.has_price else None,
        order.order_total,
        ", ".join(sorted({sku for _list, sku in shortage.by_key})),
        order.customer.get("customerName"),
        order.customer.get("email"),
        order.promised_until,
        entry.assignee.get_username() if entry and entry.assignee else None,
        entry.note if entry else None,
    ]
