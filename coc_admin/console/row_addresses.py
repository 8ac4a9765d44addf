"""Addresses of the pages that the rows of a list lead to."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.urls import reverse

_SAMPLE = 987_654_321_987_654_321


def address_maker(name: str) -> Callable[[int], str]:
    """Return what gives the address of the page `name` by a key.

    Looking an address up takes longer than showing a cell of a table; here it is done once for all
    rows.
    """
    before, after = reverse(name, args=[_SAMPLE]).split(str(_SAMPLE))
    return lambda key: f"{before}{key}{after}"


def filtered_maker(request: HttpRequest, name: str, parameter: str) -> Callable[[str], str]:
    """Return what gives the address of a list by the value of `parameter`.

    The other filters stay as they are in the address of `request`; the list restarts.
    """
    path, query = reverse(name), request.GET.copy()
    query.pop("cursor", None)

    def address(value: str) -> str:
        query[parameter] = value
        return f"{path}?{query.urlencode()}"

    return address
