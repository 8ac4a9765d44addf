"""Refresh the alerts: raise each rule's findings, resolve those it no longer finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from orders.standing_queries import Given, Look
from reconciliation.alerts import lifecycle
from reconciliation.alerts.rule import Facts, Rule
from reconciliation.alerts.rules import RULES

# Silence is counted from here at the earliest: when everything starts at once after a night, the
# others' last beats are old although nothing is wrong.
PROCESS_STARTED = timezone.now()


def refresh_alerts(now: datetime, *, watching_since: datetime = PROCESS_STARTED) -> int:
    """Refresh every alert from the database; safe to run anywhere, any time, concurrently.

    Returns how many matters are true now, news apart.
    """
    return refresh_rules(RULES.values(), Facts(now, watching_since=watching_since))


def _questions() -> dict[str, QuerySet[Any]]:
    now = Given("now")
    return {
        f"{name} {number}": sign
        for name, rule in RULES.items()
        for number, sign in enumerate(rule.signs(now) or ())
    }


_look = Look(_questions)


def _may_find(rule: Rule, seen: Mapping[str, Any]) -> bool:
    """Whether a rule has seen a sign of something to find, or has no signs."""
    signs = [value for name, value in seen.items() if name.split()[0] == rule.descriptor]
    return any(signs) if signs else True


def refresh_rules(rules: Iterable[Rule], facts: Facts) -> int:
    """Make the alerts of some rules true; returns how many matters they found, news apart."""
    number = 0
    # One look for all rules. An alert that opens meanwhile is true now, and looked at next time.
    open_now = lifecycle.open_contexts()
    seen = _look(now=facts.now)
    for rule in rules:
        if not open_now[rule.descriptor] and not _may_find(rule, seen):
            continue
        found = list(rule.find(facts))
        number += 0 if rule.is_news else len(found)
        for one in found:
            lifecycle.raise_found(rule, one, now=facts.now)
        keep = [one.context for one in found]
        if open_now[rule.descriptor] - set(keep):
            lifecycle.resolve_others(descriptor=rule.descriptor, keep=keep, now=facts.now)
    return number
