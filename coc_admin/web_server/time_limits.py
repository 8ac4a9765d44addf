"""Time limits of requests in the console process, and their enforcement.

A thread checks every request twice a second: its thread's processor time and its duration. Above a
limit the request is interrupted: an exception that only this module catches is raised in its
thread, and its database statement is cancelled. Its changes are rolled back, and it gets a 503. If
a thread still does not end within a few seconds, it can't be interrupted, and the process ends; the
supervisor starts another. Code that never releases the interpreter also stops this thread; then the
supervisor notices the silence of the process. For a request an interruption is like a crash, and
its connection is discarded.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from coc_admin.api import RETRY_AFTER
from coc_admin.web_server.answers import TooMuchWork, body_of

Application = Callable[..., Iterable[bytes]]

logger = logging.getLogger(__name__)

_PAUSE = 0.5
# from the interruption until the process ends
_GRACE_SECONDS = 10.0
_CANCEL_SECONDS = 5.0
EXIT_CODE = 75


class Interrupted(BaseException):
    """The request took too long. Only this module catches it."""


@dataclass(slots=True)
class _Request:
    """One request in progress."""

    thread: int
    cpu_clock: int | None
    path: str
    connection: Any
    began: float = field(default_factory=time.monotonic)
    began_cpu: float = 0.0
    interrupted_at: float | None = None

    def cpu_seconds(self) -> float:
        """Return the processor time that its thread has used for it."""
        if self.cpu_clock is None:
            return 0.0
        return time.clock_gettime(self.cpu_clock) - self.began_cpu


class TimeLimits:
    """A WSGI application with time limits for its requests."""

    def __init__(
        self,
        application: Application,
        *,
        cpu_seconds: float,
        seconds: float,
        grace_seconds: float = _GRACE_SECONDS,
        end_process: Callable[[], None] | None = None,
    ) -> None:
        self._application = application
        self._cpu_seconds = cpu_seconds
        self._seconds = seconds
        self._grace_seconds = grace_seconds
        self._end_process = end_process or _end_process
        self._lock = threading.Lock()
        self._at_work: dict[int, _Request] = {}
        threading.Thread(target=self._look_on, name="time-limits", daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request; 503 if it takes too long."""
        request = self._enter(environ)
        try:
            try:
                return self._application(environ, start_response)
            finally:
                self._leave(request)
        except Interrupted:
            # It may arrive at any moment, even within `_leave`.
            self._leave_quietly(request)
            _give_up_connections()
            return _refuse(environ, start_response)

    def _enter(self, environ: dict[str, Any]) -> _Request:
        thread = threading.get_ident()
        clock = time.pthread_getcpuclockid(thread) if sys.platform == "linux" else None
        request = _Request(thread, clock, environ["PATH_INFO"], connections["default"])
        if clock is not None:
            request.began_cpu = time.clock_gettime(clock)
        with self._lock:
            self._at_work[thread] = request
        return request

    def _leave(self, request: _Request) -> None:
        self._leave_quietly(request)
        if request.interrupted_at is not None:
            # The interruption may still be pending, and must not reach the next request.
            for _ in range(100):
                time.sleep(0)

    def _leave_quietly(self, request: _Request) -> None:
        with self._lock:
            self._at_work.pop(request.thread, None)

    def _look_on(self) -> None:
        while True:
            time.sleep(_PAUSE)
            with self._lock:
                now = time.monotonic()
                late = [one for one in self._at_work.values() if self._is_late(one, now)]
                stopped = [raw for one in late for raw in self._interrupt(one, now)]
            for raw in stopped:
                _cancel_statement(raw)

    def _is_late(self, request: _Request, now: float) -> bool:
        return now - request.began > self._seconds or request.cpu_seconds() > self._cpu_seconds

    def _interrupt(self, request: _Request, now: float) -> list[Any]:
        """Interrupt a request; return the connections whose statements must be cancelled."""
        if request.interrupted_at is not None:
            if now - request.interrupted_at > self._grace_seconds:
                logger.error(
                    "A request to %s cannot be interrupted; the process ends.", request.path
                )
                self._end_process()
            return []
        logger.error(
            "A request to %s was interrupted after %.0f s, with %.0f s of processor time.",
            request.path,
            now - request.began,
            request.cpu_seconds(),
        )
        request.interrupted_at = now
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(request.thread), ctypes.py_object(Interrupted)
        )
        raw = request.connection.connection
        return [raw] if raw is not None else []


def _cancel_statement(raw: Any) -> None:
    """Cancel the statement of another thread's connection: SQLite, or psycopg."""
    with suppress(Exception):
        if hasattr(raw, "interrupt"):
            raw.interrupt()
        else:
            raw.cancel_safe(timeout=_CANCEL_SECONDS)


def _give_up_connections() -> None:
    # Their state is unknown: the interruption may have come between two steps of one of them.
    for alias in list(connections):
        with suppress(Exception):
            connections[alias].close()
        with suppress(AttributeError):
            del connections[alias]


def _refuse(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    error = TooMuchWork()
    content_type, body = body_of(
        error,
        path=environ["PATH_INFO"],
        languages=environ.get("HTTP_ACCEPT_LANGUAGE", ""),
    )
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Retry-After", str(RETRY_AFTER)),
    ]
    start_response(f"{error.code} {error.reason}", headers, sys.exc_info())
    return [body]


def _end_process() -> None:
    sys.stderr.flush()
    os._exit(EXIT_CODE)
