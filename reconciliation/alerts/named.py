"""Alerts that name their members, so that an acknowledged one does not hide others.

A count alone can't tell one failed report from another. With more members than `MOST`, and in data
of an earlier release, none is named, and the counts are compared.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciliation.alerts.rule import Data, Rule

MOST = 50


def names(members: Iterable[str], number: int) -> list[str]:
    """Return the member `named` of the data; empty if there are too many."""
    return sorted(members) if number <= MOST else []


class NamingRule(Rule):
    """A rule whose data name its members; `counted` is the member of the data that counts them."""

    counted = "orders"

    def is_same(self, before: Data, after: Data) -> bool:
        """Return False if none of the members was named before."""
        known, named = _all(before, self.counted), _all(after, self.counted)
        return known is None or named is None or bool(known & named)

    def has_grown(self, before: Data, after: Data) -> bool:
        """Call people again when there are members that were not named before."""
        known, named = _all(before, self.counted), _all(after, self.counted)
        if known is None or named is None:
            return bool(after[self.counted] > before.get(self.counted, 0))
        return not named <= known


def _all(data: Data, count: str) -> set[str] | None:
    """Return the names if the data have them all."""
    named = data.get("named") or ()
    return set(named) if named and len(named) == data.get(count) else None
