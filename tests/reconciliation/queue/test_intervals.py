"""How often things run by themselves: the environment, what people changed, and who obeys it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import Schedule

from reconciliation import tasks
from reconciliation.alerts.rules import silent_worker
from reconciliation.maintenance import retention, schedules, sweep
from reconciliation.models import IntervalSetting, Lease
from reconciliation.monitor.loop import Monitor
from reconciliation.queue import intervals, leases
from reconciliation.queue.intervals import IntervalRefused
from tests.factories import START, Clock

pytestmark = pytest.mark.django_db


def put(name: str, **members: Any) -> None:
    IntervalSetting.objects.update_or_create(pk=name, defaults=members)


def seconds() -> dict[str, float]:
    return {name: interval.seconds for name, interval in intervals.all_intervals().items()}


def test_without_a_row_the_environment_says(settings: Any) -> None:
    settings.COC_RETRY_MINUTES, settings.COC_MERGE_SECONDS, settings.COC_PROBE_SECONDS = 7, 33, 1.5
    usual = {"sweep": 60, "retry": 420, "probe": 1.5, "merge": 33, "retention": 86_400}
    usual["audit"] = 86_400
    assert seconds() == usual
    assert not any(interval.is_changed for interval in intervals.all_intervals().values())
    for name in usual:
        intervals.note_done(name, now=START)
    assert seconds() == usual
    put("retry", every=30)
    put("merge", every=5)
    assert seconds() == usual | {"retry": 1800, "merge": 5}
    changed = [name for name, interval in intervals.all_intervals().items() if interval.is_changed]
    assert changed == ["retry", "merge"]
    assert intervals.interval_of("retry").done_at == START


REFUSED = [
    ("sweep", "every", {"every": 0}),
    ("sweep", "every", {"every": 6}),
    ("retry", "every", {"every": 1441}),
    ("probe", "every", {"every": 61}),
    ("merge", "every", {"every": 3601}),
    ("retention", "every", {"every": 5}),
    ("retry", "at", {"at": time(3), "zone": "UTC"}),
    ("retry", "zone", {"zone": "UTC"}),
    ("retention", "zone", {"at": time(3), "zone": "Nowhere/Land"}),
    ("retention", "zone", {"at": time(3), "zone": ""}),
    *((name, "paused", {"paused": True}) for name in ("sweep", "retry", "probe", "merge")),
]


@pytest.mark.parametrize(("name", "field", "values"), REFUSED)
def test_what_an_interval_cannot_be_is_refused(
    name: str, field: str, values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(IntervalRefused) as refused:
        intervals.check(name, values)
    assert refused.value.field == field
    assert not IntervalSetting.objects.exists()
    if values.get("zone") == "":
        return  # the database refuses it as well
    # A row of another version: the environment's counts, and the log says so once.
    intervals._TOLD.clear()
    put(name, **values)
    usual = intervals.Interval(intervals.KINDS[name], intervals.KINDS[name].default)
    assert [intervals.interval_of(name) for _ in range(3)] == [usual] * 3
    assert caplog.text.count(f"interval of '{name}' in the database is not accepted ({field}") == 1


def silent_after() -> int:
    """Return the seconds after which a worker that has not beaten counts as silent."""
    quiet = range(0, 600, 30)
    return max(n for n in quiet if not silent_worker.is_worker_silent(timedelta(seconds=n)))


def test_the_queue_follows_and_the_monitors_repair_keeps_it() -> None:
    schedules.ensure()
    put("sweep", every=5)
    now = timezone.now()
    # Another host's console has changed it: the monitor makes it true within its look.
    assert schedules.heal(now) == ["sweep"]
    assert Schedule.objects.get().minutes == 5
    assert schedules.heal(now) == []
    Schedule.objects.update(next_run=now + timedelta(minutes=5))
    assert schedules.heal(now) == []
    Schedule.objects.update(minutes=1)
    assert schedules.heal(now) == ["sweep"]
    assert Schedule.objects.get().minutes == 5
    assert silent_after() == 330

    put("sweep", every=None)
    Schedule.objects.update(next_run=now + timedelta(minutes=5))
    assert schedules.heal(now) == ["sweep"]
    row = Schedule.objects.get()
    # One that waits for longer than its new interval runs now.
    assert (row.minutes, row.next_run <= timezone.now()) == (1, True)
    assert silent_after() == 90


class Probes:
    """A prober that counts."""

    started = 0

    def start(self) -> bool:
        self.started += 1
        return True


def test_the_monitor_probes_in_the_interval_that_counts_now() -> None:
    clock, probes = Clock(START), Probes()
    monitor = Monitor(holder="one", prober=probes, clock=clock)  # type: ignore[arg-type]

    def probed(ticks: int) -> int:
        before = probes.started
        for _ in range(ticks):
            monitor.tick()
            clock.go(1)
        return probes.started - before

    assert probed(6) == 6
    put("probe", every=3)
    assert probed(6) == 2
    put("probe", every=60)
    assert probed(20) == 0
    put("probe", every=1)
    assert probed(3) == 3


def test_the_retry_waits_for_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    put("retry", every=10)
    assert intervals.interval_of("retry").length == timedelta(minutes=10)
    tasks.sweep()
    assert intervals.interval_of("sweep").done_at is not None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # 03:00 in Berlin is 02:00 UTC in winter and 01:00 in summer.
        (datetime(2026, 1, 10, 1, 59, tzinfo=UTC), datetime(2026, 1, 10, 2, tzinfo=UTC)),
        (datetime(2026, 1, 10, 2, 0, tzinfo=UTC), datetime(2026, 1, 11, 2, tzinfo=UTC)),
        (datetime(2026, 7, 10, 23, 30, tzinfo=UTC), datetime(2026, 7, 11, 1, tzinfo=UTC)),
        # The hour that does not exist, and the day after it.
        (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ],
)
def test_a_time_of_day_is_that_of_its_zone(now: datetime, expected: datetime) -> None:
    put("retention", at=time(3), zone="Europe/Berlin")
    assert intervals.interval_of("retention").next_time(now) == expected


@pytest.fixture
def kept(settings: Any) -> None:
    settings.COC_RETAIN_CUSTOMER_DAYS = 30


@pytest.mark.usefixtures("kept")
def test_retention_waits_for_its_time_and_comes_once_a_day() -> None:
    noon = datetime(2026, 2, 2, 12, tzinfo=UTC)
    assert retention.is_due(noon)
    put("retention", at=time(3), zone="UTC")
    schedules.follow("retention", now=noon)
    night = datetime(2026, 2, 3, 3, tzinfo=UTC)
    assert retention.TURN.next_at() == night
    assert not retention.is_due(night - timedelta(seconds=1))
    # A sweep that comes late does not shift the next day's.
    assert [retention.is_due(night + timedelta(minutes=m)) for m in (2, 3)] == [True, False]
    assert not retention.is_due(night + timedelta(days=1, seconds=-1))
    assert retention.is_due(night + timedelta(days=1))
    # Nobody was there at three: it is made good when somebody is.
    assert retention.is_due(night + timedelta(days=4, hours=9))


@pytest.mark.usefixtures("kept")
def test_paused_retention_is_not_done_and_goes_on_afterwards() -> None:
    put("retention", paused=True)
    assert not retention.is_due(START)
    assert "retention" not in sweep.sweep(clock=lambda: START)
    assert not Lease.objects.filter(pk="retention").exists()
    put("retention", paused=False)
    assert sweep.sweep(clock=lambda: START) == ["retention"]
    assert not leases.take(name="retention", holder="x", seconds=1, now=START)


def test_the_environment_may_count_retries_in_seconds(settings: Any) -> None:
    settings.COC_RETRY_MINUTES, settings.COC_RETRY_SECONDS = 7, 5
    retry = intervals.interval_of("retry")
    assert (retry.seconds, retry.is_changed) == (5, False)
    put("retry", every=2)
    assert intervals.interval_of("retry").seconds == 120
    settings.COC_RETRY_SECONDS = 0
    put("retry", every=None)
    assert intervals.interval_of("retry").seconds == 420
