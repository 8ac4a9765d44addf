"""Detect a process of a program that is silent for too long, only by its beats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from coc_admin.processes import processes
from reconciliation.liveness import Beat, Stillness

# Until the first beat: imports take long on a loaded machine.
START_SECONDS = 120.0


@dataclass(slots=True)
class _Heard:
    stillness: Stillness
    beat: Beat
    beats: int = 0


class Silence:
    """Listens to one program. `group` is the id of its process group, and of the group's leader.

    `patience` is how many seconds a process may be silent after a beat. Time in which the
    supervisor itself was stopped does not count (`Stillness`).
    """

    def __init__(
        self,
        group: int,
        *,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._patience = patience
        self._clock = clock
        self._heard: dict[int, _Heard] = {}
        # The leader only holds the group, so its beats say nothing about the program.
        self._start: Stillness | None = Stillness(clock)

    def look(self, beats: Iterable[Beat]) -> str:
        """Read new beats; return why the program must be replaced, or ""."""
        for beat in beats:
            self._take(beat)
        for pid, heard in list(self._heard.items()):
            heard.stillness.look(heard.beats)
            if heard.beat.still:
                return _standing_still(heard.beat)
            if heard.stillness.seconds > self._patience:
                if processes.runs_in_group(pid, self._group):
                    return self._silent(pid, heard.stillness.seconds)
                del self._heard[pid]
        if self._start is not None and self._start.look("silent") > START_SECONDS:
            return f"no sign of life for {START_SECONDS:.0f} s after the start"
        return ""

    def seconds(self, pid: int) -> float:
        """Return how long the process has been silent; 0 if it has never beaten."""
        heard = self._heard.get(pid)
        return heard.stillness.seconds if heard is not None else 0.0

    def _take(self, beat: Beat) -> None:
        heard = self._heard.get(beat.pid)
        if heard is None:
            heard = self._heard[beat.pid] = _Heard(Stillness(self._clock), beat)
        heard.beat = beat
        heard.beats += 1
        if beat.pid != self._group:
            self._start = None

    def _silent(self, pid: int, seconds: float) -> str:
        stopped = " (stopped by a signal)" if processes.is_stopped(pid) else ""
        return f"process {pid} silent for {seconds:.0f} s{stopped}"


def _standing_still(beat: Beat) -> str:
    return f"{beat.still} of process {beat.pid} stood still for {beat.still_seconds} s"
