"""Place many orders: in lists while OCI is away, otherwise one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils import timezone

from orders import capture, refused_orders
from orders.actors import Actor
from orders.capture import Ask, Captured
from orders.errors import OrderRefused
from orders.ledger import LedgerChanged
from orders.models import Site
from orders.payload import PlacedOrder, parse_order
from reconciliation import connection
from reconciliation.reservation import placement
from reconciliation.reservation.placement import Clock, Placement

# Orders per transaction.
TOGETHER = capture.MOST_ORDERS


Answer = Placement | OrderRefused | LedgerChanged


def place_orders(
    *, raws: Sequence[bytes], site: Site, actor: Actor, clock: Clock = timezone.now
) -> Iterator[Answer]:
    """Place a list of orders (JSON) and yield the outcome of each, as `place_order` would.

    An order that is reserved at OCI waits for its answer, so those go one by one. Database errors
    propagate; placing the list again finds the orders committed before.
    """
    state = connection.current()
    if connection.may_call(state) or not site.offline_capture:
        yield from (_place_one(raw, site=site, actor=actor, clock=clock) for raw in raws)
        return
    reason = placement.why_offline(state)
    since = placement.offline_since(state, site)
    answers: dict[int, Answer] = {}
    asks: dict[int, Ask] = {}
    for place, raw in enumerate(raws):
        placed = _parsed(raw, site=site)
        if isinstance(placed, OrderRefused):
            answers[place] = placed
        else:
            asks[place] = Ask(placed, site, since, reason, None, actor, clock())
    try:
        captured = capture.capture_orders(list(asks.values()))
    except LedgerChanged:
        yield from (_place_one(raw, site=site, actor=actor, clock=clock) for raw in raws)
        return
    for (place, ask), answer in zip(asks.items(), captured, strict=True):
        answers[place] = found = _placement(answer, clock=clock)
        if isinstance(found, OrderRefused):
            refused_orders.note(
                placed=ask.placed, site=site, refusal=found, is_offline=True, now=clock()
            )
    yield from (answers[place] for place in range(len(raws)))


def _place_one(raw: bytes, *, site: Site, actor: Actor, clock: Clock) -> Answer:
    try:
        return placement.place_order(raw=raw, site=site, actor=actor, clock=clock)
    except (OrderRefused, LedgerChanged) as refused:
        return refused


def _parsed(raw: bytes, *, site: Site) -> PlacedOrder | OrderRefused:
    try:
        return parse_order(raw, site=site)
    except OrderRefused as refused:
        return refused


def _placement(answer: Captured | OrderRefused, *, clock: Clock) -> Placement | OrderRefused:
    if isinstance(answer, OrderRefused):
        return answer
    if answer.created:
        return Placement(answer.order, created=True, items=answer.items)
    try:
        return placement.placed_before(answer.order, clock)
    except OrderRefused as refused:
        return refused
