"""Alerts with the words of a test, raised and resolved as the rules do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from reconciliation.alerts import lifecycle
from reconciliation.alerts.rule import Data, Found, Rule, Text
from reconciliation.alerts.rules import RULES
from reconciliation.models import Alert, Priority


def _worded(name: str, words: Text) -> Rule:
    """Return a copy of the rule with that name that stores the sentences `words`."""
    kind = type(RULES[name])

    class Worded(kind):  # type: ignore[misc, valid-type]
        descriptor = name

        def kept(self, data: Data) -> Text:
            return words

        def carry(self, before: Data, after: Data) -> Data:
            return after

    made: Rule = Worded()
    return made


def raise_alert(
    *,
    descriptor: str,
    context: str = "",
    priority: Priority,
    message: str,
    remedy: str = "",
    link: str = "",
    data: dict[str, Any] | None = None,
    now: datetime,
    since: datetime | None = None,
) -> Alert:
    """Raise the alert of `descriptor` with these words."""
    found = Found(priority, link, data or {}, context, since)
    return lifecycle.raise_found(_worded(descriptor, Text(message, remedy)), found, now=now)


def resolve_alert(*, descriptor: str, now: datetime) -> bool:
    """Resolve the alerts of a rule that finds nothing any more; False if none was open."""
    return bool(lifecycle.resolve_others(descriptor=descriptor, keep=(), now=now))
