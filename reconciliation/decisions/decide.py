"""Deciding about a short order: the remedy, and with it the message to the customer."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from orders import lifecycle
from orders.actors import Actor
from orders.errors import CannotRemedy
from orders.models import (
    CustomerMessage,
    HandOver,
    Order,
    OrderItem,
    Replacement,
    ReplacementState,
)
from orders.refusals import moved_on
from reconciliation import message_handover, remedies
from reconciliation.decisions.outlook import mark_of
from reconciliation.decisions.proposals import ACTIONS, Remedy
from reconciliation.reasons import columns, say
from reconciliation.reservation import release


@dataclass(frozen=True, slots=True)
class Decision:
    """A remedy with what it needs: open units by item, the replacement, or a reference."""

    remedy: Remedy
    units: Mapping[int, Decimal]
    sku: str = ""
    unit_price: Decimal | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as the person saw it, with the token of its form and its ways out."""

    token: uuid.UUID
    values: Mapping[str, Any]
    by_email: bool
    by_webhook: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """The order after a decision, its replacement, and the message, if one was wanted."""

    order: Order
    replacement: Replacement | None
    message: CustomerMessage | None


def decide(
    *,
    order_id: int,
    decision: Decision,
    letter: Letter | None,
    seen: str,
    actor: Actor,
    reason: str,
    clock: Callable[[], datetime],
    on_letter: Callable[[CustomerMessage], object] = lambda message: None,
) -> Decided:
    """Do a remedy and write the message in one transaction, then hand the message over.

    `seen` is the order's mark (`outlook.mark_of`) as it was shown. A replacement is reserved at OCI
    first; while OCI has not answered clearly its message waits for a person. `on_letter` is called
    in the transaction that writes a new message. The same again, by the same token or person,
    changes nothing. Raises orders.errors.OrderRefused; the order is as it was then, and nothing
    is sent.
    """
    if decision.remedy == Remedy.REPLACE:
        replacement = _replace(order_id, decision, actor=actor, reason=reason, clock=clock)
        with transaction.atomic():
            order = Order.objects.select_for_update().get(pk=order_id)
            message = _write(order, letter, actor=actor, now=clock(), on_letter=on_letter)
            if message is not None and replacement.state != ReplacementState.DONE:
                _let_wait(message)
    else:
        replacement = None
        with transaction.atomic():
            order = Order.objects.select_for_update().get(pk=order_id)
            if not _is_done(order, decision.remedy, actor, letter):
                _require_seen(order, decision.remedy, seen)
                order = _apply(order, decision, actor=actor, reason=reason, now=clock())
            message = _write(order, letter, actor=actor, now=clock(), on_letter=on_letter)
    if message is not None:
        message = message_handover.hand_over(message, clock=clock)
    return Decided(order, replacement, message)


def _is_done(order: Order, remedy: Remedy, actor: Actor, letter: Letter | None) -> bool:
    """Whether this very decision was carried out before."""
    if letter is not None and CustomerMessage.objects.filter(token=letter.token).exists():
        return True
    refusal = lifecycle.check(order, ACTIONS[remedy])
    is_mine = order.resolution_by == actor.name[:150]
    return refusal is not None and refusal.is_done and is_mine


def _require_seen(order: Order, remedy: Remedy, seen: str) -> None:
    lifecycle.require(order, ACTIONS[remedy], CannotRemedy)
    if mark_of(order, OrderItem.objects.filter(order=order).order_by("position")) != seen:
        raise CannotRemedy(moved_on())


def _apply(order: Order, decision: Decision, *, actor: Actor, reason: str, now: datetime) -> Order:
    common: dict[str, Any] = {"order_id": order.pk, "actor": actor, "reason": reason, "now": now}
    if decision.remedy == Remedy.CANCEL_ITEMS:
        return remedies.cancel_short(units=decision.units, **common)
    if decision.remedy == Remedy.CANCEL_ORDER:
        return release.cancel_order(**common)
    if decision.remedy == Remedy.SETTLE:
        return release.settle_outside(reference=decision.reference, **common)
    raise AssertionError(decision.remedy)


def _replace(
    order_id: int,
    decision: Decision,
    *,
    actor: Actor,
    reason: str,
    clock: Callable[[], datetime],
) -> Replacement:
    ((item_id, units),) = decision.units.items()
    if not OrderItem.objects.filter(pk=item_id, order=order_id).exists():
        raise CannotRemedy(_("This item does not belong to the order."))
    return remedies.replace_short(
        item_id=item_id,
        sku=decision.sku,
        units=units,
        unit_price=decision.unit_price,
        actor=actor,
        reason=reason,
        clock=clock,
    )


def _write(
    order: Order,
    letter: Letter | None,
    *,
    actor: Actor,
    now: datetime,
    on_letter: Callable[[CustomerMessage], object],
) -> CustomerMessage | None:
    if letter is None:
        return None
    message, is_new = message_handover.write(
        order=order,
        token=letter.token,
        values=letter.values,
        by_email=letter.by_email,
        by_webhook=letter.by_webhook,
        actor=actor,
        now=now,
    )
    if is_new:
        on_letter(message)
    return message


def _let_wait(message: CustomerMessage) -> None:
    """Keep a message from being sent until a person sends it again."""
    error = say("letter_waits")
    for way in ("email", "webhook"):
        pending = CustomerMessage.objects.filter(pk=message.pk, **{way: HandOver.PENDING})
        codes = columns(f"{way}_error", error, limit=message_handover.MAX_ERROR)
        pending.update(**{way: HandOver.FAILED}, **codes)
