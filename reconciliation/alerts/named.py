"""Alerts that name their members, so that an acknowledged one does not hide others.

A count alone can't tell one failed report from another. With more members than `MOST`, and in data
of an earlier release, none is named, and the counts are compared.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciliation.alerts.rule import Data

MOST = 50


def names(members: Iterable[str], number: int) -> list[str]:
    """Return the member `named` of the data; empty if there are too many."""
    return sorted(members) if number <= MOST else []


def is_same(before: Data, after: Data, count: str) -> bool:
    """Return False if none of the members was named before; `count` is the member that counts."""
    known, named = _all(before, count), _all(after, count)
    return known is None or named is None or bool(known & named)


def has_grown(before: Data, after: Data, count: str) -> bool:
    """Whether there are members that were not named before."""
    known, named = _all(before, count), _all(after, count)
    if known is None or named is None:
        return bool(after[count] > before.get(count, 0))
    return not named <= known


def _all(data: Data, count: str) -> set[str] | None:
    """Return the names if the data have them all."""
    named = data.get("named") or ()
    return set(named) if named and len(named) == data.get(count) else None
