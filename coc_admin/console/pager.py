"""Lists by primary key, a page at a time: the URL names the key before which a page begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

T = TypeVar("T", bound=Model)


@dataclass(frozen=True, slots=True)
class KeyPage(Generic[T]):
    """Rows of a list, the key before which the next ones begin, and whether these are first."""

    rows: list[T]
    next_key: int | None
    is_first: bool


def key_of(request: HttpRequest, name: str) -> int | None:
    """Return the key that a parameter of the URL names; None for what is no key."""
    text = request.GET.get(name, "")
    is_key = text.isascii() and text.isdigit() and len(text) < 19
    return int(text) if is_key else None


def newest_first(
    rows: QuerySet[T], request: HttpRequest, *, size: int, name: str = "before"
) -> KeyPage[T]:
    """Return the page of `rows` that the URL asks for, the latest key first; one query."""
    before = key_of(request, name)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    more, found = len(found) > size, found[:size]
    return KeyPage(found, found[-1].pk if more else None, before is None)
