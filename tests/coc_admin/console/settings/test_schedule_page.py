"""Scheduled tasks: shown, run now, repaired."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from coc_admin.models import AuditEntry
from reconciliation.maintenance import schedules
from reconciliation.maintenance.schedules import Fault
from reconciliation.queue import heartbeats
from tests.coc_admin.console.settings.conftest import SignIn

PAGE = "/settings/schedules/"


def faults() -> dict[str, str]:
    return {state.name: state.fault.value for state in schedules.states(timezone.now())}


def test_page_shows_schedules_and_signs_of_life(operator: Client) -> None:
    schedules.ensure()
    now = timezone.now()
    heartbeats.beat(component=heartbeats.MONITOR, now=now)
    heartbeats.beat(component=heartbeats.WORKER, instance="host:1", now=now - timedelta(minutes=10))
    answer = operator.get(PAGE)
    assert [(beat.component, silent) for beat, silent in answer.context["beats"]] == [
        ("monitor", False),
        ("worker", True),
    ]
    assert answer.context["is_broken"] is False
    assert "COC_RETRY_MINUTES" in answer.content.decode()


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, Fault.NONE),
        ({"args": "(1,"}, Fault.UNREADABLE),
        ({"schedule_type": Schedule.CRON, "cron": "nonsense"}, Fault.UNREADABLE),
        ({"func": "os.system"}, Fault.CHANGED),
        ({"kwargs": "x=1"}, Fault.CHANGED),
        ({"repeats": 0}, Fault.CHANGED),
        ({"cluster": "elsewhere"}, Fault.CHANGED),
        ({"intended_date_kwarg": "when"}, Fault.CHANGED),
        ({"next_run": timezone.now() + timedelta(days=9000)}, Fault.CHANGED),
        ({"next_run": None}, Fault.CHANGED),
        ({"next_run": timezone.now() - timedelta(hours=1)}, Fault.LATE),
    ],
)
def test_fault_of_a_schedule_is_told_and_repaired(
    operator: Client, changes: dict[str, object], fault: Fault
) -> None:
    schedules.ensure()
    Schedule.objects.update(**changes)
    assert faults() == {"sweep": fault.value}
    page = operator.get(PAGE)
    assert page.status_code == 200
    assert page.context["is_broken"] is (fault in (Fault.CHANGED, Fault.UNREADABLE))
    assert page.context["stops_all"] is (fault == Fault.UNREADABLE)

    assert operator.post(PAGE, {"act": "repair"}).status_code == 302
    if fault != Fault.LATE:
        assert faults() == {"sweep": ""}
    assert AuditEntry.objects.get().action == "schedule.repaired"


def test_missing_schedule_is_made(operator: Client) -> None:
    assert faults() == {"sweep": "missing"}
    operator.post(PAGE, {"act": "repair"})
    assert faults() == {"sweep": ""}


def test_foreign_schedule_is_removed_and_ours_is_not(operator: Client) -> None:
    schedules.ensure()
    theirs = Schedule.objects.create(name="theirs", func="x.y", schedule_type="D", args="(")
    ours = Schedule.objects.get(name="sweep")
    assert faults() == {"sweep": "", "theirs": "unreadable"}
    for key in (str(ours.pk), "0", "x", "9" * 30):
        operator.post(PAGE, {"act": "remove", "name": key})
    assert Schedule.objects.count() == 2
    assert not AuditEntry.objects.exists()
    for _ in range(2):
        operator.post(PAGE, {"act": "remove", "name": str(theirs.pk)})
    assert list(Schedule.objects.all()) == [ours]
    assert AuditEntry.objects.get().action == "schedule.removed"


def test_run_now_puts_a_known_task_into_the_queue_and_no_other(operator: Client) -> None:
    operator.post(PAGE, {"act": "run", "name": "sweep"})
    assert [row.task["func"] for row in OrmQ.objects.all()] == ["reconciliation.tasks.sweep"]
    assert AuditEntry.objects.get().target == "schedule:sweep"
    for name in ("work_run", "../sweep", ""):
        answer = operator.post(PAGE, {"act": "run", "name": name}, follow=True)
        assert b"Nothing was done" in answer.content
    assert (OrmQ.objects.count(), AuditEntry.objects.count()) == (1, 1)


def test_others_see_no_schedules(sign_in: SignIn) -> None:
    client = sign_in("merchandiser")
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"act": "repair"}).status_code == 403
    assert not Schedule.objects.exists()
