"""Orders as they are found in a file, before anybody has checked them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orders.fields import json_number
from orders.imports.stock_csv import BadLine

_NUMBER = re.compile(r"\A-?[0-9]{1,12}(\.[0-9]{1,6})?\Z")


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """An order of a file, by the line at which it begins (the first line is 1).

    `body` is JSON of the API's shape; `item_lines` are the lines of its items where each has one
    of its own. With a `fault` it is no order that could be placed.
    """

    line: int
    order_no: str
    body: bytes
    item_lines: Sequence[int] = ()
    fault: str = ""


class OrderFileRefused(Exception):
    """The file cannot be read; the lines at fault are named."""

    def __init__(self, bad: list[BadLine]) -> None:
        super().__init__(f"{len(bad)} bad lines")
        self.bad = bad


def number_in(text: str) -> Decimal | None:
    """Return the number that `text` is, written plainly, or None for any other text."""
    text = text.strip()
    return Decimal(text) if _NUMBER.match(text) else None


def member(text: str) -> int | float | str:
    """Return a number as JSON has it; any other text stays, for the check of orders to refuse."""
    number = number_in(text)
    return text if number is None else json_number(number)


def body_of(document: Mapping[str, Any]) -> bytes:
    """Return an order as JSON; the same order gives the same bytes."""
    return json.dumps(document).encode()
