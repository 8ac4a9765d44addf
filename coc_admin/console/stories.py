"""What happened to an order, line by line: its events and its calls to OCI in order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coc_admin.console.formats import format_quantity
from orders.models import (
    ActorKind,
    EventKind,
    Order,
    OrderEvent,
    OrderItem,
    ReservationState,
    Resolution,
)
from reconciliation.models import Attempt, AttemptOutcome

MOST_LINES = 200
MOST_ITEMS = 5

_EVENT_TONES = {
    EventKind.CAPTURED: "info",
    EventKind.CAPTURED_OFFLINE: "warn",
    EventKind.NEEDS_REVIEW: "bad",
    EventKind.FAILED: "bad",
    EventKind.REVIEWED: "info",
    EventKind.RESOLVED: "ok",
}
_STATE_TONES = {
    ReservationState.COMPLETE: "ok",
    ReservationState.PARTIAL: "warn",
    ReservationState.NOTHING: "bad",
}
_ASKED = {
    AttemptOutcome.COMPLETE: ("ok", "OCI reserved everything that was asked for."),
    AttemptOutcome.PARTIAL: ("warn", "OCI reserved a part of it and has no more."),
    AttemptOutcome.NOTHING: ("bad", "OCI had none of it."),
    AttemptOutcome.OCI_OFFLINE: (
        "quiet",
        "No answer that can be trusted; the order keeps waiting.",
    ),
    AttemptOutcome.LATER: ("quiet", "OCI is still busy with an earlier call; asked again later."),
    AttemptOutcome.NEW_ID: ("info", "OCI refused the reservation id; the next one is used."),
    AttemptOutcome.NEEDS_REVIEW: ("bad", "OCI refused, and trying again would not help."),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order's story: when, who, what, why, and the details behind it."""

    at: datetime
    tone: str
    title: str
    who: str
    why: str
    details: tuple[tuple[str, str], ...] = ()
    run_id: int | None = None


def timeline(order: Order, items: Sequence[OrderItem]) -> list[Line]:
    """Return the story of `order`, newest line last, at most 200 events and 200 calls; 2 queries.

    Of a longer story the newest lines are told.
    """
    by_key = {str(item.pk): item for item in items}
    events = OrderEvent.objects.filter(order=order).order_by("-id")[:MOST_LINES]
    attempts = (
        Attempt.objects.filter(order=order).select_related("document").order_by("-id")[:MOST_LINES]
    )
    # An answer and what it led to may bear the same time: the answer comes first, unless the
    # event is the capture, which comes before everything.
    keyed = [((event.at, _rank(event), event.pk), _event_line(event, by_key)) for event in events]
    keyed += [((attempt.at, 1, attempt.pk), _attempt_line(attempt)) for attempt in attempts]
    return [line for _, line in sorted(keyed, key=lambda pair: pair[0])]


def _rank(event: OrderEvent) -> int:
    return 0 if event.kind in (EventKind.CAPTURED, EventKind.CAPTURED_OFFLINE) else 2


def _event_line(event: OrderEvent, items: Mapping[str, OrderItem]) -> Line:
    kind = EventKind(event.kind)
    tone, title, details = _EVENT_TONES.get(kind, "quiet"), str(kind.label), []
    state = event.data.get("state")
    if kind in (EventKind.SETTLED, EventKind.RESOLVED) and state in ReservationState.values:
        tone = _STATE_TONES.get(ReservationState(state), "quiet")
        title = str(ReservationState(state).label)
        details.append(("Reserved", _reserved_words(event.data.get("reserved", {}), items)))
    elif event.data.get("resolution") in Resolution.values:
        title = str(Resolution(event.data["resolution"]).label)
    return Line(
        at=event.at,
        tone=tone,
        title=title,
        who=_who(event.actor_kind, event.actor),
        why=event.reason,
        details=tuple(details),
    )


def _who(kind: str, name: str) -> str:
    return {ActorKind.API: f"API client {name}", ActorKind.JOB: f"Job: {name}"}.get(
        ActorKind(kind), name
    )


def _reserved_words(reserved: object, items: Mapping[str, OrderItem]) -> str:
    """Say what each item got, the short ones first, at most five of them."""
    if not isinstance(reserved, Mapping):
        return "–"
    told = []
    for key, item in items.items():
        units = Decimal(str(reserved.get(key, 0)))
        words = f"{format_quantity(units)} of {format_quantity(item.quantity)} × {item.sku}"
        told.append((units >= item.quantity, words))
    told.sort(key=lambda pair: pair[0])
    words = "; ".join(text for _, text in told[:MOST_ITEMS])
    more = len(told) - MOST_ITEMS
    return f"{words}; and {more} more" if more > 0 else words


def _attempt_line(attempt: Attempt) -> Line:
    document = attempt.document
    details = []
    if document is not None:
        details.append(("Reservation id", str(document.reservation_id)))
    if attempt.status:
        details.append(("HTTP status", str(attempt.status)))
    if attempt.error_code:
        details.append(("OCI's error", attempt.error_code))
    if attempt.correlation_id:
        details.append(("Correlation id", attempt.correlation_id))
    tone, why = _attempt_words(attempt)
    return Line(
        at=attempt.at,
        tone=tone,
        title="Asked OCI to cancel a reservation"
        if attempt.operation == "cancel"
        else "Asked OCI to reserve",
        who="Reconciliation" if attempt.run_id else "Job",
        why=why,
        details=tuple(details),
        run_id=attempt.run_id,
    )


def _attempt_words(attempt: Attempt) -> tuple[str, str]:
    message = attempt.message.strip()
    if attempt.operation == "cancel" and not attempt.outcome:
        return "quiet", f"OCI's answer: {message}." if message else "OCI answered."
    if attempt.outcome not in AttemptOutcome.values:
        return "quiet", message
    tone, words = _ASKED[AttemptOutcome(attempt.outcome)]
    return tone, f"{words} {message}".strip()


def attempt_words(attempt: Attempt) -> str:
    """Return how one call ended, in plain words."""
    return _attempt_words(attempt)[1]
