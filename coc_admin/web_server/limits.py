"""Resources of the server that one request, one connection and all of them may use."""

from __future__ import annotations

from dataclasses import dataclass

from coc_admin.upload_limit import MOST_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one web process; times are seconds, sizes bytes."""

    # from the first byte of a request to its last
    request_seconds: float
    # an idle connection between requests, or one with a reader that takes nothing
    silent_seconds: float = 120.0
    # after a refusal: how long, and how many further bytes, to read and drop
    drain_seconds: float = 5.0
    drain_bytes: int = 64 * 1024 * 1024
    # above this the connection without progress for the longest time is closed
    connections: int = 500
    header_bytes: int = 64 * 1024
    # Views have a lower limit (coc_admin.upload_limit), so most refusals are theirs.
    body_bytes: int = MOST_BYTES + 2 * 1024 * 1024
    # all bodies being received or waiting for a thread
    all_body_bytes: int = 256 * 1024 * 1024
    # Above this a body, or an answer, goes to a temporary file.
    body_memory_bytes: int = 64 * 1024
    answer_memory_bytes: int = 256 * 1024
    # Above this an answer waits in its thread for a slow reader.
    answer_bytes: int = 64 * 1024 * 1024
    # how long open answers may take after the stop signal
    stop_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class ForwardingLimits:
    """Limits for requests that one web process forwards to the console process."""

    # Requests in progress for this web process; the console process's number of threads.
    working: int
    # requests that wait for one of these slots, and for how long
    waiting: int = 64
    waiting_seconds: float = 10.0
    # until the console process accepts the connection: longer than its start
    greeting_seconds: float = 5.0
    # from then to the head of the answer, and between two pieces of it
    answer_seconds: float = 130.0
    # buffered bytes of an answer with a slow reader, before more is read
    ahead_bytes: int = 256 * 1024
