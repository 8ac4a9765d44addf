"""Files of what an import refused: line, order number, reason and the line as it came."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from orders.imports.csv_files import BadLine
from orders.imports.found_orders import FoundOrder
from orders.tables import neutral

COLUMNS = ("line", "orderNo", "reason", "raw")


class RejectFile:
    """Collects refused orders as they come; without a file it drops them."""

    def __init__(self, file: TextIO | None) -> None:
        self._writer = None if file is None else csv.writer(file)
        self._write(COLUMNS)

    def _write(self, row: Sequence[object]) -> None:
        if self._writer is not None:
            self._writer.writerow([neutral(cell) for cell in row])

    def order(self, found: FoundOrder, reason: str) -> None:
        """Write an order that was refused: each of its lines, or its text in one."""
        raw = found.raw or [(found.line, found.body.decode("utf-8", "replace"))]
        for line, text in raw:
            self._write((line, found.order_no, reason, text))

    def left_out(self, found: FoundOrder) -> None:
        """Write the lines of an order that take no stock."""
        texts = dict(found.raw)
        for line, reason in found.left_out:
            self._write((line, found.order_no, f"left out: {reason}", texts.get(line, "")))

    def lines(self, bad: Sequence[BadLine]) -> None:
        """Write the fault of the whole file."""
        for one in bad:
            self._write((one.number, "", one.message, ""))


@contextmanager
def reject_file(path: Path | None) -> Iterator[RejectFile]:
    """Yield a reject file; without a path one that keeps nothing. Raises OSError."""
    if path is None:
        yield RejectFile(None)
        return
    # Spreadsheets need the mark to see that it is UTF-8.
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        yield RejectFile(file)
