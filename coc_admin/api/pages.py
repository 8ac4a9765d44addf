"""Pages of the API's lists, and the known query parameters of a call."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from pydantic import BaseModel

from coc_admin.api.problems import InvalidRequest
from coc_admin.pager import BadCursor, Keyset, Page
from orders.errors import Problem

T = TypeVar("T", bound=Model)


class Paged(Protocol):
    """Filters of a list, and the requested page."""

    limit: Any
    cursor: Any


def page_of(keyset: Keyset, rows: QuerySet[T], filters: Paged) -> Page[T]:
    """Return the requested page of `rows`; one query. Raises InvalidRequest."""
    try:
        return keyset.page(rows, filters.cursor or "", size=filters.limit, strict=True)
    except BadCursor:
        problem = Problem("cursor", "is no cursor; use nextCursor of the page before")
        raise InvalidRequest([problem]) from None


def refuse_unknown(request: HttpRequest, filters: BaseModel | None = None) -> None:
    """Raise InvalidRequest for an unknown query parameter, or one that is given twice.

    A misspelt filter would otherwise return everything, and of two values one would be dropped.
    """
    known = set(type(filters).model_fields) if filters is not None else set()
    problems = [
        Problem(name[:60], "is given twice" if name in known else "is no parameter of this call")
        for name, values in sorted(request.GET.lists())
        if name not in known or len(values) > 1
    ]
    if problems:
        raise InvalidRequest(problems[:20])
