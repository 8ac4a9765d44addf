"""Deciding about a short order: the remedy, and with it the message to the customer."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from orders import lifecycle, replacements
from orders.actors import Actor
from orders.errors import CannotRemedy
from orders.models import (
    CustomerMessage,
    Order,
    OrderItem,
    Replacement,
    ReplacementState,
)
from orders.refusals import moved_on
from orders.replacement_parts import Besides
from reconciliation import message_handover, remedies
from reconciliation.decisions.outlook import mark_of
from reconciliation.decisions.proposals import ACTIONS, Remedy
from reconciliation.models import BulkKind
from reconciliation.remedies.bulk.acts import act

_KINDS = {
    Remedy.CANCEL_ITEMS: BulkKind.CANCEL_SHORT,
    Remedy.CANCEL_ORDER: BulkKind.CANCEL,
    Remedy.SETTLE: BulkKind.SETTLE_OUTSIDE,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A remedy with what it needs: open units by item, the replacement, or a reference.

    A split replaces the item of `units` and does what `besides` says to the other short items.
    """

    remedy: Remedy
    units: Mapping[int, Decimal]
    sku: str = ""
    unit_price: Decimal | None = None
    reference: str = ""
    besides: Sequence[Besides] = ()


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
    first; its message is written with it, waits until it is done, and is deleted if it is refused.
    `on_letter` is called in the transaction that writes a new message. The same again, by the same
    token or person, changes nothing. Raises orders.errors.OrderRefused; the order is as it was
    then, and nothing is sent.
    """
    teller = _Teller(letter, actor, clock, on_letter)
    replacement = None
    if decision.remedy in (Remedy.REPLACE, Remedy.SPLIT):
        replacement = _replace(order_id, decision, teller, seen, reason=reason)
    else:
        with transaction.atomic():
            order = Order.objects.select_for_update().get(pk=order_id)
            if not _is_done(order, decision.remedy, teller):
                _require_seen(order, decision.remedy, seen)
                act(
                    _KINDS[decision.remedy],
                    order_id=order.pk,
                    units=decision.units,
                    reference=decision.reference,
                    actor=actor,
                    reason=reason,
                    now=clock(),
                )
                order.refresh_from_db()
            teller.write(order)
    message = teller.written()
    if message is not None:
        message = message_handover.hand_over(message, clock=clock)
    return Decided(Order.objects.get(pk=order_id), replacement, message)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Writes the message of a decision, if one is wanted."""

    letter: Letter | None
    actor: Actor
    clock: Callable[[], datetime]
    on_letter: Callable[[CustomerMessage], object]

    def written(self) -> CustomerMessage | None:
        """Return the message, or None if none is wanted, or it was deleted."""
        if self.letter is None:
            return None
        return CustomerMessage.objects.filter(token=self.letter.token).first()

    def write(self, order: Order, replacement: Replacement | None = None) -> None:
        """Write the message, in the caller's transaction and with the order locked."""
        if self.letter is None:
            return
        message, is_new = message_handover.write(
            order=order,
            token=self.letter.token,
            values=self.letter.values,
            by_email=self.letter.by_email,
            by_webhook=self.letter.by_webhook,
            actor=self.actor,
            now=self.clock(),
            replacement=replacement,
        )
        if is_new:
            self.on_letter(message)


def _is_done(order: Order, remedy: Remedy, teller: _Teller) -> bool:
    """Whether this very decision was carried out before."""
    if teller.written() is not None:
        return True
    refusal = lifecycle.check(order, ACTIONS[remedy])
    is_mine = order.resolution_by == teller.actor.name[:150]
    return refusal is not None and refusal.is_done and is_mine


def _require_seen(order: Order, remedy: Remedy, seen: str) -> None:
    lifecycle.require(order, ACTIONS[remedy], CannotRemedy)
    if mark_of(order, OrderItem.objects.filter(order=order).order_by("position")) != seen:
        raise CannotRemedy(moved_on())


def _replace(
    order_id: int, decision: Decision, teller: _Teller, seen: str, *, reason: str
) -> Replacement:
    """Replace an item, or split the order, and write the message, or find both.

    Raises CannotRemedy.
    """
    ((item_id, units),) = decision.units.items()
    item = OrderItem.objects.select_related("order").filter(pk=item_id, order=order_id).first()
    if item is None:
        raise CannotRemedy(_("This item does not belong to the order."))
    same = replacements.find_same(
        item=item, sku=decision.sku, units=units, besides=decision.besides
    )
    if same is not None:
        return _tell_of(same, teller)
    _require_seen(item.order, decision.remedy, seen)
    return remedies.replace_short(
        item_id=item_id,
        sku=decision.sku,
        units=units,
        unit_price=decision.unit_price,
        actor=teller.actor,
        reason=reason,
        clock=teller.clock,
        on_begun=lambda begun: teller.write(begun.order, begun),
        besides=decision.besides,
    )


def _tell_of(same: Replacement, teller: _Teller) -> Replacement:
    """Write the message about a replacement that was begun before, unless it has one.

    Raises CannotRemedy if another person began it, or it was refused meanwhile.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=same.order_id)
        same.refresh_from_db()
        if teller.written() is not None:
            return same
        is_mine = same.actor == teller.actor.name[:150]
        if not is_mine or same.state not in (ReplacementState.RESERVING, ReplacementState.DONE):
            raise CannotRemedy(moved_on())
        if not CustomerMessage.objects.filter(replacement=same).exists():
            teller.write(order, same)
    return same
