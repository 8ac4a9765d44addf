"""Pages to hand an order over to order management, hold it, or resubmit it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.forms import ReasonForm
from coc_admin.console.orders.views import order_context, order_or_404
from orders import exports, handover, lifecycle
from orders.errors import ExportRefused
from orders.lifecycle import Action
from orders.models import ExportStatus, Order
from orders.texts import made_visible

# Orders per click; the page shows how many are left.
MOST_RESUBMITTED = 500


@console_page("orders.change_order", methods=READ_AND_POST)
def hand_over(request: HttpRequest, pk: int) -> HttpResponse:
    """Explain the handover, then hand over with a reason. Idempotent."""
    return _asked(
        request,
        order_or_404(request, pk),
        "console/remedies/order_hand_over.html",
        do=handover.hand_over_now,
        done=_("Order management may take order %(number)s."),
        is_idle=lambda order: not handover.is_waiting(order),
    )


@console_page("orders.change_order", methods=READ_AND_POST)
def hold(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a short order from order management, with a reason. Idempotent."""
    return _asked(
        request,
        order_or_404(request, pk),
        "console/remedies/order_hold.html",
        do=handover.hold,
        done=_("Order %(number)s is held back from order management."),
        is_idle=lambda order: (
            handover.is_held(order) or lifecycle.check(order, Action.HOLD) is not None
        ),
    )


@console_page("orders.change_order", methods=READ_AND_POST)
def resubmit(request: HttpRequest, pk: int) -> HttpResponse:
    """Offer one order again after order management rejected it, with a reason."""
    return _asked(
        request,
        order_or_404(request, pk),
        "console/remedies/order_resubmit.html",
        do=_resubmit_one,
        done=_("Order management may take order %(number)s again."),
        is_idle=lambda order: order.export_status != ExportStatus.FAILED,
    )


def _resubmit_one(*, order_id: int, **by: object) -> None:
    exports.resubmit(order_ids=[order_id], **by)  # type: ignore[arg-type]


def _asked(
    request: HttpRequest,
    order: Order,
    template: str,
    *,
    do: Callable[..., object],
    done: str,
    is_idle: Callable[[Order], bool],
) -> HttpResponse:
    form = ReasonForm(request.POST or None)
    refused = ""
    if request.method == "POST" and form.is_valid():
        actor = actor_of(request)
        try:
            do(order_id=order.pk, actor=actor, now=timezone.now(), **form.cleaned_data)
        except ExportRefused as error:
            refused = error.detail
        else:
            messages.success(request, done % {"number": made_visible(order.order_no)})
            return redirect("order", pk=order.pk)
    order.refresh_from_db()
    context = order_context(request, order) | {
        "form": form,
        "refused": refused,
        "is_idle": not refused and is_idle(order),
    }
    return render(request, template, context, status=409 if refused else 200)


@console_page("orders.change_order", methods=READ_AND_POST)
def resubmit_all(request: HttpRequest) -> HttpResponse:
    """Offer every order of the shown sites again that order management rejected."""
    found = site_access(request).orders(exports.failed())
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        number = exports.resubmit(
            order_ids=list(found.order_by("pk").values_list("pk", flat=True)[:MOST_RESUBMITTED]),
            actor=actor_of(request),
            now=timezone.now(),
            reason=form.cleaned_data["reason"],
        )
        words = ngettext(
            "Order management may take %(number)s order again.",
            "Order management may take %(number)s orders again.",
            number,
        )
        messages.success(request, words % {"number": number})
        return redirect("orders")
    number = found.count()
    context = {
        "form": form,
        "number": number,
        "most": MOST_RESUBMITTED,
        "is_idle": not number,
        "back": reverse("orders"),
    }
    return render(request, "console/orders/resubmit.html", context)
