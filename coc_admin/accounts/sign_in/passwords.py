"""Hash passwords, a few at a time.

One hash takes a quarter of a second of CPU. However many people sign in, a process computes one
hash for anyone and one more for known devices; a few callers wait for a moment, and all others must
try again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

RETRY_SECONDS = 3


class PasswordsBusy(Exception):
    """Too many passwords are being checked; nothing was checked or changed."""


class Lane:
    """One hash at a time; a limited number of threads wait for a limited time."""

    def __init__(self, *, waiting: int, seconds: float) -> None:
        self.seconds = seconds
        self._places = threading.BoundedSemaphore(1 + waiting)
        self._turn = threading.BoundedSemaphore(1)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the lane and use it for the block. Raises PasswordsBusy."""
        if not self._places.acquire(blocking=False):
            raise PasswordsBusy
        try:
            if not self._turn.acquire(timeout=self.seconds):
                raise PasswordsBusy
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()


# At most four threads wait or hash: a web process on PostgreSQL has no more threads.
ANYBODY = Lane(waiting=1, seconds=2.0)
KNOWN = Lane(waiting=1, seconds=4.0)
_lane: ContextVar[Lane] = ContextVar("lane", default=ANYBODY)


@contextmanager
def known_person(is_known: bool = True) -> Iterator[None]:
    """Let hashes in the block use the lane that strangers can't fill."""
    token = _lane.set(KNOWN if is_known else ANYBODY)
    try:
        yield
    finally:
        _lane.reset(token)


class BoundedHasher(PBKDF2PasswordHasher):
    """Django's own hasher in a lane: every check and every new password calls `encode`."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Return the hash. Raises PasswordsBusy."""
        with _lane.get().turn():
            return super().encode(password, salt, iterations)


class PasswordsBusyMiddleware:
    """Answers 503 when too many passwords are being checked or changed at once."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> Any:
        """Return the page that asks to try again, if passwords were busy."""
        if not isinstance(error, PasswordsBusy):
            return None
        answer = render(request, "registration/busy.html", {"seconds": RETRY_SECONDS}, status=503)
        answer["Retry-After"] = str(RETRY_SECONDS)
        return answer
