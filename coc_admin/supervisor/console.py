"""Lines on the terminal, from several threads, each with the name of the program it is from."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TextIO


class Console:
    """Prints whole lines; when nobody reads any more it goes on in silence."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._lock = threading.Lock()

    def line(self, name: str, text: str) -> None:
        """Print one line of the program `name`."""
        self.print(f"{name:<9}| {text}")

    def say(self, text: str) -> None:
        """Print one line of the supervisor itself."""
        self.line("serve", text)

    def print(self, text: str) -> None:
        """Print one line as it is."""
        with self._lock:
            try:
                self._stream.write(f"{text}\n")
                self._stream.flush()
            except (OSError, ValueError):
                return


class LogFolder:
    """Keeps the output of each program in a file `NAME.log` of its own."""

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
