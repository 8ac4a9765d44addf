"""The history of an order, line by line: its events and its calls to OCI by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from coc_admin.console.formats import format_quantity
from coc_admin.console.job_names import job_name
from coc_admin.console.orders.item_timeline import notes_of
from coc_admin.console.orders.oci_answers import answer_in_words
from orders import reasons
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
    EventKind.STOCK_ARRIVED: "info",
    EventKind.PROMISED: "info",
    EventKind.ASKED: "info",
    EventKind.ASK_ENDED: "info",
    EventKind.ITEMS_CANCELLED: "info",
    EventKind.REPLACING: "info",
    EventKind.REPLACED: "ok",
    EventKind.NOT_REPLACED: "bad",
    EventKind.GIVEN_BACK: "warn",
    EventKind.ADJUSTMENT_BEGUN: "info",
    EventKind.ADJUSTMENT_DONE: "warn",
    EventKind.ADJUSTMENT_REFUSED: "bad",
}
_STATE_TONES = {
    ReservationState.COMPLETE: "ok",
    ReservationState.PARTIAL: "warn",
    ReservationState.NOTHING: "bad",
}
_ASKED = {
    AttemptOutcome.COMPLETE: ("ok", _("OCI reserved everything that was asked for.")),
    AttemptOutcome.PARTIAL: ("warn", _("OCI reserved a part. It has no more.")),
    AttemptOutcome.NOTHING: ("bad", _("OCI had none.")),
    AttemptOutcome.OCI_OFFLINE: (
        "quiet",
        _("OCI gave no reliable answer. Nothing was counted."),
    ),
    AttemptOutcome.LATER: (
        "quiet",
        _("OCI is still busy with an earlier call. This call is retried later."),
    ),
    AttemptOutcome.NEW_ID: ("info", _("OCI refused the reservation id. The next id is used.")),
    AttemptOutcome.NEEDS_REVIEW: ("bad", _("OCI refused. A retry would not help.")),
}


_RESERVE = gettext_noop("Asked OCI to reserve")
_OPERATIONS = {
    "cancel": gettext_noop("Asked OCI to cancel a reservation"),
    "release": gettext_noop("Asked OCI to release units"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order's history: when, who, what, why, units per item, and details."""

    at: datetime
    tone: str
    title: str
    who: str
    why: str
    details: tuple[tuple[str, str], ...] = ()
    run_id: int | None = None
    notes: tuple[str, ...] = ()
    reserved: str = ""


_HANDOVER = {
    "handed_over": gettext_noop("Handed over to order management"),
    "held": gettext_noop("Held back from order management"),
    "resubmitted": gettext_noop("Offered to order management again"),
}


def timeline(order: Order, items: Sequence[OrderItem]) -> list[Line]:
    """Return the history of `order`, newest line last, at most 200 events and 200 calls; 2 queries.

    A longer history shows its newest lines.
    """
    by_key = {str(item.pk): item for item in items}
    events = (
        OrderEvent.objects.filter(order=order).select_related("order").order_by("-id")[:MOST_LINES]
    )
    attempts = (
        Attempt.objects.filter(order=order).select_related("document").order_by("-id")[:MOST_LINES]
    )
    # An answer and the resulting event may have the same time: the answer comes first, unless the
    # event is the capture, which comes before everything.
    keyed = [((event.at, _rank(event), event.pk), _event_line(event, by_key)) for event in events]
    keyed += [((attempt.at, 1, attempt.pk), _attempt_line(attempt)) for attempt in attempts]
    return [line for _, line in sorted(keyed, key=lambda pair: pair[0])]


def _rank(event: OrderEvent) -> int:
    return 0 if event.kind in (EventKind.CAPTURED, EventKind.CAPTURED_OFFLINE) else 2


def _event_line(event: OrderEvent, items: Mapping[str, OrderItem]) -> Line:
    kind = EventKind(event.kind)
    tone, title, reserved = _EVENT_TONES.get(kind, "quiet"), str(kind.label), ""
    state = event.data.get("state")
    if kind in (EventKind.SETTLED, EventKind.RESOLVED) and state in ReservationState.values:
        tone = _STATE_TONES.get(ReservationState(state), "quiet")
        title = str(ReservationState(state).label)
        reserved = _reserved_words(event.data.get("reserved", {}), items)
    elif event.data.get("handover") in _HANDOVER:
        title = gettext(_HANDOVER[event.data["handover"]])
    elif event.data.get("resolution") in Resolution.values:
        title = str(Resolution(event.data["resolution"]).label)
    return Line(
        at=event.at,
        tone=tone,
        title=title,
        who=_who(event.actor_kind, event.actor),
        why=reasons.read(event.reason, event.reason_codes),
        reserved=reserved,
        notes=notes_of(event, items, currency=event.order.currency),
    )


def _who(kind: str, name: str) -> str:
    return {
        ActorKind.API: gettext("API client %(name)s") % {"name": name},
        ActorKind.JOB: gettext("Job: %(name)s") % {"name": job_name(name)},
    }.get(ActorKind(kind), name)


def _reserved_words(reserved: object, items: Mapping[str, OrderItem]) -> str:
    """Describe the units that each item got, short items first, at most five."""
    if not isinstance(reserved, Mapping):
        return "–"
    lines = []
    for key, item in items.items():
        if not item.takes_stock or (item.replaces_id is not None and key not in reserved):
            continue  # its parts are listed instead, or it was added later
        units = Decimal(str(reserved.get(key, 0)))
        words = gettext("%(reserved)s of %(ordered)s × %(sku)s") % {
            "reserved": format_quantity(units),
            "ordered": format_quantity(item.quantity),
            "sku": item.sku,
        }
        lines.append((units >= item.quantity, words))
    lines.sort(key=lambda pair: pair[0])
    words = "; ".join(text for _, text in lines[:MOST_ITEMS])
    more = len(lines) - MOST_ITEMS
    if more > 0:
        return gettext("%(items)s; and %(number)d more") % {"items": words, "number": more}
    return words


def _attempt_line(attempt: Attempt) -> Line:
    document = attempt.document
    details = []
    if document is not None:
        details.append((gettext("Reservation id"), str(document.reservation_id)))
    if attempt.status:
        details.append((gettext("HTTP status"), str(attempt.status)))
    if attempt.error_code:
        details.append((gettext("OCI's error"), attempt.error_code))
    if attempt.correlation_id:
        details.append((gettext("Correlation id"), attempt.correlation_id))
    tone, why = _attempt_words(attempt)
    return Line(
        at=attempt.at,
        tone=tone,
        title=gettext(_OPERATIONS.get(attempt.operation, _RESERVE)),
        who=gettext("Reconciliation") if attempt.run_id else gettext("Job"),
        why=why,
        details=tuple(details),
        run_id=attempt.run_id,
    )


def _attempt_words(attempt: Attempt) -> tuple[str, str]:
    message = reasons.read(attempt.message, attempt.message_codes).strip()
    if attempt.operation in _OPERATIONS and not attempt.outcome:
        if not message:
            return "quiet", gettext("OCI answered.")
        answer = gettext("OCI's answer: %(message)s.")
        return "quiet", answer % {"message": answer_in_words(message)}
    if attempt.outcome not in AttemptOutcome.values:
        return "quiet", message
    tone, words = _ASKED[AttemptOutcome(attempt.outcome)]
    return tone, f"{words} {message}".strip()


def attempt_words(attempt: Attempt) -> str:
    """Return how one call ended, in plain words."""
    return _attempt_words(attempt)[1]
