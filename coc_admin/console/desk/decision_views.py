"""Decide about the order in the desk's panel, undo that, and show the result line."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.assignees import CHANGE_ORDERS
from coc_admin.console import audit
from coc_admin.console.audit import actor_of
from coc_admin.console.desk import queries
from coc_admin.console.desk.ask_views import ANSWER, ASK, ask, record_answer
from coc_admin.console.desk.decision_forms import DecisionForm, NotCarriedOut
from coc_admin.console.desk.filters import DeskFilter
from coc_admin.console.desk.panel import OF_PANEL, address_without, key_of, permitted_order
from coc_admin.console.messages.views import route_of
from orders import settlement
from orders.customer_messages import errors_of
from orders.errors import CannotSettle, OrderRefused
from orders.models import (
    Ask,
    AskAnswer,
    CustomerMessage,
    HandOver,
    Order,
    OrderItem,
    OrderStatus,
    Replacement,
    ReplacementState,
    Resolution,
)
from reconciliation.decisions.decide import decide

UNDO = "undo"


def decided(request: HttpRequest, order: Order, wanted: DeskFilter) -> HttpResponse:
    """Apply the panel's form and go to the next order. Raises NotCarriedOut."""
    if not request.user.has_perm(CHANGE_ORDERS):
        raise PermissionDenied(CHANGE_ORDERS)
    if request.POST.get("kind") == UNDO:
        return _undo(request, order)
    if request.POST.get("kind") in (ASK, ANSWER):
        return _asked(request, order, wanted)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        raise NotCarriedOut(form)
    recipient = str(order.customer.get("email") or "")[:254]
    letter = form.letter(route_of(order), recipient)
    if letter is not None and not (letter.by_email or letter.by_webhook):
        raise NotCarriedOut(form, _("You can't notify the customer from here. Untick the message."))
    next_order = queries.next_short_order(wanted.orders(), order, sort=wanted.sort_of_orders)
    try:
        done = decide(
            order_id=order.pk,
            decision=form.decision,
            letter=letter,
            seen=form.cleaned_data["seen"],
            actor=actor_of(request),
            reason=form.cleaned_data["reason"],
            clock=timezone.now,
            on_letter=lambda message: _record(request, order, message),
        )
    except OrderRefused as error:
        raise NotCarriedOut(form, error.detail) from error
    return redirect(_next_address(request, order, next_order, done.message))


def _asked(request: HttpRequest, order: Order, wanted: DeskFilter) -> HttpResponse:
    """Ask the customer and go to the next order, or record the answer and stay."""
    if request.POST["kind"] == ASK:
        next_order = queries.next_short_order(wanted.orders(), order, sort=wanted.sort)
        message = ask(request, order).message
        return redirect(_next_address(request, order, next_order, message))
    answered = record_answer(request, order)
    values = {"order": str(order.pk)}
    if answered.answer == AskAnswer.ACCEPTED and answered.sku:
        values["sku_by"] = answered.sku
    return redirect(address_without(request, *OF_PANEL, **values))


def _record(request: HttpRequest, order: Order, message: CustomerMessage) -> None:
    waits = HandOver.WAITING in (message.email, message.webhook)
    audit.record(
        request=request,
        action="customer.written_ahead" if waits else "customer.written",
        target=f"order:{order.pk}",
        detail={
            "message": message.pk,
            "email": message.email != HandOver.NONE,
            "webhook": message.webhook != HandOver.NONE,
        },
    )


def _next_address(
    request: HttpRequest, order: Order, found: queries.Next, message: CustomerMessage | None
) -> str:
    left_out = [*OF_PANEL, *(["cursor"] if found.is_first else [])]
    values = {"done": str(order.pk)}
    if message is not None:
        values["told"] = str(message.pk)
    if found.pk is not None:
        values["order"] = str(found.pk)
    return address_without(request, *left_out, **values)


def _undo(request: HttpRequest, order: Order) -> HttpResponse:
    """Reopen the order of the last decision and show it."""
    try:
        with transaction.atomic():
            settlement.reopen(
                order_id=order.pk,
                actor=actor_of(request),
                reason=_("Undone on the desk"),
                now=timezone.now(),
            )
    except CannotSettle:
        # The result line shows the order's state.
        return redirect(address_without(request, done=str(order.pk)))
    values = {"order": str(order.pk), "done": str(order.pk)}
    if message := _message_at(request, order):
        values["told"] = str(message.pk)
    return redirect(address_without(request, "sku_by", "wait", "cursor", **values))


def result_of(request: HttpRequest) -> dict[str, Any] | None:
    """Return the result line of the last decided order, with its current state."""
    order = permitted_order(request, request.GET.get("done", ""))
    if order is None:
        return None
    cancelled = OrderItem.objects.filter(order=order, cancelled_quantity__gt=0).exists()
    last = _message_at(request, order)
    may_undo = settlement.check_reopen(order, has_cancelled=cancelled) is None
    return {
        "order": order,
        "text": _text(order),
        "message": last,
        "is_sent": last is not None and HandOver.SENT in (last.email, last.webhook),
        "waits": last is not None and HandOver.WAITING in (last.email, last.webhook),
        "errors": errors_of(last) if last else [],
        "may_undo": may_undo and request.user.has_perm(CHANGE_ORDERS),
    }


def _message_at(request: HttpRequest, order: Order) -> CustomerMessage | None:
    """Return the message of the decision named in the address; only of this order."""
    key = key_of(request.GET.get("told", ""))
    return None if key is None else CustomerMessage.objects.filter(order=order, pk=key).first()


def _text(order: Order) -> str:
    if order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED):
        return _("cancelled")
    if order.resolution == Resolution.SHORT_CANCELLED:
        return _("short items cancelled")
    if order.resolution == Resolution.SETTLED_OUTSIDE:
        return _("settled outside")
    if order.resolution == Resolution.REPLACED:
        cancelled = OrderItem.objects.filter(order=order, cancelled_quantity__gt=0)
        return _("replaced, and the rest cancelled") if cancelled.exists() else _("replaced")
    replacing = Replacement.objects.filter(order=order, state=ReplacementState.RESERVING)
    if replacing.exists():
        return _("being replaced; OCI has not answered clearly yet")
    if Ask.objects.filter(order=order, answer=AskAnswer.WAITING).exists():
        return _("customer asked; nothing is decided yet")
    return _("open again")
