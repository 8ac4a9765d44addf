"""CSV files from programs and spreadsheets: separator, heading and numbered rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TextIO

from orders.imports.reasons import in_words, say
from orders.texts import WHITE

LONGEST_LINE = 100_000
MOST_FAULTS = 1_000

_SEPARATORS = (",", ";", "\t", "|")
_EMPTY = WHITE + ',;|"'
# People and programs write it in capitals, in quotes, or followed by empty cells.
_SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?[,;\t|]*[\r\n]*\Z', re.IGNORECASE)
_BOM = "\ufeff"
_NOTHING = WHITE + "\x1a"  # DOS programs end a file with the last of these
# Programs write a formula to keep leading zeros: it stops a spreadsheet reading a number.
_TEXT_FORMULA = re.compile(r'\A="([^"]*)"\Z')
_BYTES = re.compile("[\udc80-\udcff]+")
_NO_UTF8 = re.compile(r"[\ud800-\udfff]")

NumberedRow = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the file that can't be imported, by its number (the first line is 1).

    The message is English; `lines_in_words` returns it in the reader's language.
    """

    number: int
    message: str


def lines_in_words(bad: Iterable[BadLine]) -> list[BadLine]:
    """Return lines with their messages in the reader's language."""
    return [BadLine(one.number, in_words(one.message)) for one in bad]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a CSV file; `names` are the columns of its heading."""

    line: int
    names: list[str]
    separator: str
    rows: Iterator[NumberedRow]

    @property
    def has_commas(self) -> bool:
        """Whether its numbers may have a decimal comma."""
        return self.separator != ","


def text_of(file: IO[bytes]) -> io.TextIOWrapper:
    """Return the file as UTF-8 text; detach it, or it closes the file.

    Bytes that are not UTF-8 become characters that no SKU or name may contain, so the line at fault
    is named.
    """
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def cell_text(cell: str) -> str:
    """Return the value of a cell, stripped of white space; ="0012" becomes 0012."""
    text = cell.strip(WHITE)
    found = _TEXT_FORMULA.match(text)
    return found[1].strip(WHITE) if found else text


def is_utf8(text: str) -> bool:
    """Whether text read by `text_of` is valid UTF-8."""
    return not _NO_UTF8.search(text)


def described(text: str) -> str:
    """Return a descriptive text; bytes that are not UTF-8 are read as Windows-1252."""

    def readable(found: re.Match[str]) -> str:
        return found[0].encode("utf-8", "surrogateescape").decode("cp1252", "replace")

    return _BYTES.sub(readable, text)


def open_table(text: TextIO, bad: list[BadLine]) -> Table | None:
    """Return the table of a CSV file, or None without a heading; notes lines that are not CSV.

    A first line `sep=;` and empty rows are skipped. Empty cells beyond the heading are dropped,
    because spreadsheets also write their unused columns.
    """
    start = 0
    separator = ""
    try:
        first = next(_lines(text), "").lstrip(_BOM)
        if found := _SEPARATOR_LINE.match(first):
            start, separator, first = 1, found[1], next(_lines(text), "")
        while first and not separator and not first.strip(_EMPTY):
            start, first = start + 1, next(_lines(text), "")
        separator = separator or _separator_of(first)
    except _LineTooLong:
        bad.append(_too_long(start + 1))
        return None
    rows = _numbered_rows(text, first, bad, start=start, separator=separator)
    for line, row in rows:
        names = _without_end([name.strip() for name in row])
        if names:
            return Table(line, names, separator, _below(names, rows, bad))
    return None


def _below(
    names: list[str], rows: Iterator[NumberedRow], bad: list[BadLine]
) -> Iterator[NumberedRow]:
    """Yield the rows below a heading; notes where the heading stands again."""
    for line, row in _full(rows):
        if row[0].strip(_NOTHING + _BOM) == names[0] and _is_heading(row, names):
            bad.append(BadLine(line, say("heading_again")))
        else:
            yield line, _cut(row, len(names))


def _is_heading(row: list[str], names: list[str]) -> bool:
    return _without_end([cell.strip(_NOTHING + _BOM) for cell in row]) == names


def _separator_of(line: str) -> str:
    """Return the separator that splits a heading into the most columns."""
    counts = {}
    for separator in _SEPARATORS:
        try:
            counts[separator] = len(next(csv.reader([line], delimiter=separator), []))
        except csv.Error:
            counts[separator] = 0
    return max(_SEPARATORS, key=lambda separator: counts[separator])


def _full(rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
    return ((line, row) for line, row in rows if any(cell.strip(_NOTHING).strip() for cell in row))


def _cut(row: list[str], width: int) -> list[str]:
    return row if len(row) <= width or any(cell.strip() for cell in row[width:]) else row[:width]


def _without_end(names: list[str]) -> list[str]:
    """Return `names` without empty ones at the end."""
    while names and not names[-1]:
        names = names[:-1]
    return names


class _LineTooLong(Exception):
    """A line is longer than LONGEST_LINE; the rest can't be separated from it."""


def _too_long(line: int) -> BadLine:
    return BadLine(line, say("line_too_long", number=LONGEST_LINE))


def _lines(text: TextIO) -> Iterator[str]:
    """Yield the lines of a file; raises _LineTooLong beyond LONGEST_LINE."""
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise _LineTooLong
        yield line


def _from(first: str, text: TextIO) -> Iterator[str]:
    if first:
        yield first
    yield from _lines(text)


def _numbered_rows(
    text: TextIO, first: str, bad: list[BadLine], *, start: int, separator: str
) -> Iterator[NumberedRow]:
    """Yield each row with its first line's number; notes lines that are not CSV and continues."""
    reader = csv.reader(_from(first, text), delimiter=separator, strict=True)
    number = start
    while len(bad) < MOST_FAULTS:
        line = number + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except _LineTooLong:
            bad.append(_too_long(line))
            return
        except csv.Error as error:
            bad.append(BadLine(line, say("line_no_csv", fault=str(error))))
            row = []
        number = start + reader.line_num
        yield line, row
