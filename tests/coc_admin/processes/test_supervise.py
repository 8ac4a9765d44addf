"""Supervised processes: started again when they end, and none outlives the supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from coc_admin.processes.children import ROOT, Child, Program
from coc_admin.processes.supervise import BACK_OFF_SECONDS, Supervisor

# Forks a child of its own, as a worker cluster does, and writes both ids down.
FAMILY = """
import os, signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    print("pids", os.getpid(), child, flush=True)
if child and "brief" in sys.argv:
    sys.exit(3)
time.sleep(600)
"""


class Lines:
    """Collects output; `pids` are those that the families printed."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def pids(self, name: str = "family") -> list[list[int]]:
        texts = [text for given, text in self.lines if given == name and text.startswith("pids ")]
        return [[int(word) for word in text.split()[1:]] for text in texts]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited 20 s for {what}")
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def children() -> set[int]:
    """Return the processes that this one has started and that run."""
    started = psutil.Process().children()
    return {one.pid for one in started if one.status() != psutil.STATUS_ZOMBIE}


def family(*words: str) -> Program:
    return Program("family", (sys.executable, "-c", FAMILY, *words))


@pytest.fixture
def output() -> Lines:
    return Lines()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(output: Lines, said: list[str]) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def build(*programs: Program, stop_seconds: float = 5) -> Supervisor:
        made.append(Supervisor(programs, sink=output, say=said.append, stop_seconds=stop_seconds))
        return made[-1]

    yield build
    for supervisor in made:
        supervisor.stop()


def test_a_program_leads_a_group_of_its_own_and_its_lines_carry_its_name(
    make: Callable[..., Supervisor], output: Lines
) -> None:
    supervisor = make(
        Program(
            "words",
            (sys.executable, "-c", "import os; print(os.environ['COC_A'], os.getcwd())"),
            {"COC_A": "given"},
        ),
        family(),
    )
    supervisor.start()
    wait_for(lambda: len(output.lines) == 2, "both to print")

    assert ("words", f"given {ROOT}") in output.lines
    (pids,) = output.pids()
    (leader,) = {os.getpgid(pid) for pid in pids}
    assert leader not in (os.getpgid(0), os.getpid())


def test_what_ends_is_started_again_after_a_wait_that_grows(
    make: Callable[..., Supervisor], output: Lines, said: list[str]
) -> None:
    supervisor = make(family("brief"))
    supervisor.start()
    stop = threading.Event()

    def enough() -> bool:
        supervisor.step()
        return len(output.pids()) == 2

    wait_for(enough, "a second start")
    stop.set()

    assert said[0].startswith("family: ended with exit code 3 after ")
    assert said[0].endswith("starting it again in 1 s")
    # The leader ended on its own; its orphan went with the group.
    first = output.pids()[0]
    wait_for(lambda: all(is_gone(pid) for pid in first), "the orphan to be gone")
    wait_for(lambda: supervisor.step() is None and len(said) == 2, "the second end")
    assert said[1].endswith(f"starting it again in {BACK_OFF_SECONDS[1]:.0f} s")


def test_stop_asks_first_and_leaves_nobody(make: Callable[..., Supervisor], output: Lines) -> None:
    others = children()
    supervisor = make(family())
    supervisor.start()
    assert len(children() - others) == 1
    wait_for(lambda: len(output.pids()) == 1, "the family")

    before = time.monotonic()
    supervisor.stop()

    assert time.monotonic() - before < 5, "the program ends when asked; no need to wait for a kill"
    # A killed process that is nobody's child any more takes a moment to go.
    wait_for(lambda: all(is_gone(pid) for pid in output.pids()[0]), "the family to be gone")
    assert children() <= others


def test_stop_kills_what_does_not_listen(make: Callable[..., Supervisor], output: Lines) -> None:
    supervisor = make(family("deaf"), stop_seconds=0.5)
    supervisor.start()
    wait_for(lambda: len(output.pids()) == 1, "the family")

    supervisor.stop()

    # A killed process that is nobody's child any more takes a moment to go.
    wait_for(lambda: all(is_gone(pid) for pid in output.pids()[0]), "the family to be gone")


def test_restart_replaces_the_whole_group_and_nothing_starts_after_stop(
    make: Callable[..., Supervisor], output: Lines, said: list[str]
) -> None:
    others = children()
    supervisor = make(family("deaf"), stop_seconds=0.5)
    supervisor.start()
    wait_for(lambda: len(output.pids()) == 1, "the family")

    supervisor.restart("family", "no sign of work for 75 s")
    wait_for(lambda: len(output.pids()) == 2, "the second family")

    assert said == ["family: no sign of work for 75 s; starting it again"]
    # A killed process that is nobody's child any more takes a moment to go.
    wait_for(lambda: all(is_gone(pid) for pid in output.pids()[0]), "the family to be gone")
    supervisor.stop()
    supervisor.restart("family", "too late")
    supervisor.step()
    assert children() <= others
    assert len(said) == 1


def test_a_stopped_process_group_can_be_replaced(
    make: Callable[..., Supervisor], output: Lines
) -> None:
    supervisor = make(family())
    supervisor.start()
    wait_for(lambda: len(output.pids()) == 1, "the family")
    os.killpg(os.getpgid(output.pids()[0][0]), signal.SIGSTOP)

    supervisor.restart("family", "halted")
    wait_for(lambda: len(output.pids()) == 2, "the second family")

    # A killed process that is nobody's child any more takes a moment to go.
    wait_for(lambda: all(is_gone(pid) for pid in output.pids()[0]), "the family to be gone")


def test_nobody_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "supervise.py"
    script.write_text(
        "import sys, threading\n"
        "from coc_admin.processes.children import Program\n"
        "from coc_admin.processes.supervise import Supervisor\n"
        f"family = Program('family', (sys.executable, '-c', {FAMILY!r}, 'deaf'))\n"
        "show = lambda name, text: print(text, flush=True)\n"
        "Supervisor([family], sink=show, say=print).run(threading.Event())\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(word) for word in supervisor.stdout.readline().split()[1:]]
        shim = psutil.Process(pids[0]).ppid()
        assert len(pids) == 2
        supervisor.kill()

    wait_for(lambda: all(is_gone(pid) for pid in [shim, *pids]), "the whole family to be gone")


def test_the_group_goes_when_its_shim_is_killed(output: Lines) -> None:
    child = Child(family("deaf"), output)
    wait_for(lambda: len(output.pids()) == 1, "the family")

    os.kill(child.pid, signal.SIGKILL)
    wait_for(child.has_ended, "the shim's end")
    assert child.end() == -signal.SIGKILL

    wait_for(lambda: all(is_gone(pid) for pid in output.pids()[0]), "the family to be gone")


def test_the_exit_code_is_told_as_a_shell_would(output: Lines) -> None:
    child = Child(
        Program("x", (sys.executable, "-c", "import os; os.kill(os.getpid(), 11)")), output
    )
    wait_for(child.has_ended, "the end")

    assert child.end() == 128 + 11
    assert child.end() == 128 + 11
