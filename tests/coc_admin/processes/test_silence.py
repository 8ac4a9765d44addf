"""Programs that fall silent are replaced: real processes under a real supervisor."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coc_admin.management.commands.serve import is_worker_wedged
from coc_admin.processes import silence, worker_progress
from coc_admin.processes.children import Child, Program
from coc_admin.processes.lock_watch import LOCKS, LockWatch, holder_of
from coc_admin.processes.silence import Silence
from coc_admin.processes.supervise import Supervisor
from coc_admin.processes.watchdog import Progress, Watchdog
from reconciliation.liveness import Beat
from tests.coc_admin.processes.test_supervise import Lines, is_gone, wait_for

BEATS = """
import os, time
from reconciliation import liveness
liveness.BEAT_SECONDS = 0.1
liveness.start()
reads, writes = os.pipe()
child = os.fork()
if child:
    os.read(reads, 1)  # A process that never beat is not known yet.
    print("pids", os.getpid(), child, flush=True)
else:
    os.write(writes, b"1")
time.sleep(600)
"""
MUTE = "import os, time; print('pids', os.getpid(), flush=True); time.sleep(600)"
# Takes SQLite's write lock as a writer does, with a journal of the given kind.
HOLDS = """
import sqlite3, sys, time
from reconciliation import liveness
liveness.start()
link = sqlite3.connect(sys.argv[1], isolation_level=None)
link.execute(f"PRAGMA journal_mode={sys.argv[2]}")
link.execute("CREATE TABLE IF NOT EXISTS t (n)")
link.execute("BEGIN IMMEDIATE")
import os
print("pids", os.getpid(), flush=True)
time.sleep(600)
"""

needs_locks = pytest.mark.skipif(not LOCKS.exists(), reason="no table of file locks")


@pytest.fixture
def output() -> Lines:
    return Lines()


@pytest.fixture
def said() -> list[str]:
    return []


Make = Callable[..., Supervisor]


@pytest.fixture
def make(output: Lines, said: list[str]) -> Iterator[Make]:
    made: list[Supervisor] = []

    def build(*programs: Program, **options: object) -> Supervisor:
        one = Supervisor(programs, sink=output, say=said.append, **options)  # type: ignore[arg-type]
        made.append(one)
        one.start()
        return one

    yield build
    for one in made:
        one.stop()


def stepping(supervisor: Supervisor, condition: Callable[[], object]) -> Callable[[], bool]:
    def step() -> bool:
        supervisor.step()
        return bool(condition())

    return step


@pytest.mark.parametrize("which", [0, 1], ids=["the program", "its fork"])
def test_a_process_that_falls_silent_takes_its_program_along(
    make: Make, output: Lines, said: list[str], which: int
) -> None:
    program = Program("beats", (sys.executable, "-c", BEATS))
    supervisor = make(program, silent_seconds=3.0)
    wait_for(stepping(supervisor, lambda: output.pids("beats")), "the program")
    first = output.pids("beats")[0]
    os.kill(first[which], signal.SIGSTOP)

    wait_for(stepping(supervisor, lambda: len(output.pids("beats")) == 2), "another one")
    (line,) = said
    about = f"beats: process {first[which]} silent for # s (stopped by a signal); starting it again"
    assert re.sub(r"for \d+ s", "for # s", line) == about
    wait_for(lambda: all(is_gone(pid) for pid in first), "the first one to be gone")


def test_a_process_that_has_ended_is_not_silent(output: Lines) -> None:
    # A worker that was recycled, and that its parent has not collected yet.
    child = Child(Program("beats", (sys.executable, "-c", BEATS)), output)
    try:
        wait_for(lambda: len(output.pids("beats")) == 1, "the program")
        parent, fork = output.pids("beats")[0]
        now = [0.0]

        def found() -> list[str]:
            silence = Silence(child.pid, patience=2, clock=lambda: now[0])
            told = [silence.look([Beat(parent), Beat(fork)])]
            for _ in range(4):
                now[0] += 1
                told.append(silence.look([Beat(parent)]))
            return told

        assert found() == ["", "", "", *[f"process {fork} silent for {n} s" for n in (3, 4)]]
        os.kill(fork, signal.SIGKILL)
        wait_for(lambda: is_gone(fork), "its end")
        assert found() == [""] * 5
    finally:
        child.end()


def test_a_supervisor_that_slept_replaces_nobody(
    make: Make, output: Lines, said: list[str]
) -> None:
    now = [0.0]
    supervisor = make(
        Program("beats", (sys.executable, "-c", BEATS)),
        silent_seconds=3.0,
        clock=lambda: now[0],
    )
    wait_for(stepping(supervisor, lambda: output.pids("beats")), "the program")
    supervisor.step()
    os.kill(output.pids("beats")[0][0], signal.SIGSTOP)

    # As after a suspended machine: one look, and much later another one.
    for _ in range(3):
        now[0] += 900
        supervisor.step()
    assert said == []

    for _ in range(2):
        now[0] += 1
        supervisor.step()
    assert len(said) == 1


def test_a_program_that_never_shows_life_is_replaced_and_one_that_says_so_is_not(
    make: Make, output: Lines, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "START_SECONDS", 1.0)
    command = (sys.executable, "-c", MUTE)
    supervisor = make(Program("mute", command), Program("other", command, beats=False))

    wait_for(stepping(supervisor, lambda: len(output.pids("mute")) == 2), "another one")

    assert said == ["mute: no sign of life for 1 s after the start; starting it again"]
    assert len(output.pids("other")) == 1


def test_what_stands_still_in_a_process_that_beats_is_named() -> None:
    group = os.getpgid(0)
    one = Silence(group, patience=10)
    assert one.look([Beat(os.getpid())]) == ""
    assert one.look([Beat(os.getpid(), "all threads", 91), Beat(os.getpid())]) == ""
    assert one.look([Beat(os.getpid(), "all threads", 91)]) == (
        f"all threads of process {os.getpid()} stood still for 91 s"
    )


def test_a_program_that_cannot_be_started_is_tried_again_and_the_others_go_on(
    make: Make, output: Lines, said: list[str], tmp_path: Path
) -> None:
    now = [0.0]
    # A descriptor that is not open, as when none is left.
    broken = Program("broken", (sys.executable, "-c", MUTE), {"A": "x" * 3_000_000})
    supervisor = make(broken, Program("mute", (sys.executable, "-c", MUTE)), clock=lambda: now[0])
    wait_for(stepping(supervisor, lambda: output.pids("mute")), "the other one")
    assert said == ["broken: cannot be started (argument list too long); trying again in 5 s"]
    now[0] += 5
    supervisor.step()
    assert len(said) == 2


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_hears_that_the_supervisor_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = f"coc-{os.getpid()}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
    stop = threading.Event()
    supervisor = Supervisor([], sink=Lines(), say=print)
    running = threading.Thread(target=supervisor.run, args=(stop,), kwargs={"pause": 0.02})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind(f"\0{name}" if abstract else name)
        running.start()
        heard = [manager.recv(100).decode() for _ in range(3)]
        stop.set()
        while heard[-1] != "STOPPING=1":
            heard.append(manager.recv(100).decode())
    running.join(20)
    assert heard[:3] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    # Nobody listens any more, which stops nothing.
    Supervisor([], sink=Lines(), say=print).run(stop)


# --- the write lock -------------------------------------------------------------------------------


def holding(file: Path, journal: str = "wal") -> Program:
    return Program("holds", (sys.executable, "-c", HOLDS, str(file), journal))


@needs_locks
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_the_holder_of_the_write_lock_is_found(
    make: Make, output: Lines, tmp_path: Path, journal: str
) -> None:
    file = tmp_path / "a.sqlite3"
    assert holder_of(file) is None
    make(holding(file, journal))
    wait_for(lambda: len(output.pids("holds")) == 1, "the lock")

    ((pid,),) = output.pids("holds")
    assert holder_of(file) == pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: holder_of(file) is None, "the lock to be free")


@needs_locks
def test_one_of_ours_that_keeps_the_lock_is_replaced_though_it_beats(
    make: Make, output: Lines, said: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "a.sqlite3"
    supervisor = make(holding(file), lock_watch=LockWatch(file, say=said.append), hold_seconds=2.0)
    wait_for(stepping(supervisor, lambda: len(output.pids("holds")) == 2), "another one")

    ((first,), _) = output.pids("holds")
    assert said[0].startswith(
        f"holds: process {first} holds the write lock of the database and has written nothing for "
    )


@needs_locks
def test_a_stranger_is_named_once_and_its_release_too(
    make: Make, output: Lines, said: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "a.sqlite3"
    now = [0.0]
    make(holding(file))
    wait_for(lambda: len(output.pids("holds")) == 1, "the lock")
    ((pid,),) = output.pids("holds")
    # A supervisor of other programs: it knows nothing of who holds the lock.
    other = make(
        Program("mute", (sys.executable, "-c", MUTE)),
        lock_watch=LockWatch(file, say=said.append, clock=lambda: now[0]),
        # The seconds here are not those in which its processes beat.
        silent_seconds=1000,
        clock=lambda: now[0],
    )
    wait_for(lambda: len(output.pids("mute")) == 1, "the other one")
    assert not other.is_locked_out("mute")

    for _ in range(20):
        other.step()
        now[0] += 1
    assert other.is_locked_out("mute")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: holder_of(file) is None, "the lock to be free")
    now[0] += 1
    other.step()

    assert not other.is_locked_out("mute")
    assert len(said) == 2
    assert said[0].startswith(f"database: process {pid} ({sys.executable} -c import sqlite3")
    assert said[0].endswith(f"Let it finish, or end it with `kill -9 {pid}`.")
    assert said[1] == f"database: process {pid} no longer holds the write lock"
    ((mute,),) = output.pids("mute")
    assert not is_gone(mute)


@needs_locks
def test_the_watchdog_blames_no_worker_for_the_lock_of_somebody_else(
    make: Make, output: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_progress.connection, "close_if_unusable_or_obsolete", lambda: None)
    file, now = tmp_path / "a.sqlite3", [0.0]
    make(holding(file))
    wait_for(lambda: len(output.pids("holds")) == 1, "the lock")
    supervisor = make(
        Program("worker", (sys.executable, "-c", MUTE)),
        lock_watch=LockWatch(file, say=print, clock=lambda: now[0]),
        # The seconds here are not those in which its processes beat.
        silent_seconds=1000,
        clock=lambda: now[0],
    )
    watchdog = Watchdog(
        patience=75,
        progress=lambda: Progress(beat_at=None, work=None),
        nudge=lambda: None,
        clock=lambda: now[0],
    )

    def wedged_within(seconds: int) -> bool:
        for _ in range(seconds):
            now[0] += 1
            supervisor.step()
            if is_worker_wedged(supervisor, watchdog):
                return True
        return False

    assert not wedged_within(200)
    os.kill(output.pids("holds")[0][0], signal.SIGKILL)
    wait_for(lambda: holder_of(file) is None, "the lock to be free")
    assert not wedged_within(70)
    assert wedged_within(10)
