"""The watchdog: busy is not wedged, silent is, and a database that is away proves nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from coc_admin.processes import worker_progress
from coc_admin.processes.watchdog import Progress, Watchdog
from orders.models import ActorKind
from reconciliation.models import Batch, Run
from reconciliation.queue import heartbeats

START = datetime(2026, 2, 2, 12, tzinfo=UTC)


class World:
    """A clock, a worker that may beat or work, and a count of the beats asked for."""

    def __init__(self, patience: float = 75) -> None:
        self.now = 0.0
        self.beat = START
        self.work = 0
        self.asked: list[float] = []
        self.watchdog = Watchdog(
            patience=patience,
            progress=lambda: Progress(self.beat, self.work),
            nudge=lambda: self.asked.append(self.now),
            clock=lambda: self.now,
        )

    def after(self, seconds: float) -> bool:
        self.now += seconds
        return self.watchdog.check()

    def beats(self) -> None:
        self.beat += timedelta(seconds=1)


def test_a_worker_that_beats_is_asked_again_every_ten_seconds_and_left_alone() -> None:
    world = World()
    for _ in range(40):
        assert world.after(1) is False
        if world.asked[-1] == world.now:
            world.beats()

    assert world.asked[:4] == [1, 11, 21, 31]


def test_a_silent_worker_is_wedged_after_the_patience_and_waited_for_anew() -> None:
    world = World()
    assert world.after(0) is False
    wedged_at = [world.now for _ in range(200) if world.after(1)]

    assert wedged_at == [76, 153]
    # Asked at the start, once more in case the first beat was lost, and again after each restart.
    assert world.asked == [0, 38, 77, 115, 154, 192]


def test_a_busy_worker_whose_beat_waits_its_turn_is_not_wedged() -> None:
    world = World()
    world.after(0)
    for _ in range(10):
        world.work += 1
        assert world.after(60) is False

    assert world.after(80) is True


def test_one_beat_at_a_time_waits_in_the_queue() -> None:
    world = World()
    for _ in range(30):
        world.after(1)

    assert world.asked == [1]


def test_an_excuse_starts_the_waiting_anew() -> None:
    world = World()
    world.after(0)
    world.after(70)
    world.watchdog.excuse()

    assert world.after(70) is False
    assert world.after(6) is True


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError, RedisConnectionError, ConnectionRefusedError])
def test_a_database_or_broker_that_is_away_says_nothing_about_the_worker(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.setattr(worker_progress.connection, "close", lambda: None)
    world = World()
    world.after(0)

    def away() -> Progress:
        raise error

    world.watchdog._progress = away
    for _ in range(20):
        world.now += 60
        assert worker_progress.is_wedged(world.watchdog) is False


@pytest.mark.django_db
def test_a_database_that_somebody_keeps_locked_is_no_excuse(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def locked(*_: object) -> None:
        with closing(sqlite3.connect(tmp_path / "x", timeout=0, isolation_level=None)) as mine:
            try:
                mine.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as busy:
                raise OperationalError(*busy.args) from busy

    monkeypatch.setattr(worker_progress.connection, "close", lambda: None)
    monkeypatch.setattr(worker_progress.enqueue, "soon", locked)
    world = World()
    world.watchdog._nudge = worker_progress.nudge
    with closing(sqlite3.connect(tmp_path / "x", isolation_level=None)) as theirs:
        theirs.execute("BEGIN IMMEDIATE")
        assert worker_progress.is_wedged(world.watchdog) is False
        world.now += 70
        assert worker_progress.is_wedged(world.watchdog) is False
        world.now += 6
        assert worker_progress.is_wedged(world.watchdog) is True


@pytest.mark.django_db
def test_the_marks_move_with_a_beat_and_with_the_batches_of_the_active_run() -> None:
    none = worker_progress.read()
    assert none.beat_at is None

    heartbeats.beat(component=heartbeats.WORKER, now=START)
    beaten = worker_progress.read()
    assert (beaten.beat_at, beaten.work) == (START, none.work)

    run = Run.objects.create(trigger="person", actor=ActorKind.PERSON, created_at=START)
    batch = Batch.objects.create(run=run, lane=0, sequence=0, started_at=START)
    started = worker_progress.read()
    assert started.work != beaten.work

    batch.finished_at = START
    batch.save()
    assert worker_progress.read().work != started.work
