"""How much of the server one request, one connection and all of them together may take."""

from __future__ import annotations

from dataclasses import dataclass

from coc_admin.upload_limit import MOST_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one web process; times are seconds, sizes bytes."""

    # From the first byte of a request to its last.
    request_seconds: float
    # A connection that is idle between requests, or whose reader takes nothing.
    silent_seconds: float = 120.0
    # After a refusal: how long, and how much of what is still being sent, is read and dropped.
    drain_seconds: float = 5.0
    drain_bytes: int = 64 * 1024 * 1024
    # When there is one more, the connection that has made no progress for longest is closed.
    connections: int = 500
    header_bytes: int = 64 * 1024
    # What views look at is smaller (coc_admin.upload_limit): most refusals are theirs.
    body_bytes: int = MOST_BYTES + 2 * 1024 * 1024
    # Of all bodies that are being received or wait for a thread.
    all_body_bytes: int = 256 * 1024 * 1024
    # Above it a body, or an answer, is kept in a temporary file.
    body_memory_bytes: int = 64 * 1024
    answer_memory_bytes: int = 256 * 1024
    # An answer that is made faster than it is read waits in its thread above this.
    answer_bytes: int = 64 * 1024 * 1024
    # How long answers under way may take after the signal to stop.
    stop_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class ForwardingLimits:
    """Bounds of what one web process lets the console process answer."""

    # Requests that the console process works on for this web process; its number of threads.
    working: int
    # Requests that wait for one of these places, and for how long.
    waiting: int = 64
    waiting_seconds: float = 10.0
    # Until the console process takes the connection: longer than its start.
    greeting_seconds: float = 5.0
    # From then to the head of the answer, and between two pieces of it.
    answer_seconds: float = 130.0
    # Of an answer that is read more slowly than it is made, before more of it is taken.
    ahead_bytes: int = 256 * 1024
