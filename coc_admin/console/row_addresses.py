"""Addresses linked from the rows of a list."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.urls import reverse

_SAMPLE = 987_654_321_987_654_321


def address_maker(name: str) -> Callable[[int], str]:
    """Return a function from a key to the address of the page `name`.

    Resolving an address takes longer than showing a table cell; here it is done once for all rows.
    """
    before, after = reverse(name, args=[_SAMPLE]).split(str(_SAMPLE))
    return lambda key: f"{before}{key}{after}"


def filtered_maker(request: HttpRequest, name: str, parameter: str) -> Callable[[str], str]:
    """Return a function from a value of `parameter` to the address of a filtered list.

    The other filters in the address of `request` stay; the list restarts.
    """
    path, query = reverse(name), request.GET.copy()
    query.pop("cursor", None)

    def address(value: str) -> str:
        query[parameter] = value
        return f"{path}?{query.urlencode()}"

    return address
