"""Orders found in a file, not yet checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orders.imports.csv_files import BadLine
from orders.imports.reasons import say


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """An order of a file, by the number of its first line (lines count from 1).

    `body` is JSON in the API's shape; `item_lines` are the lines of its items if each has its own.
    An order with a `fault` can't be placed. `left_out` are lines that take no stock, with the
    reason; `raw` are the original lines, if the caller wanted them kept.
    """

    line: int
    order_no: str
    body: bytes
    item_lines: Sequence[int] = ()
    fault: str = ""
    left_out: Sequence[tuple[int, str]] = ()
    raw: Sequence[tuple[int, str]] = ()


class OrderFileRefused(Exception):
    """The file can't be read; names the lines at fault."""

    def __init__(self, bad: list[BadLine]) -> None:
        super().__init__(f"{len(bad)} bad lines")
        self.bad = bad


def body_of(document: Mapping[str, Any]) -> bytes:
    """Return an order as JSON; the same order gives the same bytes."""
    return json.dumps(document).encode()


def other_site(named: Any, wanted: str) -> str:
    """Return why an order of the site `named` can't be placed at the site `wanted`, or ""."""
    is_other = named not in (None, "") and wanted and named != wanted
    return say("order_of_site", site=ascii(str(named)[:40])) if is_other else ""
