"""Alerts of an outage, which stay open for as long as its relapse would belong to it.

OCI that is lost again within `RELAPSE` was never back: the outage goes on, and so do its alerts,
with those who handle them. Nobody is notified of an end and of another beginning.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from reconciliation.alerts import phrases
from reconciliation.alerts.rule import UNTIL, Data, Facts, Found, Rule, moment_of
from reconciliation.connection import ANSWERING, RELAPSE, came_back_lately, last_outage_of_oci
from reconciliation.models import Alert, AlertState, ConnectionState, Priority

OFFLINE = (ConnectionState.OFFLINE, ConnectionState.FORCED_OFFLINE)
# The member of the data that says when OCI answered again.
ANSWERS_SINCE = "answersSince"


class OfOutage(Rule):
    """A rule whose alerts hold `outage` in their data, and live through a relapse."""

    def may_go_on(self, facts: Facts, *, fresh: Data | None = None) -> Iterable[Found]:
        """Yield the open alerts of an outage of OCI that has just ended; two small queries.

        `fresh` are members of their data that count on meanwhile.
        """
        status = facts.status
        came_back = status.recovered_at
        if status.connection not in ANSWERING or not came_back_lately(came_back, facts.now):
            return
        outage = last_outage_of_oci()
        if came_back is None or outage is None:
            return
        since = {ANSWERS_SINCE: came_back.isoformat()}
        for alert in open_of(self):
            # An outage that a person caused ended apart from this one.
            if alert.data.get("outage") == outage and not alert.data.get("onPurpose"):
                yield going_on(alert, {**alert.data, **(fresh or {}), **since})

    def has_relapsed(self, before: Data, after: Data) -> bool:
        """Return whether OCI answered again, and has been lost once more."""
        return ANSWERS_SINCE in before and ANSWERS_SINCE not in after

    def final(self, data: Data) -> Data:
        """End when OCI answered again, not when that was sure."""
        if ANSWERS_SINCE not in data:
            return data
        return {**lost_again(data), UNTIL: data[ANSWERS_SINCE]}


def open_of(rule: Rule) -> list[Alert]:
    """Return the open alerts of a rule, by context."""
    rows = Alert.objects.filter(descriptor=rule.descriptor, state=AlertState.OPEN)
    return list(rows.order_by("context"))


def going_on(alert: Alert, data: Data) -> Found:
    """Return the finding that keeps an open alert, with these data."""
    return Found(
        context=alert.context,
        priority=Priority(alert.priority),
        link=alert.link,
        data=data,
        since=alert.since,
    )


def lost_again(data: Data) -> Data:
    """Return the data without the moment at which OCI answered again."""
    return {name: value for name, value in data.items() if name != ANSWERS_SINCE}


def answers_again(data: Data) -> str:
    """Return since when OCI has been answering, and when the alert resolves."""
    until = datetime.fromisoformat(data[ANSWERS_SINCE]) + RELAPSE
    message = _(
        "Omnichannel Inventory has been answering again since %(time)s. This alert resolves"
        " at %(until)s unless OCI is lost again."
    )
    words = {"time": moment_of(data, ANSWERS_SINCE), "until": phrases.moment(until)}
    return message % words
