"""Beats through a real pipe, from real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciliation import liveness
from reconciliation.liveness import Beat, Stillness

# Begins to beat, forks, and says who both are; the parent's loop turns until it is told to stop.
PROCESS = """
import os, sys, time
from reconciliation import liveness
liveness.BEAT_SECONDS = 0.05
liveness.start()
child = os.fork()
turns = 0
if child:
    print(os.getpid(), child, flush=True)
    liveness.watch("the loop", lambda: turns, patience=0.3)
    for turns in range(20):
        time.sleep(0.05)
time.sleep(600)
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def beats(reader: int) -> list[Beat]:
    try:
        return list(liveness.read(os.read(reader, 65536)))
    except BlockingIOError:
        return []


def collect(reader: int, seen: list[Beat], enough: object) -> None:
    deadline = time.monotonic() + 20
    while not enough(seen):  # type: ignore[operator]
        assert time.monotonic() < deadline, seen
        seen += beats(reader)
        time.sleep(0.02)


def test_a_process_and_its_fork_beat_and_a_loop_that_stands_still_is_reported(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    env = os.environ | {liveness.VARIABLE: liveness.variable_for(writer)}
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS],
        env=env,
        pass_fds=[writer],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            parent, child = map(int, process.stdout.readline().split())
            seen: list[Beat] = []
            collect(reader, seen, lambda seen: {parent, child} <= {beat.pid for beat in seen})
            collect(reader, seen, lambda seen: seen[-1].still or seen[-2].still)
            assert {beat.pid for beat in seen} == {parent, child}
            # The loop turned for a second, and the fork has no loop.
            assert {(beat.pid, beat.still) for beat in seen if beat.still} == {(parent, "the loop")}
            assert sum(not beat.still for beat in seen if beat.pid == parent) > 5
        finally:
            os.killpg(process.pid, 9)


def test_a_descriptor_that_is_not_the_pipe_gets_no_beat(
    pipe: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A program that a process of ours starts inherits the variable, and another file by its number.
    _, writer = pipe
    monkeypatch.setenv(liveness.VARIABLE, liveness.variable_for(writer))
    assert liveness.given_pipe() == writer
    with (tmp_path / "file").open("w") as file:
        kept = os.dup(writer)
        os.dup2(file.fileno(), writer)
        try:
            assert liveness.given_pipe() is None
        finally:
            os.dup2(kept, writer)
            os.close(kept)
    assert liveness.given_pipe() == writer
    for value in ("", "7", "a:b:c", "-1:1:1", "99999:1:1"):
        monkeypatch.setenv(liveness.VARIABLE, value)
        assert liveness.given_pipe() is None


def test_a_pipe_that_nobody_reads_keeps_nobody_waiting(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    for number in range(20_000):
        liveness.send(writer, Beat(number, "the loop", 3))
    found = beats(reader)
    assert found[:2] == [Beat(0, "the loop", 3), Beat(1, "the loop", 3)]
    assert len(found) < 20_000


def test_time_in_which_the_observer_slept_does_not_count() -> None:
    now = 0.0
    stillness = Stillness(lambda: now)
    assert stillness.look("a") == 0
    for expected in (0.5, 1.0, 1.5):
        now += 0.5
        assert stillness.look("a") == expected
    now += 900
    assert stillness.look("a") == 2.5
    assert stillness.look("b") == 0
    now += 1
    assert stillness.look("b") == 1
    # Nothing has to move.
    assert stillness.look(None) == 0
    now += 1
    assert stillness.look(None) == 0
