"""Sortable headings of a list: the sorts of each column, and the current one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """The two sorts of a column, by their values in the URL; the first one is the first click."""

    first: str
    second: str
    # Whether the first sort is ascending, as in `aria-sort`.
    is_ascending: bool = True

    def direction(self, sort: str) -> str:
        """Return the `aria-sort` of this column in a list sorted by `sort`; empty if by another."""
        if sort not in (self.first, self.second):
            return ""
        return "ascending" if (sort == self.first) == self.is_ascending else "descending"

    def next(self, sort: str) -> str:
        """Return the sort that a click selects."""
        return self.second if sort == self.first else self.first


@dataclass(frozen=True, slots=True)
class Heads:
    """The headings of one page: its columns, the words for each sort, and the current sort."""

    columns: Mapping[str, Column]
    words: Mapping[str, Any]
    sort: str
