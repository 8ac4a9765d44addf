"""Texts of alerts for people who see every site, in the active language."""

from __future__ import annotations

from collections.abc import Mapping

from reconciliation.alerts.rule import Text
from reconciliation.alerts.rules import RULES
from reconciliation.models import Alert, AlertEvent

# Where an event keeps the data that its alert had then.
FROZEN = "alert"


def text_of(alert: Alert) -> Text:
    """Return the text of `alert`; the stored English sentences if its data are incomplete."""
    kept = Text(alert.message, alert.remedy)
    rule = RULES.get(alert.descriptor)
    return kept if rule is None else rule.read(alert.data, kept)


def note_of(event: AlertEvent, *, descriptor: str) -> str:
    """Return the note of an event: people's words as they are, those of a rule translated."""
    frozen = event.data.get(FROZEN)
    rule = RULES.get(descriptor)
    if rule is None or not isinstance(frozen, Mapping):
        return event.note
    return rule.read(frozen, Text(event.note)).message
