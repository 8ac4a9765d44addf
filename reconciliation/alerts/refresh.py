"""Refresh the alerts: raise each rule's findings, resolve those it no longer finds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from reconciliation.alerts import lifecycle
from reconciliation.alerts.rule import Facts, Rule
from reconciliation.alerts.rules import RULES

# Silence is counted from here at the earliest: when everything starts at once after a night, the
# others' last beats are old although nothing is wrong.
PROCESS_STARTED = timezone.now()


def refresh_alerts(now: datetime, *, watching_since: datetime = PROCESS_STARTED) -> int:
    """Refresh every alert from the database; safe to run anywhere, any time, concurrently.

    Returns how many matters are true now.
    """
    return refresh_rules(RULES.values(), Facts(now, watching_since=watching_since))


def refresh_rules(rules: Iterable[Rule], facts: Facts) -> int:
    """Make the alerts of some rules true; returns how many matters they found."""
    number = 0
    # One look for all rules. An alert that opens meanwhile is true now, and looked at next time.
    open_now = lifecycle.open_contexts()
    for rule in rules:
        found = list(rule.find(facts))
        number += len(found)
        for one in found:
            lifecycle.raise_found(rule, one, now=facts.now)
        keep = [one.context for one in found]
        if open_now[rule.descriptor] - set(keep):
            lifecycle.resolve_others(descriptor=rule.descriptor, keep=keep, now=facts.now)
    return number
