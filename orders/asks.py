"""Asks: offers to the customer of a short order before anything is decided.

An ask changes nothing of its order: no stock is held, and the order keeps its place in the queue.
While it waits for the customer, the desk's list leaves the order out. It comes back when a person
records the answer, when its time is over, or when order management has taken the order. Every
remedy withdraws an open ask in its own transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from orders import events, lifecycle
from orders.actors import Actor
from orders.errors import CannotRemedy
from orders.fields import json_number
from orders.lifecycle import Action
from orders.models import (
    Ask,
    AskAnswer,
    CustomerMessage,
    EventKind,
    ExportStatus,
    HandOver,
    Order,
    OrderItem,
)

_SENT = Q(message__email=HandOver.SENT) | Q(message__webhook=HandOver.SENT)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a customer is asked: `units` of an item as another SKU, or waiting until a moment."""

    item: OrderItem | None = None
    sku: str = ""
    product_name: str = ""
    units: Decimal | None = None
    unit_price: Decimal | None = None
    wait_until: datetime | None = None


def record(
    order: Order,
    offer: Offer,
    message: CustomerMessage,
    *,
    due_at: datetime,
    actor: Actor,
    now: datetime,
) -> Ask:
    """Store an ask with its message, in the transaction that writes the message.

    Raises CannotRemedy for an order that is decided or has an open ask; the transaction must be
    rolled back then.
    """
    lifecycle.require(order, Action.KEEP_PLACE, CannotRemedy)
    try:
        with transaction.atomic():
            ask = Ask.objects.create(
                order=order,
                message=message,
                item=offer.item,
                inventory_list_id=offer.item.inventory_list_id if offer.item else None,
                sku=offer.sku,
                product_name=offer.product_name,
                units=offer.units,
                unit_price=offer.unit_price,
                wait_until=offer.wait_until,
                due_at=due_at,
            )
    except IntegrityError:
        raise CannotRemedy(_("This customer has been asked already.")) from None
    events.record(
        order=order, kind=EventKind.ASKED, actor=actor, reason="", now=now, data=_data(ask)
    )
    return ask


def answer(*, ask_id: int, answer: AskAnswer, note: str, actor: Actor, now: datetime) -> Ask:
    """Record the customer's answer to an open ask, or withdraw it. The same again changes nothing.

    Raises CannotRemedy when it was ended otherwise.
    """
    with transaction.atomic():
        order_id = Ask.objects.values_list("order", flat=True).get(pk=ask_id)
        order = Order.objects.select_for_update().get(pk=order_id)
        if not _end(order, answer, Q(pk=ask_id), note=note, actor=actor, now=now):
            ask = Ask.objects.get(pk=ask_id)
            if (ask.answer, ask.note, ask.answered_by) != (answer, note, actor.name[:150]):
                words = _("This question has ended already: %(answer)s, recorded by %(name)s.")
                told = {"answer": ask.get_answer_display(), "name": ask.answered_by}
                raise CannotRemedy(words % told)
            return ask
        return Ask.objects.get(pk=ask_id)


def withdraw(order: Order, *, actor: Actor, now: datetime) -> bool:
    """End the open ask of an order that gets a remedy, in its transaction; False without one."""
    return _end(order, AskAnswer.WITHDRAWN, Q(), note="", actor=actor, now=now)


def _end(
    order: Order, answer: AskAnswer, which: Q, *, note: str, actor: Actor, now: datetime
) -> bool:
    """End the open ask of an order, which the caller has locked; False if there is none."""
    ended = Ask.objects.filter(which, order=order, answer=AskAnswer.WAITING).update(
        answer=answer, note=note[:500], answered_at=now, answered_by=actor.name[:150]
    )
    if ended:
        events.record(
            order=order,
            kind=EventKind.ASK_ENDED,
            actor=actor,
            reason="",
            now=now,
            data={"answer": answer},
        )
    return ended > 0


def waiting(now: datetime) -> QuerySet[Ask]:
    """Return the asks whose orders the desk's list leaves out.

    An order whose question was not sent stays in the list, and so does one that order management
    has taken: it can't be replaced any more.
    """
    return Ask.objects.filter(
        _SENT, ~Q(order__export_status=ExportStatus.EXPORTED), answer="waiting", due_at__gt=now
    ).order_by()


def may_send(message: CustomerMessage) -> bool:
    """Whether a message can still be sent: no question that has ended; one query."""
    return not Ask.objects.filter(message=message).exclude(answer=AskAnswer.WAITING).exists()


def last_of(order: Order) -> Ask | None:
    """Return the latest ask of an order with its message; one query."""
    return Ask.objects.filter(order=order).select_related("message", "item").last()


def erase(order_ids: Collection[int]) -> None:
    """Erase what people noted of customers' answers. Their messages are erased with the order's."""
    Ask.objects.filter(order__in=order_ids).exclude(note="").update(note="")


def _data(ask: Ask) -> dict[str, Any]:
    if ask.wait_until is not None:
        last = (ask.wait_until - timedelta(microseconds=1)).astimezone(ask.order.site.zone)
        return {"lastDay": last.date().isoformat()}
    return {
        "replaced": ask.item.sku if ask.item else "",
        "sku": ask.sku,
        "inventoryListId": ask.inventory_list_id,
        "quantity": json_number(ask.units) if ask.units is not None else None,
        "unitPrice": json_number(ask.unit_price) if ask.unit_price is not None else None,
    }
