"""State and command line of a process, from the system."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PROC = Path("/proc")
_MOST_CHARACTERS = 160


def state(pid: int) -> str:
    """Return the state letter of ps for the process (T: stopped, Z: ended); "" if there is none."""
    try:
        # The command's name is in brackets and may contain any character.
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "" if PROC.joinpath("self").exists() else _ask_ps(pid, "stat=")[:1]


def command(pid: int) -> str:
    """Return the command line, shortened; "" if it is not visible."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace")
        text = raw.rstrip("\0").replace("\0", " ")
    except OSError:
        text = "" if PROC.joinpath("self").exists() else _ask_ps(pid, "command=")
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."


def runs_in_group(pid: int, group: int) -> bool:
    """Whether the process exists, has not ended, and belongs to the group."""
    try:
        if os.getpgid(pid) != group:
            return False
    except OSError:
        return False
    return state(pid) not in {"", "Z", "X"}


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger has stopped the process."""
    return state(pid) in {"T", "t"}


def has_open(pid: int, path: str) -> bool:
    """Whether the process has opened the file at `path`; False if not visible (Linux only)."""
    real = os.path.realpath(path)
    try:
        return any(os.path.realpath(link) == real for link in (PROC / str(pid) / "fd").iterdir())
    except OSError:
        return False


def _ask_ps(pid: int, column: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a number and a fixed word
            ["/bin/ps", "-o", column, "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
