"""The remedies of one order: the bulk preview for one order, then the action and the order's page.

Replacing and adjusting, which call OCI at once, have pages of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.bulk.selection import read_marks
from coc_admin.console.orders.views import order_context, order_or_404
from coc_admin.console.remedies.preview import form_class, preview_context
from orders.errors import CannotRemedy, OrderRefused
from orders.models import Order
from orders.refusals import moved_on
from orders.texts import made_visible
from reconciliation.models import BulkKind
from reconciliation.remedies.bulk.acts import act
from reconciliation.remedies.bulk.plans import plan_one

_PHONE = gettext_lazy(
    "Everyone who sees this order can read it, for example: sold out, the shopper agreed by phone."
)
_HINTS: Mapping[BulkKind, str | Promise] = {
    BulkKind.CANCEL: _PHONE,
    BulkKind.CANCEL_SHORT: _PHONE,
    BulkKind.SETTLE_OUTSIDE: gettext_lazy(
        "Everyone who sees this order can read it, for example: store 12 ships the missing mug."
    ),
    BulkKind.REOPEN: gettext_lazy("For example: the store could not deliver."),
}
_DONE: Mapping[BulkKind, str | Promise] = {
    BulkKind.CANCEL: gettext_lazy("Order %(number)s: %(status)s."),
    BulkKind.CANCEL_SHORT: gettext_lazy("Order %(number)s: the short items are cancelled."),
    BulkKind.SETTLE_OUTSIDE: gettext_lazy("Order %(number)s: settled outside."),
    BulkKind.REOPEN: gettext_lazy("Order %(number)s was reopened."),
}


@console_page("orders.change_order", methods=READ_AND_POST)
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the effect of cancelling the order, then cancel it. Idempotent."""
    return _remedy(request, pk, BulkKind.CANCEL)


@console_page("orders.change_order", methods=READ_AND_POST)
def cancel_items(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the person choose short items and cancel them. Idempotent."""
    return _remedy(request, pk, BulkKind.CANCEL_SHORT)


@console_page("orders.change_order", methods=READ_AND_POST)
def settle_outside(request: HttpRequest, pk: int) -> HttpResponse:
    """Record that the short units were secured outside OCI. Idempotent."""
    return _remedy(request, pk, BulkKind.SETTLE_OUTSIDE)


@console_page("orders.change_order", methods=READ_AND_POST)
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Reopen an order that was settled outside or whose short items were cancelled."""
    return _remedy(request, pk, BulkKind.REOPEN)


def _remedy(request: HttpRequest, pk: int, kind: BulkKind) -> HttpResponse:
    """Show the preview of a remedy (GET), or apply it and go to the order (POST)."""
    order = order_or_404(request, pk)
    form, refused = form_class(kind, is_one=True)(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            _require_seen(request, kind, order)
            order = _act(request, kind, order, form.cleaned_data)
        except OrderRefused as error:
            refused = error.detail
        else:
            values = {"number": made_visible(order.order_no), "status": order.get_status_display()}
            messages.success(request, str(_DONE[kind]) % values)
            return redirect("order", pk=order.pk)
    # The refusal must come together with another person's change.
    order.refresh_from_db()
    planned = plan_one(kind, order, now=timezone.now())
    context = order_context(request, order) | preview_context(kind, [planned])
    is_over = planned.already and kind == BulkKind.CANCEL
    context |= {
        "form": form,
        "hint": _HINTS[kind],
        "refused": refused,
        "is_idle": bool(planned.closed) and (is_over or not refused),
        "short_items": [(item, f"{item.pk}:{item.open_quantity}") for item in planned.open_items],
        "chosen": set(request.POST.getlist("item")) if request.method == "POST" else None,
    }
    template = "console/remedies/order_remedy.html"
    return render(request, template, context, status=409 if refused else 200)


def _require_seen(request: HttpRequest, kind: BulkKind, order: Order) -> None:
    """Raise CannotRemedy if the remedy is open to the order but the page showed another state.

    For cancelled items the shown units are compared instead. If the remedy is not open any more,
    the action itself refuses it, with the reason.
    """
    seen = read_marks(request).get(order.pk)
    if seen is None or kind == BulkKind.CANCEL_SHORT:
        return
    planned = plan_one(kind, order, now=timezone.now())
    if not planned.closed and planned.mark != seen:
        raise CannotRemedy(moved_on())


def _act(request: HttpRequest, kind: BulkKind, order: Order, values: Mapping[str, Any]) -> Order:
    return act(
        kind,
        order_id=order.pk,
        units=values.get("item"),
        reference=values.get("reference", ""),
        actor=actor_of(request),
        reason=values["reason"],
        now=timezone.now(),
    )
