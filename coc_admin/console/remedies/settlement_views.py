"""Pages on which a person settles a short order by other means, and takes that back."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.forms import ReasonForm, SettleForm
from coc_admin.console.orders.views import order_context, order_or_404
from orders import lifecycle, settlement
from orders.actors import person
from orders.errors import CannotSettle
from orders.lifecycle import Action, Refusal
from orders.models import Order, OrderItem, Resolution
from orders.texts import made_visible
from reconciliation.reservation import release


@console_page("orders.change_order", methods=READ_AND_POST)
def settle_outside(request: HttpRequest, pk: int) -> HttpResponse:
    """Explain the record, then store it; a second click changes nothing."""
    return _asked(
        request,
        order_or_404(request, pk),
        "console/remedies/order_settle.html",
        form=SettleForm(request.POST or None),
        do=release.settle_outside,
        done=_("Order %(number)s: settled outside."),
        check=_check_settle,
    )


@console_page("orders.change_order", methods=READ_AND_POST)
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back that an order was settled outside, or its short items cancelled; with a reason."""
    return _asked(
        request,
        order_or_404(request, pk),
        "console/remedies/order_reopen.html",
        form=ReasonForm(request.POST or None),
        do=settlement.reopen,
        done=_("Order %(number)s was reopened."),
        check=_check_reopen,
    )


def _asked(
    request: HttpRequest,
    order: Order,
    template: str,
    *,
    form: Form,
    do: Callable[..., object],
    done: str,
    check: Callable[[Order], Refusal | None],
) -> HttpResponse:
    """Show the page, or apply the form and redirect to the order."""
    refused = ""
    if request.method == "POST" and form.is_valid():
        actor = person(request.user.get_username())
        try:
            do(order_id=order.pk, actor=actor, now=timezone.now(), **form.cleaned_data)
        except CannotSettle as error:
            refused = error.detail
        else:
            messages.success(request, done % {"number": made_visible(order.order_no)})
            return redirect("order", pk=order.pk)
    # What somebody else has done meanwhile must be seen together with the refusal.
    order.refresh_from_db()
    closed = check(order)
    context = order_context(request, order) | {
        "form": form,
        "refused": refused,
        "is_idle": not refused and closed is not None,
        "closed": closed,
        "is_settled_outside": order.resolution == Resolution.SETTLED_OUTSIDE,
    }
    return render(request, template, context, status=409 if refused else 200)


def _check_settle(order: Order) -> Refusal | None:
    return lifecycle.check(order, Action.SETTLE_OUTSIDE)


def _check_reopen(order: Order) -> Refusal | None:
    cancelled = OrderItem.objects.filter(order=order, cancelled_quantity__gt=0)
    return settlement.check_reopen(order, has_cancelled=cancelled.exists())
