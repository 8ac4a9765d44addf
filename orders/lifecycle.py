"""The rule book: which actions an order allows, and why not.

`check(order, action)` returns None when the action is open, or a `Refusal` with a code and a
sentence. Pages, the API, remedies, runs, exports and checks ask here; no other code decides it from
an order's states. `open_to(action)` is the same rule as SQL, for lists and conditional updates.

A rule looks at six facts: status, reservation state, export status, resolution, review, and the
remedy that is open. What it takes besides is the feature's own: which items are short, what a list
permits, which document is adjusted. Assigning an order, a note beside it, a message to its customer
and erasing the customer are open for every order, so they are not here.

`tests/orders/lifecycle_table.txt` shows the whole table; docs/how-to/add-a-remedy.md extends it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import and_, or_

from django.db.models import Q

from orders.errors import OrderRefused
from orders.models import (
    SHORT_STATES,
    ExportStatus,
    OpenRemedy,
    Order,
    OrderStatus,
    ReservationState,
    Resolution,
)
from orders.refusals import Action, Code, Refusal

__all__ = [
    "FACTS",
    "RULES",
    "Action",
    "Code",
    "OpenRemedy",
    "Refusal",
    "Review",
    "Rule",
    "check",
    "is_claimed",
    "is_done",
    "is_oversold",
    "open_remedy",
    "open_to",
    "refuse",
    "require",
    "sentence",
]


class Review(StrEnum):
    """Whether a person must review an order."""

    NONE = "none"
    NEEDED = "needed"


# Every fact that a rule may look at, with the values that it can have.
FACTS: Mapping[str, tuple[str, ...]] = {
    "status": tuple(OrderStatus),
    "reservation_state": tuple(ReservationState),
    "export_status": tuple(ExportStatus),
    "resolution": tuple(Resolution),
    "review": tuple(Review),
    "open_remedy": tuple(OpenRemedy),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Refuses with `code` an order of which each named fact has one of the values.

    `done` marks a refusal because the order is already as the action would leave it.
    """

    code: Code
    facts: Mapping[str, Collection[str]]
    done: bool = False


def _when(code: Code, *, done: bool = False, **facts: Collection[str]) -> Rule:
    return Rule(code, facts, done)


def _but(fact: str, *values: str) -> tuple[str, ...]:
    """Return all other values of a fact."""
    return tuple(value for value in FACTS[fact] if value not in values)


_CANCELLING = _when(Code.BEING_CANCELLED, status=[OrderStatus.CANCELLING])
_CANCELLED = _when(Code.CANCELLED, status=[OrderStatus.CANCELLED])
_FAILED = _when(Code.FAILED, status=[OrderStatus.FAILED])
_ACCEPTED = (
    _when(Code.JUST_CAPTURED, status=[OrderStatus.CREATED]),
    _CANCELLING,
    _CANCELLED,
    _FAILED,
)
_WAITING = _when(Code.WAITING, reservation_state=[ReservationState.MISSING])
_NOT_SHORT = _when(Code.NOT_SHORT, reservation_state=[ReservationState.COMPLETE])
_EXPORTED = _when(Code.EXPORTED, export_status=[ExportStatus.EXPORTED])
_SETTLED = _when(Code.SETTLED, resolution=_but("resolution", Resolution.NONE))
_OUTSIDE = _when(Code.SETTLED_OUTSIDE, resolution=[Resolution.SETTLED_OUTSIDE])
_IN_REVIEW = _when(Code.IN_REVIEW, review=[Review.NEEDED])
_NO_REMEDY = (
    _when(Code.REPLACING, open_remedy=[OpenRemedy.REPLACEMENT]),
    _when(Code.ADJUSTING, open_remedy=[OpenRemedy.ADJUSTMENT]),
)
_ADJUSTABLE = (*_ACCEPTED, _WAITING, _EXPORTED, _IN_REVIEW, _OUTSIDE, *_NO_REMEDY)
_CHANGEABLE = (*_ACCEPTED, _EXPORTED, _IN_REVIEW, _WAITING, _SETTLED, _NOT_SHORT)


def _export(to: ExportStatus, *sources: ExportStatus, rules: tuple[Rule, ...] = ()) -> list[Rule]:
    return [
        _when(Code.EXPORT_STEP, done=True, export_status=[to]),
        _WAITING,
        *_ACCEPTED,
        *rules,
        _when(Code.EXPORT_STEP, export_status=_but("export_status", to, *sources)),
    ]


# The first rule that applies is the answer; what is already done comes first.
RULES: Mapping[Action, Collection[Rule]] = {
    Action.CANCEL: [
        _when(Code.BEING_CANCELLED, done=True, status=[OrderStatus.CANCELLING]),
        _when(Code.CANCELLED, done=True, status=[OrderStatus.CANCELLED]),
        _FAILED,
        _EXPORTED,
        _OUTSIDE,
    ],
    Action.CANCEL_SHORT: [
        _when(Code.SETTLED, done=True, resolution=[Resolution.SHORT_CANCELLED]),
        *_CHANGEABLE,
        _when(Code.ALL_SHORT, reservation_state=[ReservationState.NOTHING]),
        *_NO_REMEDY,
    ],
    Action.REPLACE: [*_CHANGEABLE, *_NO_REMEDY],
    Action.ADJUST: _ADJUSTABLE,
    Action.GIVE_BACK: _ADJUSTABLE,
    Action.SETTLE_OUTSIDE: [
        _when(Code.SETTLED, done=True, resolution=[Resolution.SETTLED_OUTSIDE]),
        *_ACCEPTED,
        _WAITING,
        _SETTLED,
        _NOT_SHORT,
        *_NO_REMEDY,
    ],
    Action.REOPEN: [
        _when(Code.CANNOT_UNDO, resolution=[Resolution.CANCELLED, Resolution.RESERVED_AGAIN]),
        *_ACCEPTED,
        _WAITING,
        _NOT_SHORT,
        _when(
            Code.EXPORTED,
            export_status=[ExportStatus.EXPORTED],
            resolution=_but("resolution", Resolution.SETTLED_OUTSIDE),
        ),
    ],
    Action.RESERVE: [
        *_ACCEPTED,
        _IN_REVIEW,
        _when(Code.ANSWERED, reservation_state=_but("reservation_state", ReservationState.MISSING)),
    ],
    Action.RESERVE_AGAIN: [*_ACCEPTED, _IN_REVIEW, _WAITING, _SETTLED, _NOT_SHORT, *_NO_REMEDY],
    Action.KEEP_PLACE: [
        *_ACCEPTED,
        _EXPORTED,
        _IN_REVIEW,
        _WAITING,
        _SETTLED,
        _NOT_SHORT,
        *_NO_REMEDY,
    ],
    Action.RELEASE: [
        _when(Code.NOT_BEING_CANCELLED, status=_but("status", OrderStatus.CANCELLING)),
        _IN_REVIEW,
    ],
    Action.END_REVIEW: [_when(Code.NOT_IN_REVIEW, done=True, review=[Review.NONE])],
    Action.HAND_OVER: _export(
        ExportStatus.EXPORTED, ExportStatus.READY, ExportStatus.FAILED, rules=_NO_REMEDY
    ),
    Action.REPORT_EXPORT_FAILED: _export(ExportStatus.FAILED, ExportStatus.READY),
    Action.OFFER_AGAIN: _export(ExportStatus.READY, ExportStatus.FAILED),
    Action.OFFER_NOW: [
        *_ACCEPTED,
        _WAITING,
        _when(Code.OFFERED, done=True, export_status=[ExportStatus.READY]),
        _EXPORTED,
        _when(Code.EXPORT_FAILED, export_status=[ExportStatus.FAILED]),
    ],
    Action.HOLD: [*_ACCEPTED, _WAITING, _EXPORTED, _SETTLED, _NOT_SHORT],
    Action.WITHDRAW: _export(ExportStatus.NOT_EXPORTED),
}


def check(order: Order, action: Action) -> Refusal | None:
    """Return why `action` is not open to `order` as it was read, or None when it is; no query."""
    for rule in RULES[action]:
        if all(_fact(order, fact) in values for fact, values in rule.facts.items()):
            return refuse(order, action, rule.code, is_done=rule.done)
    return None


def refuse(order: Order, action: Action, code: Code, *, is_done: bool = False) -> Refusal:
    """Return a refusal that a feature has found in more than the order's facts, as in its items."""
    return Refusal(
        action, code, is_done, order.resolution, order.resolution_by, order.export_status
    )


def require(order: Order, action: Action, error: type[OrderRefused]) -> None:
    """Raise `error` with the reason when `action` is not open to `order`."""
    if refusal := check(order, action):
        raise error(refusal.sentence)


def is_done(refusal: Refusal | None, error: type[OrderRefused]) -> bool:
    """Return whether an order is already as the action would leave it; raise `error` if not so."""
    if refusal is not None and not refusal.is_done:
        raise error(refusal.sentence)
    return refusal is not None


def sentence(refusal: Refusal | None) -> str:
    """Return the sentence of a refusal, or "" without one."""
    return refusal.sentence if refusal else ""


def open_to(action: Action, order: str = "", *, ignoring: Collection[str] = ()) -> Q:
    """Return the condition that `action` is open to an order; `order` is the way there, `order__`.

    Equal to `check` for every combination of facts. Rules that look at a fact of `ignoring` are
    left out, for lists that wait for that fact to change.
    """
    allowed = {fact: list(values) for fact, values in FACTS.items()}
    exceptions = []
    for rule in RULES[action]:
        if any(fact in rule.facts for fact in ignoring):
            continue
        if len(rule.facts) == 1:
            ((fact, refused),) = rule.facts.items()
            allowed[fact] = [value for value in allowed[fact] if value not in refused]
        else:
            parts = [_one_of(fact, values, order) for fact, values in rule.facts.items()]
            exceptions.append(~reduce(and_, parts))
    conditions = [
        _one_of(fact, left, order) for fact, left in allowed.items() if left != list(FACTS[fact])
    ]
    return reduce(and_, conditions + exceptions)


def is_oversold(order: Order) -> bool:
    """Whether an accepted order is short and nobody has settled it: `Order.objects.oversold()`."""
    return (
        order.status == OrderStatus.NEW
        and order.reservation_state in SHORT_STATES
        and order.resolution == Resolution.NONE
    )


def is_claimed(order: Order, *, now: datetime) -> bool:
    """Whether a worker may be calling OCI for `order` at this moment."""
    return order.claimed_until is not None and order.claimed_until > now


def open_remedy(order: Order) -> OpenRemedy:
    """Return the remedy that is being applied to `order`, as it was read; no query."""
    return OpenRemedy(order.open_remedy or OpenRemedy.NONE)


def _fact(order: Order, fact: str) -> str:
    if fact == "review":
        return Review.NONE if order.needs_review_since is None else Review.NEEDED
    if fact == "open_remedy":
        return open_remedy(order)
    value: str = getattr(order, fact)
    return value


def _one_of(fact: str, values: Collection[str], order: str) -> Q:
    """Return the condition that a fact has one of `values`.

    Spelt with OR for the indexes of SQLite, like the conditions in orders.models.orders.
    """
    others = _but(fact, *values)
    if len(others) < len(values):
        return reduce(and_, (~_is(fact, value, order) for value in others))
    if not values:
        return Q(**{f"{order}pk__in": []})
    return reduce(or_, (_is(fact, value, order) for value in values))


def _is(fact: str, value: str, order: str) -> Q:
    if fact == "review":
        return Q(**{f"{order}needs_review_since__isnull": value == Review.NONE})
    if fact == "open_remedy" and value == OpenRemedy.NONE:
        return Q(**{f"{order}open_remedy__isnull": True})
    return Q(**{f"{order}{fact}": value})
