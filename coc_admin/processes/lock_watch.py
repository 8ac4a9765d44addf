"""Find the process that holds SQLite's write lock, from the kernel's lock table (Linux).

This module never opens SQLite's own files: closing one would drop all locks of this process on it
(POSIX), and the supervisor has its own connection.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from coc_admin.processes import processes
from reconciliation.liveness import Stillness

LOCKS = Path("/proc/locks")
LOOK_SECONDS = 1.0
# Writers always wait for moments; a stuck holder stays in the table for longer.
STUCK_SECONDS = 5.0
REPEAT_SECONDS = 60.0
# WAL_WRITE_LOCK in the -shm file, RESERVED_BYTE and SHARED_SIZE in the database file
# (https://www.sqlite.org/walformat.html, os.h of SQLite).
_WAL_WRITE_LOCK = 120
_RESERVED = 0x40000001
_LAST_SHARED = 0x40000001 + 510


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds the write lock, and how long it has committed nothing."""

    pid: int
    seconds: float


class LockWatch:
    """Finds the process that blocks all other writers of the database `file`."""

    def __init__(
        self,
        file: Path,
        *,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._say = say
        self._clock = clock
        self._stillness = Stillness(clock)
        self._next_look = clock()
        self._named: int | None = None
        self._named_at = 0.0
        self.holder: Holder | None = None

    def look(self) -> bool:
        """Check again if a second has passed; return whether `holder` is new."""
        now = self._clock()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        pid = holder_of(self._file)
        # Each commit writes to the WAL.
        seconds = self._stillness.look(None if pid is None else (pid, self._last_write()))
        self.holder = None if pid is None else Holder(pid, seconds)
        return True

    def name_stranger(self, holder: Holder) -> None:
        """Report once a minute which foreign process holds the lock."""
        if holder.seconds < STUCK_SECONDS:
            return
        if self._named != holder.pid or self._clock() - self._named_at >= REPEAT_SECONDS:
            self._named, self._named_at = holder.pid, self._clock()
            self._say(_about(holder))

    def note_release(self) -> None:
        """Report that the process named last has released the lock."""
        if self._named is not None:
            self._say(f"database: process {self._named} no longer holds the write lock")
            self._named = None

    def _last_write(self) -> tuple[int, int]:
        try:
            found = os.stat(f"{self._file}-wal")
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)


def holder_of(file: Path) -> int | None:
    """Return the process that holds the write lock of the database `file`; None if none is seen.

    0 means a process that is invisible from here, for instance in another container.
    """
    try:
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return None
    places = (
        (f"{file}-shm", _WAL_WRITE_LOCK, _WAL_WRITE_LOCK),
        # A rollback journal, or locking_mode=EXCLUSIVE.
        (str(file), _RESERVED, _LAST_SHARED),
    )
    for line in lines:
        words = line.split()
        # A waiting request follows an arrow and has one more word.
        if len(words) != 8 or words[3] != "WRITE":
            continue
        pid, first = max(int(words[4]), 0), int(words[6])
        last = float("inf") if words[7] == "EOF" else int(words[7])
        for path, low, high in places:
            if first <= high and last >= low and _is_file(words[5], path, pid):
                return pid
    return None


def _is_file(identity: str, path: str, pid: int) -> bool:
    """Whether `identity`, DEVICE:INODE of a lock, is the file at `path`."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    device, _, inode = identity.rpartition(":")
    if int(inode) != found.st_ino:
        return False
    # On some file systems (btrfs, overlayfs) stat shows another device than the kernel's table.
    same = device == f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    return same or processes.has_open(pid, path)


def _about(holder: Holder) -> str:
    held = f"has held the write lock for {holder.seconds:.0f} s"
    if not holder.pid:
        return (
            f"database: a process outside of this container {held}. Nobody can write. Find it on "
            "the host and end it."
        )
    pid, command = holder.pid, processes.command(holder.pid) or "unknown command"
    is_stopped = processes.is_stopped(pid)
    advice = f"Continue it with `kill -CONT {pid}`, or" if is_stopped else "Let it finish, or"
    return (
        f"database: process {pid} ({command}) {held}{' and is stopped' if is_stopped else ''}. "
        f"Nobody can write. It is not one of these programs, so it is left alone. {advice} end it "
        f"with `kill -9 {pid}`."
    )
