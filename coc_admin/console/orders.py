"""Pages about orders: the list, one order with its story, and its cancellation."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from coc_admin.console import queries
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.forms import OrderFilterForm, ReasonForm
from coc_admin.console.frame import frame_of
from coc_admin.console.stories import timeline
from coc_admin.console.wording import standing
from orders.actors import person
from orders.cancellation import request_cancellation
from orders.errors import CannotCancel
from orders.fields import ZERO
from orders.models import (
    ExportStatus,
    Order,
    OrderItem,
    OrderStatus,
    ReservationState,
    Resolution,
    Site,
)
from reconciliation.models import ReservationDocument

MOST_ITEMS = 200
MOST_DOCUMENTS = 50


@console_page("orders.view_order")
def order_list(request: HttpRequest) -> HttpResponse:
    """List orders by state, site, and order number or SKU; the search field leads here too."""
    form = OrderFilterForm(request.GET)
    form.is_valid()
    wanted = form.cleaned_data
    state = wanted.get("state") or "all"
    text, site = wanted.get("q", ""), wanted.get("site")
    oldest_first = {name: old for name, _, old in queries.ORDER_STATES}.get(state, False)
    found = queries.orders_in_state(state)
    if site:
        found = found.filter(site=site)
    if "q" in form.errors:
        # Too long, or with characters that no number and no SKU has.
        found, text = found.none(), request.GET["q"][:250]
    elif text:
        found = queries.search_orders(found, text)
        only = _only_order(found, text)
        if only and state == "all" and not site:
            return redirect("order", pk=only.pk)
    page = queries.page_of_orders(found, cursor=wanted.get("cursor", ""), oldest_first=oldest_first)
    totals = queries.totals_of(page.rows)
    number, more = queries.count_up_to(found)
    context = {
        "rows": [(order, totals.get(order.pk, queries.Totals())) for order in page.rows],
        "page": page,
        "number": number,
        "more": more,
        "state": state,
        "states": queries.ORDER_STATES,
        "oldest_first": oldest_first,
        "sites": list(Site.objects.all()),
        "site": site,
        "q": text,
    }
    return render(request, "console/orders.html", context)


def _only_order(found: QuerySet[Order], text: str) -> Order | None:
    first_two = list(found.filter(order_no=text).order_by()[:2])
    return first_two[0] if len(first_two) == 1 else None


@console_page("orders.view_order")
def order_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one order: where it stands, its items, its story, its documents at OCI."""
    order = _order(pk)
    return render(request, "console/order.html", _order_context(request, order))


def _order(pk: int) -> Order:
    return get_object_or_404(Order.objects.select_related("site"), pk=min(pk, 2**63 - 1))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Units of an order over all its items."""

    ordered: Decimal
    reserved: Decimal

    @property
    def short(self) -> Decimal:
        return self.ordered - self.reserved


def _order_context(request: HttpRequest, order: Order) -> dict[str, Any]:
    items = list(OrderItem.objects.filter(order=order).order_by("position"))
    documents = ReservationDocument.objects.filter(order=order).order_by("generation", "part")
    return {
        "order": order,
        "items": items[:MOST_ITEMS],
        "items_left_out": max(0, len(items) - MOST_ITEMS),
        "sums": _Sums(
            sum((item.quantity for item in items), ZERO),
            sum((item.reserved_quantity for item in items), ZERO),
        ),
        "counts_short": order.status == OrderStatus.NEW
        and order.reservation_state != ReservationState.MISSING,
        "standing": standing(
            order,
            items=items,
            connection=frame_of(request).connection.state,
            waiting_before=_waiting_before(order),
        ),
        "story": timeline(order, items),
        "documents": list(documents.defer("body")[:MOST_DOCUMENTS]),
        "may_cancel": _is_cancellable(order) and request.user.has_perm("orders.change_order"),
        "may_rerun": _is_rerunnable(order) and request.user.has_perm("reconciliation.start_run"),
    }


def _waiting_before(order: Order) -> int:
    if order.status != OrderStatus.NEW or order.reservation_state != ReservationState.MISSING:
        return 0
    earlier = Q(captured_at__lt=order.captured_at) | Q(
        captured_at=order.captured_at, pk__lt=order.pk
    )
    return Order.objects.waiting().filter(earlier).count()


def _is_cancellable(order: Order) -> bool:
    return (
        order.status in (OrderStatus.NEW, OrderStatus.CREATED)
        and order.export_status != ExportStatus.EXPORTED
        and order.resolution == Resolution.NONE
    )


def _is_rerunnable(order: Order) -> bool:
    return (
        order.status == OrderStatus.NEW
        and order.needs_review_since is None
        and order.resolution == Resolution.NONE
        and order.reservation_state != ReservationState.COMPLETE
    )


@console_page("orders.change_order", methods=READ_AND_POST)
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what cancelling would do, then do it with a reason; a second click changes nothing."""
    order = _order(pk)
    form = ReasonForm(request.POST or None)
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            order = request_cancellation(
                order_id=order.pk,
                actor=person(request.user.get_username()),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except CannotCancel as error:
            refused = error.detail
        else:
            messages.success(
                request, f"Order {order.order_no}: {order.get_status_display().lower()}."
            )
            return redirect("order", pk=order.pk)
    context = _order_context(request, order) | {"form": form, "refused": refused}
    return render(request, "console/order_cancel.html", context, status=409 if refused else 200)
