"""Order files of any kind: detect the kind and read the orders in the API's shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import IO

from orders.imports.csv_files import BadLine
from orders.imports.found_orders import FoundOrder, OrderFileRefused
from orders.imports.order_csv import CsvOptions, read_order_csv
from orders.imports.order_json_lines import read_order_lines
from orders.imports.order_xml import read_order_xml
from orders.imports.reasons import say
from orders.imports.stock_files import PEEK, first_mark, other_kind


class FileKind(StrEnum):
    """The kinds of order files."""

    CSV = "csv"
    LINES = "jsonl"
    XML = "xml"


_BY_MARK = {b"<": FileKind.XML, b"{": FileKind.LINES, b"[": FileKind.LINES}
_BY_SUFFIX = {
    ".xml": FileKind.XML,
    ".jsonl": FileKind.LINES,
    ".ndjson": FileKind.LINES,
    ".json": FileKind.LINES,
}


def kind_of(file: IO[bytes], *, name: str) -> FileKind:
    """Return a file's kind from its beginning, or else from its name.

    Raises OrderFileRefused for any other file.
    """
    start = file.read(PEEK)
    file.seek(0)
    other = other_kind(start)
    if other:
        raise OrderFileRefused([BadLine(1, other)])
    by_mark = _BY_MARK.get(first_mark(start))
    return by_mark or _BY_SUFFIX.get(Path(name.lower().removesuffix(".gz")).suffix, FileKind.CSV)


def read_orders(
    file: IO[bytes],
    *,
    kind: FileKind,
    columns: Mapping[str, str],
    currency: str,
    options: CsvOptions | None = None,
) -> Iterator[FoundOrder]:
    """Yield the orders of a seekable file, in its order and unchecked.

    `columns` names the columns of a CSV file (see order_csv.FIELDS), `currency` is the default of a
    CSV file without one, `options` are other facts about it, and the site. Memory use is bounded,
    whatever the file contains. Raises OrderFileRefused if the rest of the file can't be read, or
    the file has no order.
    """
    file.seek(0)
    if kind == FileKind.XML:
        found = read_order_xml(file)
    elif kind == FileKind.LINES:
        found = read_order_lines(file, site_id=options.site_id if options else "")
    else:
        found = read_order_csv(file, columns=columns, currency=currency, options=options)
    empty = True
    for order in found:
        empty = False
        yield order
    if empty:
        raise OrderFileRefused([BadLine(1, say("file_no_order"))])
