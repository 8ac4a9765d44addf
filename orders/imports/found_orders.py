"""Orders as they are found in a file, before anybody has checked them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orders.imports.csv_files import BadLine


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """An order of a file, by the line at which it begins (the first line is 1).

    `body` is JSON of the API's shape; `item_lines` are the lines of its items where each has one
    of its own. With a `fault` it is no order that could be placed. `left_out` are lines that take
    no stock, with the reason; `raw` are the lines as they came, if they were to be kept.
    """

    line: int
    order_no: str
    body: bytes
    item_lines: Sequence[int] = ()
    fault: str = ""
    left_out: Sequence[tuple[int, str]] = ()
    raw: Sequence[tuple[int, str]] = ()


class OrderFileRefused(Exception):
    """The file cannot be read; the lines at fault are named."""

    def __init__(self, bad: list[BadLine]) -> None:
        super().__init__(f"{len(bad)} bad lines")
        self.bad = bad


def body_of(document: Mapping[str, Any]) -> bytes:
    """Return an order as JSON; the same order gives the same bytes."""
    return json.dumps(document).encode()
