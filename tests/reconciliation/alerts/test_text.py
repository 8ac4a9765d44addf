"""Alerts are told from their data, in the language that is active."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from django.utils import translation

from reconciliation.alerts import phrases as words
from reconciliation.alerts.rule import Text
from reconciliation.alerts.text import text_of
from reconciliation.models import Alert
from reconciliation.runs.status import Waiting


def an_alert(**data: object) -> Alert:
    return Alert(
        descriptor="reconciliation_running", message="As it was kept.", remedy="Wait.", data=data
    )


def test_an_alert_with_too_little_data_says_what_was_kept() -> None:
    for alert in (an_alert(), an_alert(run=1, done="x", total=2, since="2026-03-01T12:00:00Z")):
        with translation.override("de"):
            assert text_of(alert) == Text("As it was kept.", "Wait.")


def test_in_english_an_alert_says_what_was_kept() -> None:
    alert = an_alert(run=1, done=1, total=2, since="2026-03-01T12:00:00+00:00")
    assert text_of(alert) == Text("As it was kept.", "Wait.")
    with translation.override("de"):
        assert text_of(alert).message != "As it was kept."


def test_figures_and_moments_are_written_as_in_the_language() -> None:
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    waiting = Waiting(orders=1200, units=Decimal("1205.500"), value={"EUR": Decimal("1234.5000")})
    assert words.moment(moment) == "1 Mar 2026, 12:00 UTC"
    assert words.at_stake(waiting) == (
        "1,200 orders with 1,205.5 units are waiting (1,234.50 EUR)."
    )
    with translation.override("de"):
        told = words.at_stake(waiting)
    assert [part in told for part in ("1.200", "1.205,5", "1.234,50 EUR")] == [True] * 3
