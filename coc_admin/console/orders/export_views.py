"""The filtered order list as a file for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts import audit_log
from coc_admin.console.access import console_page
from coc_admin.console.formats import format_quantity
from coc_admin.console.orders.filters import read_filter
from coc_admin.console.queries import sorted_orders
from coc_admin.report_responses import file_response
from orders import statement_limit
from orders.fields import json_number
from orders.models import Order
from orders.serializers import iso
from orders.units import with_units
from reconciliation.reports.sheets import FORMS, sheet_file

MOST_ROWS = 50_000
_CHUNK = 1_000

COLUMNS = (
    "siteId",
    "orderNo",
    "capturedAt",
    "capturedOffline",
    "status",
    "reservationState",
    "reconciledAt",
    "exportStatus",
    "currency",
    "orderTotal",
    "units",
    "reservedUnits",
    "customerName",
    "customerEmail",
    "needsReviewSince",
    "needsReviewReason",
    "resolution",
    "resolutionAt",
    "resolutionBy",
    "resolutionNote",
)


@console_page("reconciliation.download_report")
def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """Send the orders of the list's URL, in its order, as CSV or XLSX; two queries of orders.

    More than MOST_ROWS are refused with a message: a part of them would look like all.
    """
    if form not in FORMS:
        raise Http404
    wanted = read_filter(request)
    if wanted.form.errors:
        raise BadRequest(_("The filters of this export make no sense."))
    found = wanted.orders()
    if found.order_by()[: MOST_ROWS + 1].count() > MOST_ROWS:
        messages.error(
            request,
            _("More than %(number)s orders fit; narrow the list before exporting it.")
            % {"number": format_quantity(MOST_ROWS)},
        )
        return redirect(f"{reverse('orders')}?{request.GET.urlencode()}")
    with statement_limit.for_work():
        file = sheet_file(form, COLUMNS, rows_of(sorted_orders(found, wanted.sort)))
    audit_log.record(
        request=request, action="orders.exported", target="orders", detail=request.GET.dict()
    )
    return file_response(file, stem=f"orders_{timezone.now():%Y%m%d_%H%M%S}", form=form)


def rows_of(orders: QuerySet[Order]) -> Iterator[list[Any]]:
    """Yield one row per order, in the order of COLUMNS; one query, a thousand rows at a time."""
    for order in with_units(orders)[:MOST_ROWS].iterator(chunk_size=_CHUNK):
        yield [
            order.site_id,
            order.order_no,
            iso(order.captured_at),
            "yes" if order.captured_offline else "no",
            order.status,
            order.reservation_state,
            iso(order.reconciled_at),
            order.export_status,
            order.currency,
            json_number(order.order_total),
            json_number(order.ordered_units),
            json_number(order.reserved_units),
            order.customer.get("customerName"),
            order.customer.get("email"),
            iso(order.needs_review_since),
            order.needs_review_reason,
            order.resolution,
            iso(order.resolution_at),
            order.resolution_by,
            order.resolution_note,
        ]
