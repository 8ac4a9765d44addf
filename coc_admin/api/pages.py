"""Cursor pages: opaque to the caller, and checked like any other input."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from pydantic import BaseModel

from coc_admin.api.problems import InvalidRequest
from orders.errors import Problem

_LARGEST = 2**63 - 1


def cursor_of(*place: str | int) -> str:
    """Return the cursor of the row at `place`."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(cursor: str, *kinds: type) -> Sequence[Any]:
    """Return the place that `cursor` names, of the given kinds (int, date, datetime).

    Raises InvalidRequest.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(place, list) or len(place) != len(kinds):
            raise ValueError
        return [_read(value, kind) for value, kind in zip(place, kinds, strict=True)]
    except (ValueError, TypeError, RecursionError, binascii.Error):
        problem = Problem("cursor", "is no cursor; use nextCursor of the page before")
        raise InvalidRequest([problem]) from None


def _read(value: Any, kind: type) -> Any:
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or not 2000 <= moment.year <= 2200:
            raise ValueError
        return moment
    if kind is date:
        return date.fromisoformat(value)
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError
    return value


def refuse_unknown(request: HttpRequest, filters: BaseModel | None = None) -> None:
    """Raise InvalidRequest for a query parameter that nobody knows: a filter with a typing error
    would be answered with everything.
    """
    known = set(type(filters).model_fields) if filters is not None else set()
    unknown = sorted(set(request.GET) - known)
    if unknown:
        raise InvalidRequest(
            [Problem(name[:60], "is no parameter of this call") for name in unknown[:20]]
        )
