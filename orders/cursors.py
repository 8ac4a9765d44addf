"""Cursors for the few statements that are written by hand because every order needs them."""

from __future__ import annotations

from typing import Any

from django.db import connection


def prepared_cursor() -> Any:
    """Return a cursor whose statements the server prepares once per connection, where it can.

    SQLite prepares every statement anyway; behind a pooler that pools by transaction nothing can be
    prepared. Use it with `with`, and with statements whose text never changes.
    """
    make = getattr(connection, "prepared_cursor", connection.cursor)
    return make()
