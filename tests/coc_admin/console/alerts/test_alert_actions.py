"""Actions on alerts: acknowledging, snoozing, assigning, resolving by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from coc_admin.models import AuditEntry
from orders.actors import person
from reconciliation.alerts import actions
from reconciliation.models import Alert, AlertSnooze, Priority
from tests.alerts import raise_alert
from tests.coc_admin.console.alerts.inbox import alert_of, chosen, events, shown
from tests.coc_admin.console.scene import NOW, Scene


def test_acknowledged_alerts_leave_the_bell_and_the_home_page(
    merchandiser: Client, outage: Scene
) -> None:
    assert b"Alerts: 2 open" in merchandiser.get("/").content
    both = list(Alert.objects.filter(state="open"))
    data = {"action": "acknowledge", "alert": chosen(*both), "back": "/alerts/?priority=INFO"}
    for _ in range(2):
        answer = merchandiser.post("/alerts/handle/", data)
        assert (answer.status_code, answer["Location"]) == (302, "/alerts/?priority=INFO")
    assert shown(merchandiser) == []
    assert len(shown(merchandiser, "?state=acknowledged")) == 2
    home = merchandiser.get("/")
    assert home.context["alerts"] == []
    assert b"Alerts: 0 open" in home.content
    assert events(both[0]) == [("raised", "alert rules"), ("acknowledged", "mia")]
    assert [(entry.actor, entry.action, entry.target) for entry in AuditEntry.objects.all()] == [
        ("mia", "alert.acknowledge", f"alert:{pk}") for pk in sorted(alert.pk for alert in both)
    ]


def test_a_snooze_ends_by_itself(merchandiser: Client, outage: Scene) -> None:
    alert = alert_of("reconciliation_shortages")
    merchandiser.post("/alerts/handle/", {"action": "snooze", "alert": chosen(alert)})
    snooze = AlertSnooze.objects.get()
    assert (snooze.user.get_username(), snooze.alert, snooze.turn) == ("mia", alert, alert.turn)
    assert timedelta(minutes=59) < snooze.until - timezone.now() <= timedelta(hours=1)
    assert shown(merchandiser, "?state=snoozed") == ["reconciliation_shortages"]
    assert b"snoozed for you until" in merchandiser.get("/alerts/?state=snoozed").content
    assert shown(merchandiser) == ["reconciliation_running"]
    AlertSnooze.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert "reconciliation_shortages" in shown(merchandiser)
    assert shown(merchandiser, "?state=snoozed") == []


def test_a_snooze_is_the_person_s_own_and_hides_no_work(
    merchandiser: Client, operator: Client, outage: Scene
) -> None:
    both = list(Alert.objects.filter(state="open"))
    before = list(Alert.objects.order_by("pk").values())
    for _ in range(2):
        data = {"action": "snooze", "snooze": "morning", "alert": chosen(*both)}
        assert merchandiser.post("/alerts/handle/", data).status_code == 302
    assert shown(merchandiser) == []
    assert len(shown(operator)) == 2
    assert list(Alert.objects.order_by("pk").values()) == before
    assert [(entry.actor, entry.action) for entry in AuditEntry.objects.all()] == [
        ("mia", "alert.snooze")
    ] * 2
    assert events(both[0])[-1] == ("snoozed", "mia")
    for path in ("/", "/live/home/", "/alerts/"):
        page = " ".join(merchandiser.get(path).content.decode().split())
        assert "Nothing needs attention" not in page
        assert "No alert is left for you" in page
        assert "There are still open orders: 2 oversold, 1 waiting, 1 to review." in page
    home = merchandiser.get("/")
    assert b"Alerts: 0 open" in home.content
    assert home.context["headline"].title.startswith("2 orders are oversold")
    assert b"Alerts: 2 open" in operator.get("/").content
    # What becomes more urgent is shown to everybody.
    Alert.objects.update(turn=F("turn") + 1)
    assert len(shown(merchandiser)) == 2


def test_a_person_ends_their_own_snooze_and_no_other(
    merchandiser: Client, operator: Client, outage: Scene
) -> None:
    alert = alert_of("reconciliation_shortages")
    for client in (merchandiser, operator):
        client.post("/alerts/handle/", {"action": "snooze", "alert": chosen(alert)})
    merchandiser.post("/alerts/handle/", {"action": "open", "alert": chosen(alert)})
    assert "reconciliation_shortages" in shown(merchandiser)
    assert "reconciliation_shortages" not in shown(operator)
    assert [kind for kind, _ in events(alert)] == ["raised", "snoozed", "snoozed", "opened"]


def test_snoozed_until_the_morning_of_the_next_day(merchandiser: Client, outage: Scene) -> None:
    alert = alert_of("reconciliation_shortages")
    data = {"action": "snooze", "snooze": "morning", "alert": chosen(alert)}
    merchandiser.post("/alerts/handle/", data)
    until = timezone.localtime(AlertSnooze.objects.get().until)
    assert (until.hour, until.minute) == (8, 0)
    assert until.date() == timezone.localdate() + timedelta(days=1)


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"action": "snooze", "snooze": "custom"}, "Choose an end time."),
        ({"action": "snooze", "until": "2020-01-01T08:00"}, "within the next 30 days"),
        ({"action": "snooze", "until": "0001-01-01T00:00"}, "within the next 30 days"),
        ({"action": "snooze", "until": "soon"}, "Use a time like"),
        (
            {"action": "snooze", "snooze": "hour", "until": "2026-02-03T08:00"},
            "Choose “Until the time below”, or clear the time.",
        ),
        (
            {"action": "snooze", "snooze": "morning", "until": "2026-02-03T08:00"},
            "Choose “Until the time below”, or clear the time.",
        ),
        ({"action": "resolve"}, "Enter a reason."),
        ({"action": "assign", "assignee": "nobody-here"}, "No person has that user name."),
        ({"action": "explode"}, "Nothing was done yet"),
        ({"action": "acknowledge", "alert": ["1.x"]}, "This is not a list of alerts."),
        ({"action": "acknowledge", "alert": []}, "Choose an alert."),
    ],
)
def test_a_mistake_changes_nothing(
    merchandiser: Client, outage: Scene, data: dict[str, Any], says: str
) -> None:
    alert = alert_of("reconciliation_shortages")
    before = Alert.objects.filter(pk=alert.pk).values().get()
    answer = merchandiser.post("/alerts/handle/", {"alert": chosen(alert), **data})
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert Alert.objects.filter(pk=alert.pk).values().get() == before


def test_assigned_and_opened_again(merchandiser: Client, outage: Scene) -> None:
    alert = alert_of("reconciliation_shortages")
    page = f"/alerts/{alert.pk}/"
    data = {"action": "assign", "assignee": "mia", "alert": chosen(alert), "back": page}
    assert merchandiser.post("/alerts/handle/", data)["Location"] == page
    assert b"assigned to mia" in merchandiser.get(page).content
    alert.refresh_from_db()
    merchandiser.post("/alerts/handle/", {"action": "acknowledge", "alert": chosen(alert)})
    alert.refresh_from_db()
    merchandiser.post("/alerts/handle/", {"action": "open", "alert": chosen(alert)})
    assert "reconciliation_shortages" in shown(merchandiser)
    assert [kind for kind, _ in events(alert)][1:] == ["assigned", "acknowledged", "opened"]


def test_resolved_by_hand_it_comes_back_while_it_is_true(
    merchandiser: Client, outage: Scene
) -> None:
    alert = alert_of("reconciliation_running")
    data = {"action": "resolve", "reason": "I have seen it.", "alert": chosen(alert)}
    for _ in range(2):
        assert merchandiser.post("/alerts/handle/", data).status_code == 302
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_by) == ("resolved", "mia")
    assert [kind for kind, _ in events(alert)] == ["raised", "resolved"]
    raise_alert(
        descriptor="reconciliation_running",
        priority=Priority.INFO,
        message="A reconciliation is already running.",
        now=NOW,
    )
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_by, alert.occurrence) == ("open", "", 2)


def test_the_loser_of_a_race_sees_what_happened_and_keeps_the_input(
    merchandiser: Client, outage: Scene
) -> None:
    alert = alert_of("reconciliation_shortages")
    seen = chosen(alert)
    actions.assign(
        alert_id=alert.pk, seen=alert.handled, assignee="otto", actor=person("otto"), now=NOW
    )
    data = {"action": "resolve", "reason": "I wanted to.", "alert": seen}
    answer = merchandiser.post("/alerts/handle/", data)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "have changed in the meantime" in page
    assert "Assigned · otto" in page
    assert 'value="I wanted to."' in page
    alert.refresh_from_db()
    assert (alert.state, alert.assignee) == ("open", "otto")
    assert f'value="{alert.pk}.{alert.handled}"' in page


@pytest.mark.parametrize("back", ["https://evil.test/alerts/", "//evil.test/alerts/", "/orders/"])
def test_back_leads_to_alerts_only(merchandiser: Client, outage: Scene, back: str) -> None:
    alert = alert_of("reconciliation_shortages")
    data = {"action": "acknowledge", "alert": chosen(alert), "back": back}
    assert merchandiser.post("/alerts/handle/", data)["Location"] == "/alerts/"
