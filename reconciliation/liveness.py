"""Heartbeats: each process of the product beats once a second, into a pipe of its supervisor.

A thread of each process, forks included, writes its process id. It asks no database and takes no
lock, so a database that is locked or away stops no beat. A process that was stopped, or whose
interpreter hangs, stops beating. A beat also reports work that is stuck
(`watch`): the thread may live while the loop that does the work does not.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

# DESCRIPTOR:DEVICE:INODE of the pipe's writing end.
VARIABLE = "COC_LIVENESS_PIPE"
BEAT_SECONDS = 1.0
# A look that comes later than this counts as this: the observer was stopped itself.
LATE_SECONDS = 1.0
# A beat on the pipe: process id, seconds for which something has stood still, and its name.
# Far below PIPE_BUF, so beats of several processes never mix.
_BEAT = struct.Struct("=II24s")

Clock = Callable[[], float]
# What moves while work is done; None while nothing has to move.
Mark = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Beat:
    """One beat of the process `pid`. `still` has not moved for `still_seconds`; "" if all moves."""

    pid: int
    still: str = ""
    still_seconds: int = 0

    def to_bytes(self) -> bytes:
        """Return the beat as it goes through the pipe."""
        return _BEAT.pack(self.pid, self.still_seconds, self.still.encode()[:24])


def read(data: bytes) -> Iterator[Beat]:
    """Yield the beats in the data read from the pipe."""
    for pid, seconds, name in _BEAT.iter_unpack(data[: len(data) // _BEAT.size * _BEAT.size]):
        yield Beat(pid=pid, still=name.rstrip(b"\0").decode(), still_seconds=seconds)


class Stillness:
    """How long a mark has not changed, counting only time in which the observer was awake.

    Call `look` every second or more often. A machine that was suspended, or an observer that was
    stopped with what it observes, finds nothing too old when it wakes.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._looked_at = clock()
        self._mark: object = None
        self.seconds = 0.0

    def look(self, mark: object) -> float:
        """Return the seconds for which `mark` has stayed the same; 0 for None."""
        now = self._clock()
        passed, self._looked_at = now - self._looked_at, now
        if mark is None or mark != self._mark:
            self._mark = mark
            self.seconds = 0.0
        else:
            self.seconds += min(max(passed, 0.0), LATE_SECONDS)
        return self.seconds


@dataclass(slots=True)
class _Watched:
    name: str
    mark: Mark
    patience: float
    stillness: Stillness = field(default_factory=Stillness)


_watched: list[_Watched] = []
_pipe: int | None = None


def start() -> None:
    """Beat from now on, in this process and all that it forks; nothing without a supervisor."""
    global _pipe
    if _pipe is not None:
        return
    _pipe = given_pipe()
    if _pipe is None:
        return
    # Programs that this process starts are not the supervisor's.
    os.set_inheritable(_pipe, False)
    os.register_at_fork(after_in_child=_go_on_after_fork)
    _begin(_pipe)


def watch(name: str, mark: Mark, *, patience: float) -> None:
    """Report `name` as standing still when `mark` stays the same for `patience` seconds.

    Does nothing before `start`, or without a supervisor. `mark` is called each second by another
    thread; it must not block, raise or take a lock.
    """
    if _pipe is not None:
        _watched.append(_Watched(name, mark, patience))


def given_pipe() -> int | None:
    """Return the descriptor that the supervisor has passed on, or None.

    The number may mean another file in a process that inherited the variable without the pipe.
    """
    try:
        descriptor, device, inode = map(int, os.environ.get(VARIABLE, "").split(":"))
        found = os.fstat(descriptor)
    except (ValueError, OSError):
        return None
    same = stat.S_ISFIFO(found.st_mode) and (found.st_dev, found.st_ino) == (device, inode)
    return descriptor if same else None


def variable_for(pipe: int) -> str:
    """Return the value of `VARIABLE` that names the pipe with the writing end `pipe`."""
    found = os.fstat(pipe)
    return f"{pipe}:{found.st_dev}:{found.st_ino}"


def send(pipe: int, beat: Beat) -> None:
    """Write one beat. A pipe that is full, since the supervisor sleeps, takes no more."""
    with suppress(OSError):
        os.write(pipe, beat.to_bytes())


def _begin(pipe: int) -> None:
    send(pipe, Beat(os.getpid()))
    threading.Thread(target=_beat, args=(pipe,), name="liveness", daemon=True).start()


def _go_on_after_fork() -> None:
    # The loops of the parent do not run here, and no thread but this one does.
    _watched.clear()
    if _pipe is not None:
        _begin(_pipe)


def _beat(pipe: int) -> None:
    # No lock and no log line: a fork may happen at any moment, and would copy a lock as taken.
    pid = os.getpid()
    while True:
        time.sleep(BEAT_SECONDS)
        send(pipe, _look_around(pid))


def _look_around(pid: int) -> Beat:
    for one in _watched:
        seconds = one.stillness.look(one.mark())
        if seconds > one.patience:
            return Beat(pid, one.name, int(seconds))
    return Beat(pid)
