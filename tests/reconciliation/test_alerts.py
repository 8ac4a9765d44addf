"""Alerts as rows: one per descriptor and context, updated in place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciliation.alerts import open_alerts, raise_alert, resolve_alert, resolve_others
from reconciliation.models import Alert, Descriptor, Priority

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def alarm(now: datetime = NOW, **values: object) -> Alert:
    says: dict[str, object] = {
        "descriptor": Descriptor.OCI_OFFLINE,
        "priority": Priority.WARN,
        "message": "1 order waits.",
        "now": now,
    }
    return raise_alert(**{**says, **values})  # type: ignore[arg-type]


def test_raised_again_it_is_updated_in_place_and_keeps_its_since() -> None:
    first = alarm()
    again = alarm(LATER, message="2 orders wait.", priority=Priority.ACTION, data={"orders": 2})
    assert Alert.objects.count() == 1
    assert (again.pk, again.since, again.updated_at) == (first.pk, NOW, LATER)
    assert (again.message, again.priority, again.data) == (
        "2 orders wait.",
        "ACTION",
        {"orders": 2},
    )


def test_raised_again_with_the_same_words_nothing_is_written() -> None:
    alarm()
    again = alarm(LATER)
    assert (again.updated_at, Alert.objects.get().updated_at) == (NOW, NOW)


def test_resolved_and_raised_again_it_begins_anew() -> None:
    first = alarm()
    assert resolve_alert(descriptor=Descriptor.OCI_OFFLINE, now=LATER) is True
    assert resolve_alert(descriptor=Descriptor.OCI_OFFLINE, now=LATER) is False
    row = Alert.objects.get()
    assert (row.state, row.resolved_at) == ("resolved", LATER)
    assert list(open_alerts()) == []
    again = alarm(LATER)
    assert (again.pk, again.state, again.since, again.resolved_at) == (
        first.pk,
        "open",
        LATER,
        None,
    )


def test_since_can_be_told() -> None:
    assert alarm(LATER, since=NOW).since == NOW


def test_contexts_are_apart_and_those_no_longer_true_are_resolved() -> None:
    for context in ("run:1", "run:2", "run:3"):
        alarm(context=context)
    keep = ["run:2"]
    assert resolve_others(descriptor=Descriptor.OCI_OFFLINE, keep=keep, now=LATER) == 2
    assert [alert.context for alert in open_alerts()] == keep
    assert resolve_others(descriptor=Descriptor.OCI_OFFLINE, keep=keep, now=LATER) == 0


def test_what_needs_action_comes_first_then_the_newest() -> None:
    alarm(priority=Priority.INFO, context="a")
    alarm(priority=Priority.WARN, context="b")
    alarm(priority=Priority.ACTION, context="c")
    alarm(priority=Priority.ACTION, context="d", now=LATER)
    assert [alert.context for alert in open_alerts()] == ["d", "c", "b", "a"]


def test_long_texts_are_cut_to_what_a_row_holds() -> None:
    row = alarm(message="x" * 5000, remedy="y" * 5000, link="/" + "z" * 5000)
    assert (len(row.message), len(row.remedy), len(row.link)) == (1000, 500, 300)
