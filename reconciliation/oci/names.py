"""Looking up host names within a time limit, which the operating system does not know.

A look-up runs in its own thread, one for each name at a time, and a call waits for it no longer
than its time limit. The result is cached for a short time, even if no call waits any longer.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

# Short, so that an address that moves is followed; long enough to spare a busy shop the look-ups.
KEPT_SECONDS = 15.0
_MOST_KEPT = 100

Found = list[tuple[Any, Any, int, str, Any]]


@dataclass(slots=True)
class _LookUp:
    done: threading.Event = field(default_factory=threading.Event)
    found: Found = field(default_factory=list)
    error: BaseException | None = None
    ended: float = 0.0


_lock = threading.Lock()
_look_ups: dict[tuple[str, int], _LookUp] = {}


def _after_fork() -> None:
    """Begin again in the child: it has no thread that would ever finish a look-up."""
    global _lock
    _lock = threading.Lock()
    _look_ups.clear()


os.register_at_fork(after_in_child=_after_fork)


def addresses(host: str, port: int, *, until: float) -> Found:
    """Return what `socket.getaddrinfo` finds for TCP, by `until` (a time of `time.monotonic()`).

    Raises TimeoutError when that takes longer, else what the look-up raises (socket.gaierror).
    """
    if _is_address(host):
        return _find(host, port)
    look_up = _look_up(host, port)
    if not look_up.done.wait(max(0.0, until - time.monotonic())):
        raise TimeoutError
    if look_up.error is not None:
        raise look_up.error.with_traceback(None)
    return look_up.found


def forget() -> None:
    """Look every name up again when it is next needed."""
    with _lock:
        _look_ups.clear()


def _look_up(host: str, port: int) -> _LookUp:
    key, now = (host, port), time.monotonic()
    with _lock:
        known = _look_ups.get(key)
        if known is not None and (not known.done.is_set() or _counts(known, now)):
            return known
        if len(_look_ups) >= _MOST_KEPT:
            _look_ups.clear()
        look_up = _look_ups[key] = _LookUp()
    thread = threading.Thread(target=_run, args=(key, look_up), name="look-up", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        # No thread to be had: those who wait must not do so in vain.
        look_up.error = OSError(str(error))
        look_up.done.set()
    return look_up


def _counts(known: _LookUp, now: float) -> bool:
    return bool(known.found) and now < known.ended + KEPT_SECONDS


def _run(key: tuple[str, int], look_up: _LookUp) -> None:
    try:
        look_up.found = _find(*key)
    except Exception as error:
        look_up.error = error
    finally:
        look_up.ended = time.monotonic()
        look_up.done.set()


def _find(host: str, port: int) -> Found:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
