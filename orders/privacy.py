"""Erasure of an order's customer data; the order itself stays as it is.

Nothing that the ledger, a reservation, a report's counts or the recognition of the same order
(`payload_hash`) rests on is touched. An order captured offline tells the reports by its event that
their files must be rewritten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Lower

from orders import asks, events, strict_json, waiting_messages
from orders.actors import Actor
from orders.fields import json_number
from orders.models import CustomerMessage, EventKind, Order, OrderPayload
from orders.models.orders import OrderQuerySet
from orders.search_expressions import CUSTOMER_EMAIL, LONGEST_CUSTOMER_TEXT

ERASED = "(erased)"
CHUNK = 500
# Orders of one pass over what is old; a task must end in good time.
MOST = 5_000

# All else of a payload may speak of a person: addresses, payment, greetings, unknown members.
_IMPERSONAL = ("orderNo", "creationDate", "currency", "productItems", "orderTotal")
_IMPERSONAL_OF_ITEMS = (
    "itemId",
    "productId",
    "productName",
    "quantity",
    "basePrice",
    "price",
    "inventoryId",
    "optionId",
    "optionValueId",
)
_BELOW = ("bundledProductItems", "optionItems")


def orders_of_email(email: str) -> OrderQuerySet:
    """Return the orders of the customer with that e-mail address, in any case."""
    found = Order.objects.annotate(customer_email=CUSTOMER_EMAIL)
    start = found.filter(customer_email=Lower(Value(email[:LONGEST_CUSTOMER_TEXT])))
    ids = [
        pk
        for pk, customer in start.values_list("pk", "customer")
        if str(customer.get("email", "")).lower() == email.lower()
    ]
    return Order.objects.filter(pk__in=ids).order_by("captured_at", "id")


def orders_of_customer(customer_id: str) -> OrderQuerySet:
    """Return the orders of the customer with that id. Reads every order: no index knows the id."""
    return Order.objects.filter(customer__customerId=customer_id).order_by("captured_at", "id")


def erase(*, order_ids: Iterable[int], actor: Actor, reason: str, now: datetime) -> int:
    """Erase the customers of these orders; return how many orders had customer data.

    Safe to repeat and at any time: work on an order continues without its customer.
    """
    return sum(
        _erase_one(order_id, actor=actor, reason=reason, now=now) for order_id in sorted(order_ids)
    )


def _erase_one(order_id: int, *, actor: Actor, reason: str, now: datetime) -> bool:
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        told = CustomerMessage.objects.filter(order=order).exclude(body=ERASED)
        kept = OrderPayload.objects.filter(order=order, reduced_at=None)
        if order.customer_erased_at is not None and not told.exists() and not kept.exists():
            return False
        Order.objects.filter(pk=order_id).update(customer={}, customer_erased_at=now)
        _reduce(kept, now)
        # Nobody can answer what is erased.
        asks.withdraw(order, actor=actor, now=now)
        waiting_messages.discard(order_id)
        asks.erase([order_id])
        told.update(recipient="", subject=ERASED, body=ERASED, email_error="", webhook_error="")
        events.record(order=order, kind=EventKind.ERASED, actor=actor, reason=reason, now=now)
        return True


def reduce_payloads(*, captured_before: datetime, now: datetime) -> int:
    """Reduce the payloads of finished orders to their impersonal parts.

    Returns how many, about MOST at a time.
    """
    reduced = 0
    for ids in _in_parts(payloads_to_reduce(captured_before=captured_before)):
        with transaction.atomic():
            reduced += _reduce(OrderPayload.objects.filter(pk__in=ids, reduced_at=None), now)
    return reduced


def erase_old(*, captured_before: datetime, actor: Actor, reason: str, now: datetime) -> int:
    """Erase the customers of finished orders captured before that moment.

    Returns of how many, about MOST at a time.
    """
    return sum(
        erase(order_ids=ids, actor=actor, reason=reason, now=now)
        for ids in _in_parts(customers_to_erase(captured_before=captured_before))
    )


def payloads_to_reduce(*, captured_before: datetime) -> OrderQuerySet:
    """Return finished orders captured before that moment whose payloads are whole, oldest first."""
    kept = Q(payload__reduced_at__isnull=True, payload__isnull=False)
    return Order.objects.finished().filter(kept, captured_at__lt=captured_before)


def customers_to_erase(*, captured_before: datetime) -> OrderQuerySet:
    """Return finished orders captured before that moment that name a customer, oldest first."""
    return Order.objects.finished().filter(customer_erased_at=None, captured_at__lt=captured_before)


def _in_parts(orders: OrderQuerySet) -> Iterator[list[int]]:
    """Yield ids of orders, oldest first, each once, about MOST of them."""
    rows = list(orders.values_list("captured_at", "pk")[:CHUNK])
    told = 0
    while rows and told < MOST:
        told += len(rows)
        yield [pk for _, pk in rows]
        at, last = rows[-1]
        later = orders.filter(captured_at__gte=at).exclude(captured_at=at, pk__lte=last)
        rows = list(later.values_list("captured_at", "pk")[:CHUNK])


def _reduce(payloads: Any, now: datetime) -> int:
    """Reduce these payloads, which are not reduced yet; return how many were."""
    reduced = 0
    for payload in payloads.order_by("pk"):
        reduced += OrderPayload.objects.filter(pk=payload.pk, reduced_at=None).update(
            body=impersonal(payload.body), reduced_at=now
        )
    return reduced


def _impersonal_lines(lines: Any) -> list[dict[str, Any]]:
    """Return lines with their parts and options; an order of an earlier release may hold others."""
    kept = []
    for line in lines if isinstance(lines, list) else ():
        if isinstance(line, dict):
            told = {name: line[name] for name in _IMPERSONAL_OF_ITEMS if name in line}
            told |= {name: _impersonal_lines(line[name]) for name in _BELOW if name in line}
            kept.append(told)
    return kept


def impersonal(body: str) -> str:
    """Return the impersonal parts of an order as sent, as JSON text."""
    sent = strict_json.loads(body.encode(), is_bounded=False, keeps_odd_numbers=True)
    kept = {name: sent[name] for name in _IMPERSONAL if name in sent}
    kept["productItems"] = _impersonal_lines(kept["productItems"])
    return json.dumps(kept, ensure_ascii=False, default=json_number)
