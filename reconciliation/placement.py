"""Placing an order: captured first, then reserved at OCI within a short time limit (design 4)."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from orders import capture, ledger, outcomes
from orders.actors import Actor
from orders.capture import Claim
from orders.errors import (
    OfflineCaptureRefused,
    OrderFailedBefore,
    OrderInProgress,
    ShortAtOci,
    Shortfall,
)
from orders.fields import ZERO
from orders.models import (
    Hold,
    HoldState,
    Order,
    OrderStatus,
    ReservationState,
    Site,
)
from orders.payload import PlacedOrder, parse_order
from reconciliation import connection, releases, reservation, snapshots
from reconciliation.models import Connection, ConnectionState, Purpose
from reconciliation.oci.client import OciClient
from reconciliation.oci_client import client as shared_client
from reconciliation.reservation import Verdict

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Placement:
    """The stored order; `created` is False when the same order had been placed before."""

    order: Order
    created: bool


def place_order(*, raw: bytes, site: Site, actor: Actor, clock: Clock = timezone.now) -> Placement:
    """Place the order that `raw` (JSON) describes; the answer is given after the commit.

    Raises a subclass of orders.errors.OrderRefused; nothing is kept then but a FAILED order when
    OCI itself said short to a live shopper (ShortAtOci).
    """
    placed = parse_order(raw, site=site)
    existing = capture.find_same(placed=placed, site=site)
    if existing is not None:
        return _placed_before(existing)
    state = connection.current()
    offline_reason = _offline_reason(state, placed)
    if offline_reason:
        return _capture_offline(
            placed, site=site, state=state, reason=offline_reason, actor=actor, now=clock()
        )
    now = clock()
    # Longer than every call of the live path together: nobody else may ask OCI meanwhile.
    claim = Claim(
        holder=f"live:{uuid.uuid4().hex}",
        until=now + timedelta(seconds=4 * settings.COC_OCI_LIVE_TIMEOUT + 15),
    )
    captured = capture.capture_order(
        placed=placed,
        site=site,
        offline_since=None,
        offline_reason="",
        claim=claim,
        actor=actor,
        now=now,
    )
    if not captured.created:
        return _placed_before(captured.order)
    return Placement(
        _reserve_live(captured.order, site=site, claim=claim, actor=actor, clock=clock),
        created=True,
    )


def _placed_before(order: Order) -> Placement:
    """Return an order that was placed before, once it is known what became of it.

    The same order may be on its way through another request just now: answering before that one
    knows could accept to one caller what is refused to the other.
    """
    until = time.monotonic() + 3 * settings.COC_OCI_LIVE_TIMEOUT
    while order.status == OrderStatus.CREATED and time.monotonic() < until:
        time.sleep(0.05)
        order.refresh_from_db()
    if order.status == OrderStatus.CREATED:
        raise OrderInProgress(order.order_no)
    if order.status == OrderStatus.FAILED:
        raise OrderFailedBefore(order.order_no)
    return Placement(order, created=False)


def _offline_reason(state: Connection, placed: PlacedOrder) -> str:
    """Return why the order must not go to OCI now, or nothing."""
    if not connection.is_usable(state):
        return f"The connection to OCI is {state.get_state_display().lower()}."
    if fenced(placed):
        return "An earlier order waits for the same stock; this one queues behind it."
    return ""


def fenced(placed: PlacedOrder) -> bool:
    """Return whether an accepted order waits for one of the same SKUs (the recovery fence)."""
    waiting = Hold.objects.filter(
        state=HoldState.WAITING,
        order__status=OrderStatus.NEW,
        order__reservation_state=ReservationState.MISSING,
        order__needs_review_since=None,
    )
    if not waiting.exists():
        return False
    records = ledger.records_of(capture.wanted_by_key(placed))
    return waiting.filter(record__in=[record.pk for record in records.values()]).exists()


def _capture_offline(
    placed: PlacedOrder,
    *,
    site: Site,
    state: Connection,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Placement:
    _check_switch(site)
    captured = capture.capture_order(
        placed=placed,
        site=site,
        offline_since=None if state.state == ConnectionState.ONLINE else state.since,
        offline_reason=reason,
        claim=None,
        actor=actor,
        now=now,
    )
    return Placement(captured.order, created=captured.created)


def _check_switch(site: Site) -> None:
    if not site.offline_capture:
        raise OfflineCaptureRefused(
            f"The inventory service is away, and site {site.pk} does not accept orders meanwhile."
            " Nothing was stored; try again later."
        )


def _reserve_live(order: Order, *, site: Site, claim: Claim, actor: Actor, clock: Clock) -> Order:
    client = shared_client()
    asked = reservation.ask(
        order_id=order.pk,
        purpose=Purpose.ORDER,
        client=client,
        clock=clock,
        actor=actor,
        read_timeout=settings.COC_OCI_LIVE_TIMEOUT,
    )
    if asked.verdict == Verdict.ANSWERED:
        if reservation.is_complete(order.pk):
            reservation.count(
                order_id=order.pk,
                holder=claim.holder,
                purpose=Purpose.ORDER,
                actor=actor,
                now=clock(),
            )
        else:
            _refuse_short(order, claim=claim, client=client, actor=actor, clock=clock)
    elif asked.verdict == Verdict.REVIEW:
        outcomes.put_to_review(
            order_id=order.pk, holder=claim.holder, actor=actor, reason=asked.reason, now=clock()
        )
    else:
        _keep_offline(order, site=site, claim=claim, reason=asked.reason, actor=actor, clock=clock)
    order.refresh_from_db()
    return order


def _keep_offline(
    order: Order, *, site: Site, claim: Claim, reason: str, actor: Actor, clock: Clock
) -> None:
    if not site.offline_capture:
        _give_up(order, claim=claim, actor=actor, reason=reason, now=clock())
        _check_switch(site)
    outcomes.accept_offline(
        order_id=order.pk, holder=claim.holder, actor=actor, reason=reason, now=clock()
    )


def _give_up(order: Order, *, claim: Claim, actor: Actor, reason: str, now: datetime) -> None:
    """Fail a live order that the site does not accept without a reservation."""
    with transaction.atomic():
        releases.mark_for_undoing(order.pk)
        outcomes.fail_live(
            order_id=order.pk, holder=claim.holder, actor=actor, reason=reason, now=now
        )


def _refuse_short(
    order: Order, *, claim: Claim, client: OciClient, actor: Actor, clock: Clock
) -> None:
    """Tell a live shopper that OCI is short: nothing stays held, and the figures are renewed."""
    shortfalls = _shortfalls(order)
    releases.give_back_live(order.pk, client=client, clock=clock)
    keys = [(s.inventory_list_id, s.sku) for s in shortfalls]
    taken_at = clock()
    figures = snapshots.fetch(keys, client=client)
    with transaction.atomic():
        failed = outcomes.fail_live(
            order_id=order.pk,
            holder=claim.holder,
            actor=actor,
            reason="OCI has less than was ordered; the shopper was told so.",
            now=clock(),
        )
        if failed and figures:
            ledger.apply_snapshot(
                figures=figures,
                taken_at=taken_at,
                lag=timedelta(seconds=settings.COC_OCI_READ_LAG),
                now=clock(),
            )
    if failed:
        raise ShortAtOci(shortfalls)


def _shortfalls(order: Order) -> list[Shortfall]:
    units = reservation.answered_units(order.pk)
    sums: dict[tuple[str, str], Shortfall] = {}
    for item in order.items.all():
        key = (item.inventory_list_id, item.sku)
        before = sums.get(key)
        sums[key] = Shortfall(
            sku=item.sku,
            inventory_list_id=item.inventory_list_id,
            requested=item.quantity + (before.requested if before else ZERO),
            available=units.get(item.pk, ZERO) + (before.available if before else ZERO),
        )
    return [sums[key] for key in sorted(sums) if sums[key].available < sums[key].requested]
