"""The alerts as one person sees them: their sites, their figures, their own priorities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.models import AlertPreference
from coc_admin.pager import Column, Keyset, Page
from reconciliation.alerts.lifecycle import by_urgency
from reconciliation.alerts.site_text import site_texts
from reconciliation.alerts.text import text_of
from reconciliation.models import Alert, AlertSnooze, AlertState, Handling

PAGE = 25
MOST_COUNTED = 100
MOST_LOOKED_AT = 300

OPEN = "open"
RESOLVED = "resolved"
# Value in the URL, and label.
STATES: tuple[tuple[str, Promise], ...] = (
    (OPEN, _("Unassigned")),
    ("acknowledged", _("Acknowledged")),
    ("snoozed", _("Snoozed")),
    (RESOLVED, _("Resolved")),
)
_URGENT_FIRST = Keyset(
    Column("rank"), Column("since", datetime, True), Column("pk", descending=True)
)
_RESOLVED_LATEST = Keyset(Column("resolved_at", datetime, True), Column("pk", descending=True))


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of the inbox, from the URL."""

    state: str = OPEN
    priority: str = ""
    descriptor: str = ""
    assignee: str = ""
    text: str = ""
    hidden: bool = False


def snoozes_of(user_id: int | None, now: datetime) -> QuerySet[AlertSnooze]:
    """Return the person's active snoozes; one ends by time or when its alert grows."""
    return AlertSnooze.objects.filter(
        user=user_id, until__gt=now, turn=F("alert__turn"), alert__state=AlertState.OPEN
    )


def in_state(
    alerts: QuerySet[Any], state: str, *, user_id: int | None, now: datetime
) -> QuerySet[Any]:
    """Narrow to one of STATES as the person sees it: only their own snoozes count."""
    if state == RESOLVED:
        return alerts.filter(state=AlertState.RESOLVED)
    still = alerts.filter(state=AlertState.OPEN)
    asleep = Q(pk__in=snoozes_of(user_id, now).values("alert"))
    if state == "acknowledged":
        return still.filter(handling=Handling.ACKNOWLEDGED)
    if state == "snoozed":
        return still.filter(asleep).exclude(handling=Handling.ACKNOWLEDGED)
    return still.exclude(handling=Handling.ACKNOWLEDGED).exclude(asleep)


def state_of(alert: Alert, snoozed: Mapping[int, datetime]) -> str:
    """Return an alert's state (one of STATES) for the person with these snoozes."""
    if alert.state == AlertState.RESOLVED:
        return RESOLVED
    if alert.handling == Handling.ACKNOWLEDGED:
        return "acknowledged"
    return "snoozed" if alert.pk in snoozed else OPEN


def fingerprint_of(alerts: Iterable[Alert]) -> str:
    """Return a fingerprint of these alerts as a page shows them."""
    facts = [(alert.pk, alert.revision, alert.handled, str(alert.message)) for alert in alerts]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


class Inbox:
    """The inbox of one person; queries each fact once."""

    def __init__(self, user_id: int | None, access: SiteAccess) -> None:
        self._user_id = user_id
        self._access = access
        self._now = timezone.now()

    @cached_property
    def preferences(self) -> dict[str, AlertPreference]:
        """The person's preferences, by alert type."""
        rows = AlertPreference.objects.filter(user=self._user_id)
        return {row.descriptor: row for row in rows}

    @cached_property
    def snoozed(self) -> dict[int, datetime]:
        """The end of the person's snooze of an alert, by its key."""
        return dict(snoozes_of(self._user_id, self._now).values_list("alert", "until"))

    @property
    def hidden(self) -> list[str]:
        """Kinds of alerts that the person has hidden."""
        return sorted(name for name, row in self.preferences.items() if row.hidden)

    def alerts(self, wanted: Wanted) -> QuerySet[Any]:
        """Return matching alerts in the person's order; `shown` is the person's own priority."""
        found = in_state(
            self._all(hidden=wanted.hidden), wanted.state, user_id=self._user_id, now=self._now
        )
        if wanted.priority:
            found = found.filter(shown=wanted.priority)
        if wanted.descriptor:
            found = found.filter(descriptor=wanted.descriptor)
        if wanted.assignee:
            found = found.filter(assignee=wanted.assignee)
        # The text for all sites must not be searchable for people who see only some of them.
        if wanted.text and self._access.site_ids is None:
            found = found.filter(message__icontains=wanted.text)
        return _order_of(wanted).sorted(found)

    def page(self, wanted: Wanted, cursor: str) -> Page[Alert]:
        """Return the alerts at `cursor`; an invalid cursor means the start."""
        page: Page[Alert] = _order_of(wanted).page(self.alerts(wanted), cursor, size=PAGE)
        shown = self.shown_to_person(page.rows, with_snoozes=wanted.state == "snoozed")
        if wanted.text and self._access.site_ids is not None:
            shown = [alert for alert in shown if wanted.text.lower() in alert.message.lower()]
        return replace(page, rows=shown)

    def shown_to_person(
        self, alerts: Iterable[Alert], *, permitted: bool = False, with_snoozes: bool = False
    ) -> list[Alert]:
        """Return alerts with the text and figures for this person, without those of other sites.

        `permitted` uses all sites that the person may see, whichever is chosen. The rows are only
        for showing and are never saved.
        """
        rows = list(alerts)
        site_ids = self._access.allowed if permitted else self._access.site_ids
        messages = None if site_ids is None else site_texts(rows, site_ids=site_ids)
        shown = []
        for alert in rows:
            if messages is not None and alert.pk not in messages:
                continue
            text = text_of(alert)
            alert.remedy = text.remedy
            alert.message = text.message if messages is None else messages[alert.pk]
            alert.priority = self._shown(alert)
            alert.snoozed_until = self.snoozed.get(alert.pk) if with_snoozes else None
            shown.append(alert)
        return shown

    def unhandled(self, most: int = MOST_COUNTED) -> list[Alert]:
        """Return alerts neither acknowledged nor snoozed by the person, urgent first."""
        return self.shown_to_person(self.alerts(Wanted())[:MOST_LOOKED_AT])[:most]

    def priorities(self) -> list[str]:
        """Return the priorities of alerts that need attention, at most 100; for the bell."""
        if self._access.site_ids is None:
            shown = self.alerts(Wanted()).values_list("shown", flat=True)
            return [str(priority) for priority in shown[:MOST_COUNTED]]
        return [alert.priority for alert in self.unhandled()]

    def _all(self, *, hidden: bool) -> QuerySet[Any]:
        own = [
            When(descriptor=name, then=Value(row.priority))
            for name, row in self.preferences.items()
            if row.priority
        ]
        shown = Case(*own, default=F("priority"), output_field=CharField())
        alerts = Alert.objects.annotate(shown=shown).annotate(rank=by_urgency("shown"))
        return alerts if hidden else alerts.exclude(descriptor__in=self.hidden)

    def _shown(self, alert: Alert) -> str:
        own = self.preferences.get(alert.descriptor)
        return own.priority if own is not None and own.priority else alert.priority


def inbox_of(request: HttpRequest) -> Inbox:
    """Return the alerts as the person behind `request` sees them; cached on the request."""
    inbox: Inbox | None = getattr(request, "coc_inbox", None)
    if inbox is None:
        inbox = Inbox(request.user.pk, site_access(request))
        request.coc_inbox = inbox  # type: ignore[attr-defined]
    return inbox


def _order_of(wanted: Wanted) -> Keyset:
    return _RESOLVED_LATEST if wanted.state == RESOLVED else _URGENT_FIRST
