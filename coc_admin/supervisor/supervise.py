"""Keeps a set of programs running, with back-off, until it is told to stop."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coc_admin.supervisor.children import Child, Program, Sink

BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
# A program that ran this long before it ended is started again as if it were the first time.
HEALTHY_SECONDS = 60.0
STOP_SECONDS = 8.0


@dataclass(slots=True)
class _Place:
    program: Program
    child: Child | None = None
    started_at: float = 0.0
    start_at: float | None = None
    failures: int = 0


class Supervisor:
    """Web, worker and monitor (or any programs) as one thing that starts and stops.

    `sink` gets each line of output with the name of its program, `say` the supervisor's own
    lines. `stop` closes `listener` first, so that nobody connects to what is ending. Not
    thread-safe except for `restart`, which may be called from another thread.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        sink: Sink,
        say: Callable[[str], None],
        listener: socket.socket | None = None,
        stop_seconds: float = STOP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = [_Place(program) for program in programs]
        self._sink = sink
        self._say = say
        self._listener = listener
        self._stop_seconds = stop_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Start every program."""
        with self._lock:
            for place in self._places:
                self._start(place)

    def step(self) -> None:
        """Start again what has ended and whose waiting time is over."""
        with self._lock:
            if self._stopped:
                return
            for place in self._places:
                if place.child is not None and place.child.has_ended():
                    self._note_end(place, place.child.end())
                if place.start_at is not None and place.start_at <= self._clock():
                    self._start(place)

    def restart(self, name: str, why: str) -> None:
        """Kill the group of program `name` and start it anew at once; not after `stop`."""
        with self._lock:
            if self._stopped:
                return
            for place in self._places:
                if place.program.name == name:
                    self._say(f"{name}: {why}; starting it anew")
                    if place.child is not None:
                        place.child.end()
                    self._start(place)

    def pids(self) -> dict[str, int]:
        """Return the process id of each running group by the name of its program."""
        return {
            place.program.name: place.child.pid
            for place in self._places
            if place.child is not None and not place.child.has_ended()
        }

    def run(self, stop: threading.Event, *, pause: float = 0.2) -> None:
        """Start everything, keep it running until `stop` is set, then stop everything."""
        try:
            self.start()
            while not stop.wait(pause):
                self.step()
        finally:
            self.stop()

    def stop(self) -> None:
        """End every program: asked first, killed after a few seconds. Safe to call again."""
        with self._lock:
            self._stopped = True
            if self._listener is not None:
                self._listener.close()
            children = [place.child for place in self._places if place.child is not None]
            for child in children:
                child.terminate()
            deadline = self._clock() + self._stop_seconds
            while self._clock() < deadline and not all(child.has_ended() for child in children):
                time.sleep(0.05)
            for place in self._places:
                place.start_at = None
                if place.child is not None:
                    place.child.end()
                    place.child = None

    def _start(self, place: _Place) -> None:
        place.start_at = None
        place.started_at = self._clock()
        place.child = Child(place.program, self._sink)

    def _note_end(self, place: _Place, code: int) -> None:
        place.child = None
        lasted = self._clock() - place.started_at
        place.failures = 0 if lasted >= HEALTHY_SECONDS else place.failures
        delay = BACK_OFF_SECONDS[min(place.failures, len(BACK_OFF_SECONDS) - 1)]
        place.failures += 1
        place.start_at = self._clock() + delay
        self._say(
            f"{place.program.name}: ended with exit code {code} after {lasted:.0f} s; "
            f"starting it again in {delay:.0f} s"
        )
