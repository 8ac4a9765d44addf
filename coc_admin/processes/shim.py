"""Leads one process group, and ends all of it when the supervisor dies.

`python -m coc_admin.processes.shim LIFELINE COMMAND...`, started as the leader of a new session.
LIFELINE is the reading end of a pipe with the supervisor as its only writer: however the supervisor
ends, the pipe ends too. A death signal alone is not enough, since it reaches the direct child but
not the children that a worker cluster forks. This module imports nothing large, so that it starts
at once.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
from types import FrameType

from reconciliation import liveness

_PR_SET_PDEATHSIG = 1


def ask_death_signal(number: int) -> None:
    """Ask the kernel to send this process the signal `number` when its parent ends.

    Linux only; elsewhere only the lifeline works.
    """
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    except (OSError, AttributeError, TypeError):
        return


def hold(lifeline: int, command: list[str]) -> int:
    """Run `command` until it ends and return its exit code, in the form of a shell.

    SIGTERM goes only to the command, which ends its own children gracefully. When the lifeline
    ends, the whole group is killed, including this process. It sends signs of life, since a program
    with a stopped shim would outlive the supervisor.
    """
    beats = liveness.given_pipe()
    os.set_inheritable(lifeline, False)
    wakeup, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    terminate = False

    def on_terminate(_signal: int, _frame: FrameType | None) -> None:
        nonlocal terminate
        terminate = True

    signal.signal(signal.SIGTERM, on_terminate)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)

    # Descriptors passed by the supervisor are inheritable, and no others here.
    with subprocess.Popen(  # noqa: S603
        command, preexec_fn=_prepare_child, close_fds=False
    ) as child:
        while child.poll() is None:
            if beats is not None:
                liveness.send(beats, liveness.Beat(os.getpid()))
            ready, _, _ = select.select([lifeline, wakeup], [], [], liveness.BEAT_SECONDS)
            if lifeline in ready:
                os.killpg(0, signal.SIGKILL)
            if wakeup in ready:
                os.read(wakeup, 512)
            if terminate:
                terminate = False
                child.terminate()
        return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _prepare_child() -> None:
    # Ignored signals would stay ignored in the command.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    ask_death_signal(signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(hold(int(sys.argv[1]), sys.argv[2:]))
