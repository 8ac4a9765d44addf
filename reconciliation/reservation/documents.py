"""Store reservation documents before the first call, and their successors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from orders import events, lifecycle
from orders.actors import Actor
from orders.ledger import Key
from orders.lifecycle import OpenRemedy
from orders.models import (
    EventKind,
    InventoryList,
    Order,
    OrderItem,
    OrderStatus,
)
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.models.attempts import OF_REMEDIES
from reconciliation.oci.documents import (
    Line,
    Place,
    PlaceKind,
    build_body,
    reservation_id,
    split_lines,
    sum_lines,
)
from reconciliation.reasons import say

_ACTIVE = (DocumentState.PREPARED, DocumentState.ANSWERED)


def prepare(*, order_id: int, holder: str, purpose: Purpose) -> list[ReservationDocument] | None:
    """Store and return the documents to send to OCI; open ones are returned unchanged.

    A remedy stores its own document (`write_replacement`, `write_kept`). An empty list means that
    nothing is missing. None means that `holder` may not reserve for the order any more: a worker
    that was presumed dead must not reserve for a cancelled order.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().filter(pk=order_id, claim=holder).first()
        if order is None or order.status not in (OrderStatus.NEW, OrderStatus.CREATED):
            return None
        active = ReservationDocument.objects.filter(order=order, state__in=_ACTIVE)
        if purpose in OF_REMEDIES:
            return list(active.filter(purpose=purpose))
        if purpose == Purpose.SHORTFALL and lifecycle.open_remedy(order) != OpenRemedy.NONE:
            return None
        if active:
            return list(active)
        lines = _missing_lines(order)
        if not lines:
            return []
        generation = _free_generation(order)
        return _write_down(order, split_lines(lines), generation=generation, purpose=purpose)


def write_replacement(order_id: int, wanted: Mapping[Key, Decimal]) -> None:
    """Store the documents of a replacement, in the transaction that begins it.

    There are several if the lines exceed one document's limit.
    """
    order = Order.objects.select_for_update().get(pk=order_id)
    lines = _lines(wanted)
    _write_down(
        order,
        split_lines(lines),
        generation=_free_generation(order),
        purpose=Purpose.REPLACEMENT,
    )


def write_kept(order_id: int, kept: Mapping[Key, Decimal]) -> ReservationDocument:
    """Store the document of the units an adjustment keeps, in the transaction that begins it.

    `kept` has at most the keys of the original document, which fitted into one.
    """
    order = Order.objects.select_for_update().get(pk=order_id)
    (document,) = _write_down(
        order, [_lines(kept)], generation=_free_generation(order), purpose=Purpose.ADJUSTMENT
    )
    return document


def _lines(wanted: Mapping[Key, Decimal]) -> list[Line]:
    lists = InventoryList.objects.in_bulk({list_id for list_id, _ in wanted})
    return sum_lines(
        Line(_place(lists[list_id]), sku, units) for (list_id, sku), units in wanted.items()
    )


def _free_generation(order: Order) -> int:
    if ReservationDocument.objects.filter(order=order, generation=order.generation).exists():
        return _next_generation(order)
    return order.generation


def _missing_lines(order: Order) -> list[Line]:
    items = OrderItem.objects.filter(order=order).select_related("inventory_list")
    return sum_lines(
        Line(_place(item.inventory_list), item.sku, item.open_quantity)
        for item in items
        if item.open_quantity > 0
    )


def _place(list_: InventoryList) -> Place:
    return Place(PlaceKind(list_.list_type), list_.id)


def _next_generation(order: Order) -> int:
    generation = order.generation + 1
    Order.objects.filter(pk=order.pk, generation=order.generation).update(generation=generation)
    order.generation = generation
    return generation


def _write_down(
    order: Order, parts: Sequence[Sequence[Line]], *, generation: int, purpose: Purpose
) -> list[ReservationDocument]:
    return ReservationDocument.objects.bulk_create(
        _document(
            order,
            generation=generation,
            part=part,
            purpose=purpose,
            body=build_body(order_no=order.order_no, lines=lines),
        )
        for part, lines in enumerate(parts)
    )


def _document(
    order: Order, *, generation: int, part: int, purpose: Purpose | str, body: str
) -> ReservationDocument:
    return ReservationDocument(
        order=order,
        generation=generation,
        part=part,
        purpose=purpose,
        reservation_id=reservation_id(
            site_id=order.site_id, order_no=order.order_no, generation=generation, part=part
        ),
        body=body,
    )


def replace(
    document: ReservationDocument, *, spent: bool, code: str, actor: Actor, now: datetime
) -> None:
    """Record, before any further call, that the next generation takes over the lines.

    `code` is OCI's refusal of the id; a `spent` id holds nothing, any other must be cancelled. If
    another process has changed the document, nothing happens.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=document.order_id)
        won = ReservationDocument.objects.filter(
            pk=document.pk, state=DocumentState.PREPARED
        ).update(state=DocumentState.CANCELLED if spent else DocumentState.CANCELLING)
        if not won:
            return
        generation = _next_generation(order)
        _document(
            order,
            generation=generation,
            part=document.part,
            purpose=document.purpose,
            body=document.body,
        ).save(force_insert=True)
        events.record(
            order=order,
            kind=EventKind.GENERATION,
            actor=actor,
            reason=say("next_id", code=code),
            now=now,
            data={"generation": generation},
        )
