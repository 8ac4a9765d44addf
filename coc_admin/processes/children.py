"""One supervised program: its own process group, with its output line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reconciliation import liveness

ROOT = Path(__file__).resolve().parents[2]

Sink = Callable[[str, str], None]  # (name of the program, one line of its output)


@dataclass(frozen=True, slots=True)
class Program:
    """A program to start, and its name; `environment` is added to the supervisor's own.

    `files` are descriptors that it inherits under the same numbers. `beats`: the program shows
    signs of life (`reconciliation.liveness`); otherwise it is not watched for silence.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[int, ...] = ()
    beats: bool = True


class Child:
    """A running program. Its process group ends with it, and with the supervisor."""

    def __init__(self, program: Program, sink: Sink) -> None:
        reader, writer = os.pipe()
        self._beats, beats = os.pipe()
        # Neither the program nor the supervisor may block while the other one sleeps.
        os.set_blocking(self._beats, False)
        os.set_blocking(beats, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - commands of our own
                [
                    sys.executable,
                    "-m",
                    "coc_admin.processes.shim",
                    str(reader),
                    *program.command,
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONUNBUFFERED": "1",
                    liveness.VARIABLE: liveness.variable_for(beats),
                    **program.environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(reader, beats, *program.files),
                start_new_session=True,
            )
        except OSError:
            os.close(writer)
            os.close(self._beats)
            raise
        finally:
            os.close(reader)
            os.close(beats)
        self._lifeline = writer
        self._exit_code: int | None = None
        self._pump = threading.Thread(
            target=self._forward, args=(program.name, sink), daemon=True, name=program.name
        )
        self._pump.start()

    @property
    def pid(self) -> int:
        """Process id of the group's leader; also the id of the group."""
        return self._process.pid

    def has_ended(self) -> bool:
        """Whether the leader has ended. It stays unreaped, so that its id still names the group."""
        if self._exit_code is not None:
            return True
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is not None

    def beats(self) -> list[liveness.Beat]:
        """Return the beats of the group's processes since the last call; never waits."""
        found = bytearray()
        with suppress(BlockingIOError):
            while data := os.read(self._beats, 65536):
                found += data
        return list(liveness.read(bytes(found)))

    def terminate(self) -> None:
        """Ask the program to end gracefully."""
        if not self.has_ended():
            # Not Popen.send_signal, which may reap the leader.
            os.kill(self.pid, signal.SIGTERM)

    def end(self) -> int:
        """Kill whatever is left of the group, collect the leader, and return its exit code."""
        if self._exit_code is None:
            # The group may be empty; macOS reports EPERM if only the dead leader is left.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._exit_code = self._process.wait()
            os.close(self._lifeline)
            os.close(self._beats)
            # The last lines may still be in the pipe, which has no writer any more.
            self._pump.join(timeout=5)
        return self._exit_code

    def _forward(self, name: str, sink: Sink) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - opened as a pipe above
        with stream:
            for line in stream:
                sink(name, line.decode("utf-8", "replace").rstrip())
