"""What goes wrong when the broker of the queue is away.

The Redis client is a tenth of what a process loads, so only those whose queue is in Redis load it.
"""

from __future__ import annotations

import importlib
import sys

from django.conf import settings

if settings.COC_BROKER != "orm":
    # At the start, so that no order waits for it.
    importlib.import_module("redis")


def errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return the errors of a broker that can't be reached, and `others`, for an `except` clause.

    A client that isn't loaded has raised nothing.
    """
    client = sys.modules.get("redis.exceptions")
    return (*others, OSError) if client is None else (*others, OSError, client.RedisError)
