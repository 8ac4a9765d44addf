"""Keep a set of programs running, with back-off, until told to stop.

Restarts programs that end, and programs with a process that is silent for too long.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coc_admin.processes import processes, systemd
from coc_admin.processes.children import Child, Program, Sink
from coc_admin.processes.lock_watch import Holder, LockWatch
from coc_admin.processes.silence import Silence

BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
# After running this long, a program restarts with the shortest delay.
HEALTHY_SECONDS = 60.0
STOP_SECONDS = 8.0
SILENT_SECONDS = 10.0
# How long one of our own processes may lock the database: longer than any task may take.
HOLD_SECONDS = 75.0


@dataclass(slots=True)
class _Place:
    program: Program
    child: Child | None = None
    silence: Silence | None = None
    started_at: float = 0.0
    start_at: float | None = None
    failures: int = 0


class Supervisor:
    """Starts and stops web, worker and monitor (or any programs) together.

    `sink` gets each line of output with the name of its program, `say` the supervisor's own lines.
    `stop` closes `listener` first, so that no client connects to an ending program. A program with
    a process silent for `silent_seconds` is replaced. `lock_watch` finds the process that keeps the
    database locked; one of ours is replaced after half of that time in silence, or after
    `hold_seconds`. Not thread-safe except for `restart` and `is_locked_out`.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        sink: Sink,
        say: Callable[[str], None],
        listener: socket.socket | None = None,
        silent_seconds: float = SILENT_SECONDS,
        lock_watch: LockWatch | None = None,
        hold_seconds: float = HOLD_SECONDS,
        stop_seconds: float = STOP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = [_Place(program) for program in programs]
        self._sink = sink
        self._say = say
        self._listener = listener
        self._silent_seconds = silent_seconds
        self._lock_watch = lock_watch
        self._hold_seconds = hold_seconds
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
        """Replace silent programs; restart ended ones after their delay."""
        with self._lock:
            if self._stopped:
                return
            for place in self._places:
                if place.child is not None and place.child.has_ended():
                    self._note_end(place, place.child.end())
                self._listen(place)
                if place.start_at is not None and place.start_at <= self._clock():
                    self._start(place)
            if self._lock_watch is not None and self._lock_watch.look():
                self._judge(self._lock_watch.holder, self._lock_watch)

    def restart(self, name: str, why: str) -> None:
        """Kill the group of program `name` and start it again at once; not after `stop`."""
        with self._lock:
            if self._stopped:
                return
            for place in self._places:
                if place.program.name == name:
                    self._replace(place, why)

    def is_locked_out(self, name: str) -> bool:
        """Whether a process outside of program `name` keeps the database locked."""
        holder = self._lock_watch.holder if self._lock_watch is not None else None
        if holder is None or holder.seconds < 1:
            return False
        with self._lock:
            place = self._place_of(holder.pid)
        return place is None or place.program.name != name

    def run(self, stop: threading.Event, *, pause: float = 0.5) -> None:
        """Start everything, keep it running until `stop` is set, then stop everything."""
        try:
            self.start()
            systemd.notify(systemd.READY)
            while not stop.wait(pause):
                self.step()
                systemd.notify(systemd.ALIVE)
        finally:
            systemd.notify(systemd.STOPPING)
            self.stop()

    def stop(self) -> None:
        """End every program: asked first, killed after a few seconds. Idempotent."""
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
        place.child = place.silence = None
        try:
            place.child = Child(place.program, self._sink)
        except OSError as error:
            # No memory or no process id is left; the others continue.
            place.start_at = self._clock() + BACK_OFF_SECONDS[2]
            self._say(
                f"{place.program.name}: cannot be started ({(error.strerror or str(error)).lower()}"
                f"); trying again in {BACK_OFF_SECONDS[2]:.0f} s"
            )
            return
        if place.program.beats:
            place.silence = Silence(
                place.child.pid, patience=self._silent_seconds, clock=self._clock
            )

    def _replace(self, place: _Place, why: str) -> None:
        self._say(f"{place.program.name}: {why}; starting it again")
        if place.child is not None:
            place.child.end()
        self._start(place)

    def _listen(self, place: _Place) -> None:
        if place.child is None or place.silence is None:
            return
        why = place.silence.look(place.child.beats())
        if why:
            self._replace(place, why)

    def _judge(self, holder: Holder | None, watch: LockWatch) -> None:
        """Replace the program that keeps the database locked; report a foreign process."""
        place = self._place_of(holder.pid) if holder is not None else None
        if holder is None or place is not None:
            watch.note_release()
        if holder is None or holder.pid == os.getpid():
            return
        if place is None:
            watch.name_stranger(holder)
            return
        silent = place.silence.seconds(holder.pid) if place.silence is not None else 0.0
        lock = f"process {holder.pid} holds the write lock of the database"
        if min(silent, holder.seconds) >= self._silent_seconds / 2:
            self._replace(place, f"{lock} and has been silent for {silent:.0f} s")
        elif holder.seconds >= self._hold_seconds:
            self._replace(place, f"{lock} and has written nothing for {holder.seconds:.0f} s")

    def _place_of(self, pid: int) -> _Place | None:
        for place in self._places:
            if place.child is not None and processes.runs_in_group(pid, place.child.pid):
                return place
        return None

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
