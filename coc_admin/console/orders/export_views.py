"""The filtered order list as a file for spreadsheets and programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import console_page
from coc_admin.console.downloads import form_or_404, orders_response, refuse_too_many
from coc_admin.console.orders.filters import read_filter
from coc_admin.console.queries import sorted_orders
from orders.models import Order
from orders.tables import Table
from orders.tables.of_orders import ORDER_COLUMNS
from orders.units import with_units

MOST_ROWS = 50_000
_CHUNK = 1_000
_TITLE = gettext_lazy("Orders")


@console_page("reconciliation.download_report")
def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """Send the orders of the list's URL, in its order, in a Form; two queries of orders.

    `per_site=1` sends a file for each site. More than MOST_ROWS are refused with a message, because
    a partial list would look complete.
    """
    chosen = form_or_404(form)
    wanted = read_filter(request)
    if wanted.form.errors:
        raise BadRequest(_("The filters of this export are not valid."))
    found = wanted.orders()
    if found.order_by()[: MOST_ROWS + 1].count() > MOST_ROWS:
        return refuse_too_many(request, "orders", MOST_ROWS)
    found = sorted_orders(found, wanted.sort)
    answer = orders_response(request, found, orders_table, chosen, stem="orders")
    audit.record(
        request=request, action="orders.exported", target="orders", detail=request.GET.dict()
    )
    return answer


def orders_table(orders: QuerySet[Order]) -> Table:
    """Return orders as a table, a row per order."""
    return Table(_TITLE, ORDER_COLUMNS, rows_of(orders))


def rows_of(orders: QuerySet[Order]) -> Iterator[list[Any]]:
    """Yield a row per order with the values of ORDER_COLUMNS; one query, 1,000 rows at a time."""
    for order in with_units(orders)[:MOST_ROWS].iterator(chunk_size=_CHUNK):
        yield [
            order.site_id,
            order.order_no,
            order.captured_at,
            order.captured_offline,
            order.status,
            order.reservation_state,
            order.reconciled_at,
            order.export_status,
            order.currency,
            order.order_total,
            order.ordered_units,
            order.reserved_units,
            order.customer.get("customerName"),
            order.customer.get("email"),
            order.needs_review_since,
            order.needs_review_reason,
            order.resolution,
            order.resolution_at,
            order.resolution_by,
            order.resolution_note,
        ]
