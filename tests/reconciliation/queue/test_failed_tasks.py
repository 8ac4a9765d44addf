"""The queue's failures are kept for a while, and never without end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django_q.models import Task

from reconciliation import tasks
from reconciliation.queue import failed_tasks

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def failures(*ages: timedelta, success: bool = False) -> None:
    before = Task.objects.count()
    Task.objects.bulk_create(
        Task(
            id=f"{before + number:032}",
            name=f"task {before + number}",
            func="reconciliation.tasks.sweep",
            started=NOW - age,
            stopped=NOW - age,
            success=success,
            result="no",
        )
        for number, age in enumerate(ages)
    )


def names() -> list[str]:
    return list(Task.objects.order_by("id").values_list("name", flat=True))


def test_what_is_older_than_a_month_goes() -> None:
    month = failed_tasks.KEPT_FOR
    failures(month + timedelta(seconds=1), month, timedelta(0))
    failures(2 * month, success=True)
    assert failed_tasks.drop_old(NOW) == 1
    assert names() == ["task 1", "task 2", "task 3"]
    assert failed_tasks.drop_old(NOW) == 0


def test_the_newest_stay_however_many_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_tasks, "KEPT", 2)
    failures(*(timedelta(minutes=age) for age in (3, 1, 4, 2)))
    assert failed_tasks.drop_old(NOW) == 2
    assert names() == ["task 1", "task 3"]


def test_the_sweep_does_it() -> None:
    failures(timedelta(days=3650))
    tasks.sweep()
    assert names() == []
