"""Print lines on the terminal from several threads, each with its program's name."""

from __future__ import annotations

import atexit
import os
import select
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TextIO

# Lines that may wait for a paused terminal; later ones are dropped and counted.
MOST_WAITING = 10_000


class Console:
    """Prints whole lines without making the programs wait for a slow reader.

    A separate thread writes: a paused terminal or a full pipe must not stop the programs, which may
    hold locks while they write. Once nobody reads any more, it stops printing.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._changed = threading.Condition()
        self._is_writing = False
        threading.Thread(target=self._write_all, daemon=True, name="console").start()
        atexit.register(self.drain)

    def line(self, name: str, text: str) -> None:
        """Print one line of the program `name`."""
        self.print(f"{name:<9}| {text}")

    def say(self, text: str) -> None:
        """Print one line of the supervisor itself."""
        self.line("serve", text)

    def print(self, text: str) -> None:
        """Print one line as it is; returns before it is written."""
        with self._changed:
            if len(self._lines) >= MOST_WAITING:
                self._dropped += 1
                return
            if self._dropped:
                self._lines.append(f"{self._dropped} lines were dropped: nobody read them in time")
                self._dropped = 0
            self._lines.append(text)
            self._changed.notify_all()

    def drain(self, seconds: float = 2.0) -> bool:
        """Wait until everything is written, at most `seconds`; return whether it is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._lines and not self._is_writing, timeout=seconds
            )

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines)
                text = "".join(f"{line}\n" for line in self._lines)
                self._lines.clear()
                self._is_writing = True
            with suppress(OSError):
                self._write(text.encode("utf-8", "replace"))

    def _write(self, data: bytes) -> None:
        # Not through sys.stdout: a waiting thread may hold its lock and block the exit.
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])


class LogFolder:
    """Stores the output of each program in its own file `NAME.log`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, TextIO] = {}
        self._lock = threading.Lock()

    def line(self, name: str, text: str) -> None:
        """Append one line of the program `name`."""
        with self._lock:
            if name not in self._files:
                path = self._folder / f"{name}.log"
                self._files[name] = path.open("a", encoding="utf-8")
            self._files[name].write(f"{text}\n")
            self._files[name].flush()
