"""Writing the history of orders: each change of state has a time, an actor and a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orders.actors import Actor
from orders.inserts import insert_all
from orders.instances import Maker
from orders.models import EventKind, Order, OrderEvent
from orders.reasons import columns

_events = Maker(OrderEvent)


def build(
    *,
    order: Order,
    kind: EventKind,
    actor: Actor,
    reason: str,
    now: datetime,
    data: Mapping[str, Any] | None = None,
) -> OrderEvent:
    """Return an unsaved event; it waits for the reports if the order was captured offline."""
    event = _events.make(
        at=now,
        kind=kind,
        actor_kind=actor.kind,
        actor=actor.name[:150],
        **columns("reason", reason, limit=1000),
        data=dict(data or {}),
        projected=not order.captured_offline,
    )
    event.order = order
    return event


def record(
    *,
    order: Order,
    kind: EventKind,
    actor: Actor,
    reason: str,
    now: datetime,
    data: Mapping[str, Any] | None = None,
) -> OrderEvent:
    """Append an event in the caller's transaction, together with the change that it records."""
    event = build(order=order, kind=kind, actor=actor, reason=reason, now=now, data=data)
    event.save(force_insert=True)
    return event


def record_all(built: Iterable[OrderEvent]) -> None:
    """Append events made by `build`, in the caller's transaction, in one statement."""
    insert_all(list(built))


def publish_again(order_id: int) -> None:
    """Put an order captured offline into the outbox again: its files change without an event."""
    newest = OrderEvent.objects.filter(order=order_id, order__captured_offline=True)
    OrderEvent.objects.filter(pk__in=newest.order_by("-pk").values("pk")[:1]).update(
        projected=False
    )
