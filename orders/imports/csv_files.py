"""CSV files as programs and spreadsheets write them: their separator, heading and rows by line."""

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
# As people and programs write it: in capitals, in quotes, or with the empty cells after it.
_SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?[,;\t|]*[\r\n]*\Z', re.IGNORECASE)
_BOM = "\ufeff"
_NOTHING = WHITE + "\x1a"  # the last is what DOS programs write at the end of a file
# A formula that keeps a text from being read as a number, which is how programs save zeros.
_TEXT_FORMULA = re.compile(r'\A="([^"]*)"\Z')
_BYTES = re.compile("[\udc80-\udcff]+")
_NO_UTF8 = re.compile(r"[\ud800-\udfff]")

NumberedRow = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the file that cannot be taken, by its number (the first line is 1).

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
        """Whether a number in it may have a decimal comma."""
        return self.separator != ","


def text_of(file: IO[bytes]) -> io.TextIOWrapper:
    """Return the text of a file in UTF-8; detach it, or the file is closed with it.

    Bytes that are no UTF-8 come through as what no SKU and no name may hold: the line is named.
    """
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def cell_text(cell: str) -> str:
    """Return the value of a cell: without white space at its ends, and for ="0012" its text."""
    text = cell.strip(WHITE)
    found = _TEXT_FORMULA.match(text)
    return found[1].strip(WHITE) if found else text


def is_utf8(text: str) -> bool:
    """Whether a text of `text_of` was UTF-8 in its file."""
    return not _NO_UTF8.search(text)


def described(text: str) -> str:
    """Return a text that only describes, its bytes that are no UTF-8 read as Windows-1252."""

    def readable(found: re.Match[str]) -> str:
        return found[0].encode("utf-8", "surrogateescape").decode("cp1252", "replace")

    return _BYTES.sub(readable, text)


def open_table(text: TextIO, bad: list[BadLine]) -> Table | None:
    """Return the table of a CSV file, or None without a heading; notes lines that are not CSV.

    A first line `sep=;` and empty rows are skipped. Cells beyond the heading are dropped
    while they are empty: a spreadsheet writes its unused columns, too.
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
            width = len(names)
            return Table(line, names, separator, ((n, _cut(row, width)) for n, row in _full(rows)))
    return None


def _separator_of(line: str) -> str:
    """Return which separator makes the most columns of a heading."""
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
    """Return `names` without the empty ones at their end."""
    while names and not names[-1]:
        names = names[:-1]
    return names


class _LineTooLong(Exception):
    """A line is longer than LONGEST_LINE; the rest can't be separated from it."""


def _too_long(line: int) -> BadLine:
    return BadLine(line, say("line_too_long", number=LONGEST_LINE))


def _lines(text: TextIO) -> Iterator[str]:
    """Yield the lines, never more than LONGEST_LINE of one; raises _LineTooLong."""
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
    """Yield rows with the number of their first line; notes what is no CSV and goes on."""
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
