"""Counts of the calls to OCI by kind: sent, answered, failed, throttled.

Calls are counted in shared rows, so that every process sees the counts of all. What a
process must write, and how often, `call_observer` decides.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    PositiveIntegerField,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest, Least

from orders.standing_queries import Change, Given
from reconciliation.connection.outage_rows import MAX_REASON
from reconciliation.connection.state import current, may_call, row, settings_digest
from reconciliation.connection.transitions import lose, lose_if_unanswered
from reconciliation.connection.verdict import SLOW_FOR
from reconciliation.models import CallHealth, CallKind, ConnectionState, OfflineCause
from reconciliation.reasons import columns, say

# The rate of growth of `concurrency`, and how often a process writes down that all is well.
GOOD_EVERY = timedelta(seconds=1)
# Retry-After is outside input: a service that asks for a day would keep us offline for a day.
LONGEST_WAIT = timedelta(minutes=5)

_Rows = tuple[QuerySet[Any], dict[str, Any]]

_WHOLE = PositiveIntegerField()
_HALVED = Greatest(F("concurrency") / Value(2), Value(1), output_field=_WHOLE)
_DOUBLED = F("concurrency") * Value(2)
_UNCOUNTED: dict[str, Any] = {
    "unanswered": 0,
    "unanswered_since": None,
    "failures": 0,
    "last_subject": "",
    "throttles": 0,
    "throttled_since": None,
}

# Calls that were sent count no longer, those that failed do.
_NOT_HANGING: dict[str, Any] = {
    "unanswered": F("failures"),
    "unanswered_since": Case(When(failures__gt=0, then=F("unanswered_since")), default=None),
}


def health(kind: CallKind) -> QuerySet[CallHealth]:
    """Return the row of a kind of call as a queryset, for conditional updates."""
    return CallHealth.objects.filter(pk=kind)


def _write(kind: CallKind, condition: Q, **values: Any) -> bool:
    if health(kind).filter(condition).update(**values):
        return True
    CallHealth.objects.get_or_create(pk=kind)
    return bool(health(kind).filter(condition).update(**values))


def note_sent(
    now: datetime,
    *,
    kind: CallKind = CallKind.READ,
    calls: int = 1,
    since: datetime | None = None,
) -> None:
    """Count `calls` that were sent and not answered yet, and see whether OCI counts as lost.

    `since` is when the first of them was sent. What hung before the connection came back, or before
    another process got a good answer, says nothing about now.
    """
    since = since or now
    if since < now:
        found = current()
        since = max(since, min(now, found.since)) if may_call(found) else since
    _write(
        kind,
        Q(),
        unanswered=F("unanswered") + calls,
        unanswered_since=Coalesce("unanswered_since", _no_earlier_than_last_good(since)),
        last_sent_at=now,
    )
    lose_if_unanswered(now)


def _no_earlier_than_last_good(since: datetime) -> Any:
    return Case(When(last_good_at__gt=since, then=F("last_good_at")), default=Value(since))


def note_good(
    now: datetime,
    *,
    kind: CallKind = CallKind.READ,
    sent_at: datetime | None = None,
    p95_ms: int | None = None,
) -> None:
    """Note that OCI answered: whatever failed or hung of this kind before is forgotten.

    A refusal is a good answer in this sense. A reservation that was sent since a loss proves that
    OCI takes them again.
    """
    found = {"kind": kind, "p95_ms": p95_ms, "now": now}
    if not _note_good(**found):
        CallHealth.objects.get_or_create(pk=kind)
        _note_good(**found)
    note = _note_write if kind == CallKind.RESERVE else _note_answer
    noted = note(
        now=now,
        before=now - GOOD_EVERY,
        sent_at=sent_at or now,
        most=settings.COC_OCI_CONCURRENCY,
        settings=settings_digest(),
    )
    if not noted:
        # The first answer ever shows that the settings are right.
        current()
        row().update(last_good_at=now, answered_settings=settings_digest())


def _good() -> _Rows:
    p95_ms = Coalesce(Given("p95_ms", _WHOLE), F("p95_ms"))
    noted = {"p95_ms": p95_ms, "last_error": "", "last_good_at": Given("now")}
    return CallHealth.objects.filter(pk=Given("kind", CharField())), {**_UNCOUNTED, **noted}


def _answer() -> _Rows:
    grows = Q(last_good_at=None) | Q(last_good_at__lte=Given("before"))
    failing = CallHealth.objects.filter(failures__gt=0)
    return row(), {
        "last_error": Case(When(Exists(failing), then=F("last_error")), default=Value("")),
        "concurrency": Case(
            When(grows, then=Least(_DOUBLED, Given("most", _WHOLE), output_field=_WHOLE)),
            default=F("concurrency"),
            output_field=_WHOLE,
        ),
        "last_good_at": Case(When(grows, then=Given("now")), default=F("last_good_at")),
        "answered_settings": Given("settings", CharField()),
    }


def _write_that_worked() -> _Rows:
    rows, values = _answer()
    since_loss = Q(state=ConnectionState.OFFLINE, since__lte=Given("sent_at"))
    proved_at = Case(When(since_loss, then=Given("now")), default=F("proved_at"))
    return rows, {"is_unproven": False, "proved_at": proved_at, **values}


# Each process notes once a second that all is well.
_note_good = Change(_good)
_note_answer = Change(_answer)
_note_write = Change(_write_that_worked)


def note_failure(
    *,
    sent_at: datetime,
    now: datetime,
    message: str,
    kind: CallKind = CallKind.READ,
    subject: str = "",
) -> None:
    """Count a call that brought no trustworthy answer.

    A document that fails again is counted again only when another one has failed as well: one that
    OCI cannot take is no outage.

    If OCI has answered another call of the kind since this one was sent, then it proves nothing
    about now: a call that hung before a recovery must not end the recovery.
    """
    counts = ~Q(last_subject=subject) | Q(failures__gt=1) if subject else Q()
    counted = _write(
        kind,
        Q(last_good_at=None) | Q(last_good_at__lte=sent_at),
        failures=_once_more("failures", counts),
        unanswered=Greatest("unanswered", _once_more("failures", counts), output_field=_WHOLE),
        unanswered_since=Case(
            When(unanswered_since__lte=sent_at, then=F("unanswered_since")), default=Value(sent_at)
        ),
        last_subject=subject[:36],
        **columns("last_error", message, limit=MAX_REASON),
        last_failed_at=now,
    )
    if counted:
        row().update(**columns("last_error", message, limit=MAX_REASON), concurrency=_HALVED)
        lose_if_unanswered(now)


def _once_more(name: str, condition: Q) -> Any:
    one_more = F(name) + Value(1)
    if not condition:
        return one_more
    return Case(When(condition, then=one_more), default=F(name), output_field=_WHOLE)


def note_slow(now: datetime, *, sent_at: datetime, of: int, p95_ms: int) -> None:
    """Count a reservation that took longer than a shopper may wait, and see whether OCI is slow.

    `of` is how many calls this process has made since its last slow one, this one included: a
    process that makes many calls counts for more than one that makes few.
    """
    counts_on = Q(slow_since__gt=now - SLOW_FOR)
    _write(
        CallKind.RESERVE,
        Q(),
        slow_calls=Case(When(counts_on, then=F("slow_calls") + 1), default=1, output_field=_WHOLE),
        slow_of=Case(When(counts_on, then=F("slow_of") + of), default=of, output_field=_WHOLE),
        slow_since=Case(When(counts_on, then=F("slow_since")), default=Value(sent_at)),
        p95_ms=p95_ms,
    )
    lose_if_unanswered(now)


def note_undecided(now: datetime, *, kind: CallKind) -> None:
    """Note that OCI still works on an earlier call: this one does not hang, and proves nothing."""
    _write(kind, Q(), **_NOT_HANGING)
    lose_if_unanswered(now)


def note_throttled(*, retry_after: float, now: datetime, kind: CallKind = CallKind.READ) -> None:
    """Note a 429: send nothing for `retry_after` seconds, then half as many calls at once.

    Neither a failure nor a good answer; but the call did not hang. Only reservations that are
    throttled again and again, and nothing else, are an outage. Of a burst of calls that are
    throttled together only the first halves the pace.
    """
    until = now + min(timedelta(seconds=max(0.0, retry_after)), LONGEST_WAIT)
    free = Q(wait_until=None) | Q(wait_until__lte=now)
    _write(
        kind,
        Q(),
        **_NOT_HANGING,
        throttles=F("throttles") + 1,
        throttled_since=Coalesce("throttled_since", Value(now)),
    )
    current()
    row().update(
        concurrency=Case(When(free, then=_HALVED), default=F("concurrency"), output_field=_WHOLE),
        wait_until=Case(
            When(free | Q(wait_until__lt=until), then=Value(until)), default=F("wait_until")
        ),
    )
    lose_if_unanswered(now)


def note_configuration_fault(
    *, now: datetime, message: str, kind: CallKind = CallKind.READ
) -> None:
    """Go OFFLINE at once because OCI refuses our credentials; it answers, so nothing hangs."""
    error = columns("last_error", message, limit=MAX_REASON)
    _write(kind, Q(), **_UNCOUNTED, **error, last_failed_at=now)
    current()
    row().update(**error)
    lose(
        now=now,
        cause=OfflineCause.CONFIGURATION,
        reason=say("credentials_or_tenant"),
        lost_at=now,
    )
