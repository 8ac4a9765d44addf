"""Alerts as rows: one per descriptor and context, updated in place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from orders.actors import person
from reconciliation.alerts.actions import (
    AlertMoved,
    CannotHandle,
    acknowledge,
    assign,
    open_again,
    resolve_by_hand,
    snooze,
)
from reconciliation.alerts.lifecycle import (
    forget_old,
    open_alerts,
    resolve_others,
)
from reconciliation.models import Alert, AlertEvent, Priority
from tests.alerts import raise_alert, resolve_alert

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
MIA = person("mia")


def mia() -> User:
    return User.objects.get_or_create(username="mia")[0]


def alarm(now: datetime = NOW, **values: object) -> Alert:
    says: dict[str, object] = {
        "descriptor": "oci_offline",
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
        {"orders": 2, "since": NOW.isoformat()},
    )


def test_raised_again_with_the_same_words_nothing_is_written() -> None:
    alarm()
    again = alarm(LATER)
    assert (again.updated_at, Alert.objects.get().updated_at) == (NOW, NOW)


def test_resolved_and_raised_again_it_begins_anew() -> None:
    first = alarm()
    assert resolve_alert(descriptor="oci_offline", now=LATER) is True
    assert resolve_alert(descriptor="oci_offline", now=LATER) is False
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
    assert resolve_others(descriptor="oci_offline", keep=keep, now=LATER) == 2
    assert [alert.context for alert in open_alerts()] == keep
    assert resolve_others(descriptor="oci_offline", keep=keep, now=LATER) == 0


def test_what_needs_action_comes_first_then_the_newest() -> None:
    alarm(priority=Priority.INFO, context="a")
    alarm(priority=Priority.WARN, context="b")
    alarm(priority=Priority.ACTION, context="c")
    alarm(priority=Priority.ACTION, context="d", now=LATER)
    assert [alert.context for alert in open_alerts()] == ["d", "c", "b", "a"]


def test_long_texts_are_cut_to_what_a_row_holds() -> None:
    row = alarm(message="x" * 5000, remedy="y" * 5000, link="/" + "z" * 5000)
    assert (len(row.message), len(row.remedy), len(row.link)) == (1000, 500, 300)


def history(alert: Alert) -> list[tuple[str, str]]:
    return list(AlertEvent.objects.filter(alert=alert).values_list("kind", "actor"))


def test_more_urgent_than_before_it_needs_somebody_again() -> None:
    alert = alarm()
    acknowledge(alert_id=alert.pk, seen=0, actor=MIA, now=NOW)
    assert alarm(message="2 orders wait.").handling == "acknowledged"
    worse = alarm(message="3 orders wait.", priority=Priority.ACTION)
    assert (worse.handling, worse.handled, worse.revision, worse.turn) == ("", 2, 3, 3)
    assert alarm(message="3 orders wait.", priority=Priority.WARN).turn == 3
    rules = "alert rules"
    assert history(alert) == [("raised", rules), ("acknowledged", "mia"), ("worse", rules)]


def test_resolved_and_raised_again_nobody_looks_after_it() -> None:
    alert = alarm()
    assign(alert_id=alert.pk, seen=0, assignee="mia", actor=MIA, now=NOW)
    acknowledge(alert_id=alert.pk, seen=1, actor=MIA, now=NOW)
    resolve_alert(descriptor="oci_offline", now=LATER)
    again = alarm(LATER)
    assert (again.assignee, again.handling) == ("", "")
    assert (again.occurrence, again.turn) == (2, again.revision)


def test_what_is_wrong_comes_back_and_a_piece_of_news_stays_away() -> None:
    wrong = alarm(since=NOW)
    news: dict[str, object] = {"descriptor": "reconciliation_finished", "since": NOW}
    read = alarm(**news)
    for alert in (wrong, read):
        resolve_by_hand(alert_id=alert.pk, seen=0, reason="Seen.", actor=MIA, now=NOW)
    alarm(LATER, since=NOW)
    alarm(LATER, message="The same in other words.", **news)
    assert [alert.descriptor for alert in open_alerts()] == ["oci_offline"]
    alarm(LATER, **{**news, "since": LATER})
    assert len(open_alerts()) == 2


def test_the_rules_resolving_news_does_not_keep_it_away() -> None:
    news: dict[str, object] = {"descriptor": "reconciliation_finished", "since": NOW}
    alarm(**news)
    resolve_alert(descriptor="reconciliation_finished", now=LATER)
    assert alarm(LATER, **news).state == "open"


def test_who_comes_second_is_told_and_changes_nothing() -> None:
    alert = alarm()
    acknowledge(alert_id=alert.pk, seen=0, actor=MIA, now=NOW)
    again = acknowledge(alert_id=alert.pk, seen=0, actor=person("otto"), now=LATER)
    assert again.handled == 1
    with pytest.raises(AlertMoved) as moved:
        snooze(
            alert_id=alert.pk,
            seen=0,
            user_id=mia().pk,
            until=LATER,
            actor=person("otto"),
            now=NOW,
        )
    assert moved.value.alert.handling == "acknowledged"
    with pytest.raises(AlertMoved):
        resolve_by_hand(alert_id=alert.pk, seen=0, reason="x", actor=person("otto"), now=NOW)
    assert history(alert) == [("raised", "alert rules"), ("acknowledged", "mia")]
    resolve_alert(descriptor="oci_offline", now=LATER)
    with pytest.raises(AlertMoved):
        open_again(alert_id=alert.pk, seen=2, user_id=mia().pk, actor=MIA, now=LATER)


@pytest.mark.parametrize("minutes", [0, -1, 31 * 24 * 60])
def test_a_snooze_ends_in_the_next_days(minutes: int) -> None:
    alert = alarm()
    until = NOW + timedelta(minutes=minutes)
    with pytest.raises(CannotHandle):
        snooze(alert_id=alert.pk, seen=0, user_id=mia().pk, until=until, actor=MIA, now=NOW)
    assert history(alert) == [("raised", "alert rules")]


def test_what_the_rules_did_long_ago_is_forgotten() -> None:
    alert = alarm()
    acknowledge(alert_id=alert.pk, seen=0, actor=MIA, now=NOW)
    assert forget_old(NOW + timedelta(days=90)) == 0
    assert forget_old(NOW + timedelta(days=91)) == 1
    assert history(alert) == [("acknowledged", "mia")]


def test_an_alert_that_says_the_same_writes_nothing(
    django_assert_num_queries: Any,
) -> None:
    alarm()
    with django_assert_num_queries(1):
        alarm(LATER)
