"""What replacing and adjusting have in common: the order's side of a swap.

A swap takes what it wants off ATO and is *being reserved*; the order counts on what it had until
OCI has reserved all of the new. Then it is *done*, or it is *being given back* and ends *refused*;
cancelling the order ends it *cancelled*. Every step is a conditional update by the holder of the
order's claim. `orders.replacements` and `orders.adjustments` say what a swap wants and changes;
`reconciliation.remedies.swap` calls OCI between the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import Q

from orders import asks, events, ledger, lifecycle, outcomes, reasons, waiting_messages
from orders.actors import Actor
from orders.errors import CannotRemedy, Shortfall
from orders.ledger import Key
from orders.lifecycle import Action
from orders.models import (
    ActorKind,
    Adjustment,
    EventKind,
    Hold,
    InventoryRecord,
    OpenRemedy,
    Order,
    OrderItem,
    OrderStatus,
    Replacement,
)
from orders.models.inventory import OPEN_HOLDS
from orders.models.replacements import OPEN_REPLACEMENT
from orders.refusals import figure_lags, moved_on, not_in_list
from orders.units import note_open

# The states of both are the same.
OPEN = OPEN_REPLACEMENT

S = TypeVar("S", Replacement, Adjustment)


class SwapState(StrEnum):
    """The states of a swap, as ReplacementState and AdjustmentState label them."""

    RESERVING = "reserving"
    GIVING_BACK = "giving_back"
    DONE = "done"
    REFUSED = "refused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class SwapKind(Generic[S]):
    """What differs between the swaps on the order's side."""

    model: type[S]
    remedy: OpenRemedy
    action: Action
    error: type[CannotRemedy]
    refused: EventKind
    refusal_limit: int  # characters
    wanted: Callable[[S], Mapping[Key, Decimal]]  # what is off ATO, and must be reserved in full
    lacking: Callable[[S, Sequence[Shortfall]], dict[str, Any]]  # columns for what OCI lacked
    refused_data: Callable[[S], dict[str, Any]]  # members of the event that says it was refused
    event_data: Callable[[S], dict[str, Any]]  # members of each event


def take_claim(
    kind: SwapKind[S], *, order_id: int, holder: str, until: datetime, now: datetime
) -> Order:
    """Become the claim's `holder`, and return the order as read under it, open to the swap.

    Raises the kind's error if another process has the claim, or the order has changed.
    """
    if not outcomes.take_claim(order_id=order_id, holder=holder, until=until, now=now):
        raise kind.error(moved_on())
    # Read under the claim: the order may have changed while it was waited for.
    order = Order.objects.select_related("site").get(pk=order_id)
    lifecycle.require(order, kind.action, kind.error)
    return order


def known_records(
    kind: SwapKind[S], order: Order, wanted: Collection[Key]
) -> dict[Key, InventoryRecord]:
    """Return the records of what is wanted; raise the kind's error for one that is not known.

    So for one of which the order has units that no figure of OCI counts yet.
    """
    records = ledger.records_of(wanted)
    for key in sorted(wanted):
        if key not in records:
            raise kind.error(not_in_list(*key))
    lagging = Hold.objects.filter(
        order=order, record__in=[record.pk for record in records.values()], state__in=OPEN_HOLDS
    )
    if uncounted := lagging.select_related("record").first():
        raise kind.error(figure_lags(uncounted.record.sku))
    return records


def mark_open(kind: SwapKind[S], order: Order, *, holder: str, actor: Actor, now: datetime) -> None:
    """Mark the order of a swap that begins, in the transaction that writes its row.

    Everything else waits for it from then on (`orders.lifecycle`), and an open ask is withdrawn.
    """
    still_open = lifecycle.open_to(kind.action)
    won = Order.objects.filter(still_open, pk=order.pk, claim=holder).update(
        open_remedy=kind.remedy
    )
    if not won:
        raise kind.error(moved_on())
    order.open_remedy = kind.remedy
    asks.withdraw(order, actor=actor, now=now)


def lock(kind: SwapKind[S], swap_id: int, *, holder: str, state: SwapState) -> S | None:
    """Return the swap if it is in `state` and `holder` still has its order, which is locked."""
    rows = kind.model._default_manager
    order_id = rows.values_list("order_id", flat=True).get(pk=swap_id)
    order = Order.objects.select_for_update().filter(
        pk=order_id, claim=holder, status=OrderStatus.NEW
    )
    if order.first() is None:
        return None
    mine = rows.select_related("order").get(pk=swap_id)
    return mine if mine.state == state else None


def settle(
    mine: S, items: Sequence[OrderItem], *, holder: str, still: Q, values: Mapping[str, Any]
) -> None:
    """Bring an order that is `still` so up to date with its items; claim and open remedy end."""
    state = outcomes.state_of(
        {item.pk: item.quantity for item in items},
        {item.pk: item.reserved_quantity for item in items},
    )
    won = Order.objects.filter(still, pk=mine.order_id, claim=holder).update(
        reservation_state=state, claim="", claimed_until=None, open_remedy=None, **values
    )
    if not won:
        raise ledger.LedgerChanged
    note_open(OrderItem.objects.filter(order=mine.order_id))
    mine.order.refresh_from_db()


def end(kind: SwapKind[S], mine: S, state: SwapState, *, now: datetime, **values: Any) -> None:
    """End a swap that is in the state in which it was read."""
    rows = kind.model._default_manager.filter(pk=mine.pk, state=mine.state)
    if not rows.update(state=state, ended_at=now, **values):
        raise ledger.LedgerChanged
    mine.refresh_from_db()


def give_back(
    kind: SwapKind[S],
    swap_id: int,
    *,
    holder: str,
    refusal: str,
    shortfalls: Sequence[Shortfall] = (),
) -> bool:
    """Note that OCI won't reserve all of it, before its part is released there."""
    with transaction.atomic():
        mine = lock(kind, swap_id, holder=holder, state=SwapState.RESERVING)
        if mine is None:
            return False
        # Its customer is not told of what will not happen.
        waiting_messages.discard(mine.order_id)
        rows = kind.model._default_manager.filter(pk=mine.pk, state=SwapState.RESERVING)
        return bool(
            rows.update(
                state=SwapState.GIVING_BACK,
                **reasons.columns("refusal", refusal, limit=kind.refusal_limit),
                **kind.lacking(mine, shortfalls),
            )
        )


def refuse(kind: SwapKind[S], swap_id: int, *, holder: str, now: datetime) -> S | None:
    """End a swap that is being given back: its ATO is free, the order as it was."""
    with transaction.atomic():
        mine = lock(kind, swap_id, holder=holder, state=SwapState.GIVING_BACK)
        if mine is None:
            return None
        end(kind, mine, SwapState.REFUSED, now=now)
        ledger.release(order=mine.order, keys=kind.wanted(mine), now=now)
        won = Order.objects.filter(pk=mine.order_id, claim=holder).update(
            claim="", claimed_until=None, open_remedy=None
        )
        if not won:
            raise ledger.LedgerChanged
        why = reasons.restored(mine.refusal, mine.refusal_codes)
        record(kind, mine, kind.refused, reason=why, now=now, more=kind.refused_data(mine))
        return mine


def actor_of(mine: S) -> Actor:
    """Return who asked for the swap."""
    return Actor(ActorKind(mine.actor_kind), mine.actor)


def record(
    kind: SwapKind[S],
    mine: S,
    event: EventKind,
    *,
    reason: str,
    now: datetime,
    more: Mapping[str, Any] = {},
) -> None:
    """Append an event of the swap to its order's history."""
    events.record(
        order=mine.order,
        kind=event,
        actor=actor_of(mine),
        reason=reason,
        now=now,
        data={**kind.event_data(mine), **more},
    )
