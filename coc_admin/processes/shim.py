"""Leads one group of processes, and ends all of it when the supervisor dies.

`python -m coc_admin.processes.shim LIFELINE COMMAND...`, started as the leader of a new session.
LIFELINE is the reading end of a pipe whose only writer is the supervisor: whatever way the
supervisor ends, the pipe ends with it. A death signal alone would not do, since it reaches the
direct child and not the children that a worker cluster forks. This module imports nothing that
is large, so that it starts at once.
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

    Linux only; elsewhere nothing happens, and the lifeline does the work alone.
    """
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    except (OSError, AttributeError, TypeError):
        return


def hold(lifeline: int, command: list[str]) -> int:
    """Run `command` until it ends and return its exit code, as a shell would tell it.

    SIGTERM is passed on to the command alone: the command ends its own children in good order.
    When the lifeline ends, the whole group is killed, this process with it. It shows the supervisor
    signs of life, since a program whose shim is stopped would outlive the supervisor.
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

    # What the supervisor passes on is inheritable, and nothing else here is.
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
