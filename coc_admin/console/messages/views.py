"""Pages on which a person writes to the customer of an order, after having seen every word."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.messages.forms import MessageForm
from coc_admin.console.orders.views import order_or_404
from orders import asks
from orders.actors import person
from orders.customer_messages import draft, errors_of, kind_of, template_of
from orders.models import CustomerMessage, HandOver, MessageKind, MessageRoute, Order
from reconciliation import message_handover

# A question is sent from the desk, which keeps the answer.
_KINDS = [one for one in MessageKind.choices if one[0] != MessageKind.ASK]


@console_page("orders.change_order", methods=READ_AND_POST)
def write(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the draft (GET), then send the form's text (POST); a second click sends nothing."""
    order = order_or_404(request, pk)
    if request.method != "POST":
        return _page(request, order, MessageForm(initial=_initial(request, order)))
    form = MessageForm(request.POST)
    if not form.is_valid():
        return _page(request, order, form, status=400)
    known = CustomerMessage.objects.filter(token=form.cleaned_data["token"]).exists()
    if not known and form.cleaned_data["seen"] != _seen(order):
        return _page(request, order, form, status=409)
    route = route_of(order)
    by_email = form.cleaned_data["by_email"] and route.email
    by_webhook = form.cleaned_data["by_webhook"] and bool(route.webhook)
    with transaction.atomic():
        message, is_new = message_handover.write(
            order=order,
            token=form.cleaned_data["token"],
            values=form.message,
            by_email=by_email,
            by_webhook=by_webhook,
            actor=person(request.user.get_username()),
            now=timezone.now(),
        )
        if is_new:
            audit.record(
                request=request,
                action="customer.written",
                target=f"order:{order.pk}",
                detail={"message": message.pk, "email": by_email, "webhook": by_webhook},
            )
    if is_new:
        _tell(request, message_handover.hand_over(message, clock=timezone.now))
    return redirect("order", pk=order.pk)


@console_page("orders.change_order", methods=("POST",))
def send_again(request: HttpRequest, pk: int, message: int) -> HttpResponse:
    """Send a failed message again; parts that arrived are not repeated."""
    order = order_or_404(request, pk)
    row = get_object_or_404(CustomerMessage, order=order, pk=min(message, 2**63 - 1))
    if not asks.may_send(row):
        messages.error(request, _("Nothing was sent: this question to the customer has ended."))
    elif not is_erased(row):
        with transaction.atomic():
            if message_handover.try_again(row):
                audit.record(
                    request=request,
                    action="customer.written_again",
                    target=f"order:{order.pk}",
                    detail={"message": row.pk},
                )
        _tell(request, message_handover.hand_over(row, clock=timezone.now))
    return redirect("order", pk=order.pk)


def is_erased(message: CustomerMessage) -> bool:
    """Whether the message was erased and can't be sent."""
    return message.order.customer_erased_at is not None


def route_of(order: Order) -> MessageRoute:
    """Return how messages of the order's site leave; by e-mail alone unless something is set."""
    return MessageRoute.objects.filter(site=order.site_id).first() or MessageRoute()


def _initial(request: HttpRequest, order: Order) -> dict[str, Any]:
    asked = request.GET.get("kind", "")
    kind = MessageKind(asked) if asked in dict(_KINDS) else kind_of(order)
    proposed, route = draft(order, kind), route_of(order)
    return {
        "token": uuid.uuid4(),
        "seen": _seen(order),
        "kind": proposed.kind or "",
        "recipient": proposed.recipient,
        "subject": proposed.subject,
        "body": proposed.body,
        "by_email": route.email and bool(proposed.recipient),
        "by_webhook": bool(route.webhook),
    }


def _seen(order: Order) -> str:
    """Return the state that a writer must have seen: the order's events and last message."""
    last = CustomerMessage.objects.filter(order=order).order_by("-pk").first()
    return f"{order.status}.{order.resolution}.{last.pk if last else 0}"


def _page(
    request: HttpRequest, order: Order, form: MessageForm, *, status: int = 200
) -> HttpResponse:
    route = route_of(order)
    moved = status == 409
    context = {
        "order": order,
        "form": form,
        "kinds": _KINDS,
        "moved": moved,
        "seen": _seen(order) if moved else form["seen"].value(),
        "last": message_handover.messages_of(order)[:1],
        "language": _language(order, form),
        "may_email": route.email,
        "may_webhook": bool(route.webhook),
    }
    return render(request, "console/messages/order_message.html", context, status=status)


def _language(order: Order, form: MessageForm) -> str:
    """Return the language of the draft that a form began with; "" for a message of no kind."""
    kind = form["kind"].value()
    return template_of(order, MessageKind(kind)).language if kind in MessageKind.values else ""


def _tell(request: HttpRequest, message: CustomerMessage) -> None:
    errors = errors_of(message)
    if errors:
        messages.error(request, _("The message was not sent. %s") % " ".join(errors))
    elif HandOver.PENDING not in (message.email, message.webhook):
        messages.success(request, _("The message to the customer was sent."))
