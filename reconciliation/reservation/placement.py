"""Place an order: captured first, then reserved at OCI within a short time limit (design 4)."""

from __future__ import annotations

import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from orders import capture, ledger, outcome_sets, outcomes, promises, refused_orders
from orders.actors import Actor
from orders.capture import Captured, Claim
from orders.errors import (
    OfflineCapExceeded,
    OfflineCaptureRefused,
    OrderFailedBefore,
    OrderInProgress,
    OrderRefused,
    ShortAtOci,
    Shortfall,
    ShortOnAto,
)
from orders.fields import ZERO
from orders.ledger import Figure, Key
from orders.models import Order, OrderItem, OrderStatus, Site
from orders.payload import PlacedOrder, parse_order
from orders.units import units_of
from reconciliation import connection, reservation
from reconciliation.connection.clients import shared_client
from reconciliation.models import Connection, ConnectionState, Outage, Purpose
from reconciliation.oci.client import OciClient, PutAnswer
from reconciliation.oci.errors import OciError
from reconciliation.reasons import join, say
from reconciliation.reservation import Asked, Verdict, fence, release, sets, stock_refresh
from reconciliation.reservation.fence import Ahead
from reconciliation.reservation.sets import Answered, Prepared

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
# The most seconds for storing a live order and its outcome, on top of OCI's time.
_OWN_WORK = 1.0


@dataclass(frozen=True, slots=True)
class Placement:
    """The stored order; `created` is False if the same order had been placed before."""

    order: Order
    created: bool
    items: Sequence[OrderItem] | None = None
    """Of an order that was stored now, where they are at hand; else they are not read."""


def place_order(*, raw: bytes, site: Site, actor: Actor, clock: Clock = timezone.now) -> Placement:
    """Place the order that `raw` (JSON) describes; returns after the commit.

    Raises a subclass of orders.errors.OrderRefused. Then nothing is stored, except a FAILED order
    if OCI was short (ShortAtOci), or did not answer and the site does not accept the order without
    a reservation (OfflineCaptureRefused, OfflineCapExceeded).
    """
    placed = parse_order(raw, site=site)
    try:
        return _place(placed, site=site, actor=actor, clock=clock)
    except OrderRefused as refusal:
        refused_orders.note(
            placed=placed,
            site=site,
            refusal=refusal,
            is_offline=refusal.is_offline,
            now=clock(),
        )
        raise


def _place(placed: PlacedOrder, *, site: Site, actor: Actor, clock: Clock) -> Placement:
    state = connection.lately()
    offline_reason = _offline_reason(state, placed, now=clock())
    if offline_reason:
        try:
            return _capture_offline(
                placed, site=site, state=state, reason=offline_reason, actor=actor, clock=clock
            )
        except OrderRefused as refusal:
            refusal.is_offline = True
            raise
    now = clock()
    # Longer than all calls of the live path together: meanwhile no other process may call OCI.
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
        return placed_before(captured.order, clock)
    return _reserve_live(captured, site=site, claim=claim, actor=actor, clock=clock)


def placed_before(order: Order, clock: Clock) -> Placement:
    """Return an order that was placed before, once its outcome is known.

    Another request may be placing the same order right now. An answer before its outcome could
    accept the order for one caller and refuse it for the other. An order older than such a request
    can take was left by a process that died or lost the database, and waiting for it would only
    block a thread.
    """
    age = (clock() - order.captured_at).total_seconds()
    until = time.monotonic() + settings.COC_OCI_LIVE_TIMEOUT + _OWN_WORK - max(0.0, age)
    while order.status == OrderStatus.CREATED and time.monotonic() < until:
        time.sleep(0.05)
        order.refresh_from_db()
    if order.status == OrderStatus.CREATED:
        raise OrderInProgress(order.order_no)
    if order.status == OrderStatus.FAILED:
        raise OrderFailedBefore(order.order_no)
    return Placement(order, created=False)


def _offline_reason(state: Connection, placed: PlacedOrder, *, now: datetime) -> str:
    """Return why the order must not go to OCI now, or None."""
    if not connection.may_call(state):
        return why_offline(state)
    if not connection.is_usable(state, patience=0):
        return say("slow_down")
    ahead = fenced(placed, now=now)
    if ahead is not None:
        behind = {Ahead.WAITING: "behind_earlier_order", Ahead.PROMISED: "behind_promise"}
        return say(behind[ahead])
    try:
        shared_client()
    except ImproperlyConfigured as fault:
        # Before the order is stored: a live order must not be left without a process to reserve it.
        return say("connection_not_set_up", fault=str(fault).rstrip("."))
    return ""


def why_offline(state: Connection) -> str:
    """Return why orders are captured offline while OCI must not be called."""
    forced = state.state == ConnectionState.FORCED_OFFLINE
    return say("connection_forced_offline" if forced else "connection_offline")


def fenced(placed: PlacedOrder, *, now: datetime) -> Ahead | None:
    """Return the orders ahead of an order at one of its SKUs (`fence`), or None."""
    return fence.ahead_of(capture.wanted_by_key(placed), now=now)


def _check_promises(placed: PlacedOrder, *, now: datetime) -> None:
    """Raise ShortOnAto if an order would take units promised to others; three queries."""
    wanted = capture.wanted_by_key(placed)
    promised, records = promises.promised_units(wanted, now=now), ledger.records_of(wanted)
    left = {
        key: max(ZERO, records[key].ato - promised[key])
        for key in promised.keys() & records.keys()
        if records[key].is_tracked
    }
    if shortfalls := ledger.beyond(wanted, left):
        raise ShortOnAto(shortfalls)


def _capture_offline(
    placed: PlacedOrder,
    *,
    site: Site,
    state: Connection,
    reason: str,
    actor: Actor,
    clock: Clock,
) -> Placement:
    if not site.offline_capture:
        existing = capture.find_same(placed=placed, site=site)
        if existing is not None:
            return placed_before(existing, clock)
        _check_promises(placed, now=clock())
        raise OfflineCaptureRefused(
            join(reason, say("site_takes_none", site=site.pk), say("nothing_stored"))
        )
    captured = capture.capture_order(
        placed=placed,
        site=site,
        offline_since=offline_since(state, site),
        offline_reason=reason,
        claim=None,
        actor=actor,
        now=clock(),
    )
    if not captured.created:
        return placed_before(captured.order, clock)
    return Placement(captured.order, created=True, items=captured.items)


def offline_since(state: Connection, site: Site) -> datetime | None:
    """Return when the outage began; a moment online does not start a new one.

    Returns None, without a query, if the site sets no limit on its duration.
    """
    if site.cap_offline_minutes is None:
        return None
    if state.state == ConnectionState.ONLINE:
        return None
    outage = Outage.objects.filter(is_open=True).first()
    return outage.lost_at if outage else state.since


def _reserve_live(
    captured: Captured, *, site: Site, claim: Claim, actor: Actor, clock: Clock
) -> Placement:
    order = captured.order
    # The most of a shopper's time that OCI may take, over all calls for the order; the sweep does
    # the rest.
    client = shared_client().within(settings.COC_OCI_LIVE_TIMEOUT)
    asked = _ask_live(captured, claim=claim, client=client, actor=actor, clock=clock)
    if asked is None:
        return Placement(order, created=True, items=captured.items)
    if asked.verdict != Verdict.ANSWERED:
        _keep_offline(order, site=site, claim=claim, asked=asked, actor=actor, clock=clock)
    elif reservation.is_complete(order.pk):
        reservation.count(
            order_id=order.pk,
            holder=claim.holder,
            purpose=Purpose.ORDER,
            actor=actor,
            now=clock(),
        )
    else:
        _refuse_short(order, claim=claim, client=client, actor=actor, clock=clock)
    # If the order is being cancelled, the process that does so need not wait for the claim to end.
    outcomes.drop_claim(order_id=order.pk, holder=claim.holder)
    order.refresh_from_db()
    return Placement(order, created=True)


def _ask_live(
    captured: Captured, *, claim: Claim, client: OciClient, actor: Actor, clock: Clock
) -> Asked | None:
    """Reserve a new order at OCI; None if it is reserved in full and counted, the usual case.

    The objects in `captured` are updated.
    """
    order = captured.order
    with transaction.atomic():
        mine = outcome_sets.lock_claimed([order.pk], holder=claim.holder)
        prepared = sets.prepare(mine, now=clock(), are_new=True)
    asked = None
    if prepared:
        (plain,) = prepared
        answer = _send(plain, client=client)
        if isinstance(answer, PutAnswer) and answer.judgement.complete:
            counted, now = [Answered(plain, answer)], clock()
            if sets.count(counted, holder=claim.holder, actor=actor, now=now):
                outcome_sets.note_complete(order, captured.items or (), now=now)
                return None
        asked = reservation.note_answer(
            plain.document, answer, client=client, clock=clock, actor=actor
        )
        if isinstance(answer, PutAnswer):
            return Asked(Verdict.ANSWERED)
    # Several documents, or OCI wants another id.
    return asked or reservation.ask(
        order_id=order.pk,
        holder=claim.holder,
        purpose=Purpose.ORDER,
        client=client,
        clock=clock,
        actor=actor,
        read_timeout=settings.COC_OCI_LIVE_TIMEOUT,
    )


def _send(prepared: Prepared, *, client: OciClient) -> PutAnswer | OciError:
    try:
        return client.put_reservation(
            reservation_id=prepared.document.reservation_id,
            body=prepared.document.body,
            read_timeout=settings.COC_OCI_LIVE_TIMEOUT,
        )
    except OciError as error:
        return error


def _keep_offline(
    order: Order, *, site: Site, claim: Claim, asked: Asked, actor: Actor, clock: Clock
) -> None:
    """Accept a live order that OCI has not reserved, or raise why the site does not accept it."""
    keep = outcomes.accept_offline
    if asked.verdict == Verdict.REVIEW:
        keep = outcomes.put_to_review
    try:
        with transaction.atomic():
            _check_acceptable(order, site=site, reason=asked.reason, now=clock())
            keep(
                order_id=order.pk,
                holder=claim.holder,
                actor=actor,
                reason=asked.reason,
                now=clock(),
            )
    except OrderRefused as refusal:
        # Not ours to refuse once a reconciliation has taken it over.
        if release.fail_live(
            order_id=order.pk,
            holder=claim.holder,
            actor=actor,
            reason=refusal.detail,
            now=clock(),
        ):
            raise


def _check_acceptable(order: Order, *, site: Site, reason: str, now: datetime) -> None:
    """Raise OfflineCaptureRefused or OfflineCapExceeded for a live order without a reservation."""
    again = say("failed_for_good")
    if not site.offline_capture:
        raise OfflineCaptureRefused(join(reason, say("site_takes_none", site=site.pk), again))
    try:
        capture.check_caps(
            site=site,
            units=units_of(order, order.items.all()).ordered,
            value=order.order_total,
            offline_since=offline_since(connection.current(), site),
            now=now,
        )
    except OfflineCapExceeded as exceeded:
        raise OfflineCapExceeded(exceeded.cap, join(exceeded.detail, again)) from None


def _refuse_short(
    order: Order, *, claim: Claim, client: OciClient, actor: Actor, clock: Clock
) -> None:
    """Refuse a live order because OCI is short, give back its units, and renew the figures."""
    shortfalls = _shortfalls(order)
    answers = release.give_back_live(order.pk, holder=claim.holder, client=client, clock=clock)
    taken_at = clock()
    figures = _fresh_figures(shortfalls, client=client) if answers else []
    with transaction.atomic():
        failed = release.fail_live(
            order_id=order.pk,
            holder=claim.holder,
            actor=actor,
            reason=say("short_at_oci"),
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


def _fresh_figures(shortfalls: Sequence[Shortfall], *, client: OciClient) -> list[Figure]:
    keys = [(shortfall.inventory_list_id, shortfall.sku) for shortfall in shortfalls]
    return stock_refresh.fetch(keys, client=client, read_timeout=settings.COC_OCI_LIVE_TIMEOUT)


def _shortfalls(order: Order) -> list[Shortfall]:
    units = reservation.answered_units(order.pk)
    wanted: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    held: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for item in order.items.all():
        wanted[(item.inventory_list_id, item.sku)] += item.quantity
        held[(item.inventory_list_id, item.sku)] += units.get(item.pk, ZERO)
    return ledger.beyond(wanted, held)
