"""CSV order files with one line per item; each line names its order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import IO, TextIO
from zoneinfo import ZoneInfo

from orders.imports.csv_files import (
    MOST_FAULTS,
    BadLine,
    Table,
    cell_text,
    described,
    is_utf8,
    open_table,
    text_of,
)
from orders.imports.csv_profiles import (
    ONLINE_RETAIL,
    OWN,
    PLAIN,
    PROFILES,
    Profile,
    detected,
    full_name,
    items_column,
    whole,
)
from orders.imports.found_orders import FoundOrder, OrderFileRefused, other_site
from orders.imports.gathered_orders import MOST_BYTES_OPEN, Gathered, Reading, Row
from orders.imports.own_tables import own_table
from orders.imports.profile_rules import value
from orders.imports.reasons import say
from orders.texts import WHITE

# The fields of a CSV file; a column has the same name unless the caller says otherwise.
FIELDS = (
    "orderNo",
    "creationDate",
    "currency",
    "customerId",
    "customerName",
    "email",
    "sku",
    "productName",
    "quantity",
    "basePrice",
    "price",
    "inventoryId",
    "orderTotal",
)
MOST_ORDERS = 1_000_000
MOST_OPEN = MOST_BYTES_OPEN

_REQUIRED = ("orderNo", "sku", "quantity")
_LONGEST_ORDER_NO = 50
# Descriptive fields: bytes that are not UTF-8 refuse nothing here.
_DESCRIBES = ("customerId", "customerName", "email", "productName", "basePrice", "price")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How to read a CSV file, in addition to its heading.

    `profile` is one of PROFILES or PLAIN's name; the default is to detect it. `zone` applies to
    dates without one, `month_first` decides what 12/1/2010 means.
    """

    profile: str = ""
    zone: tzinfo | None = None
    month_first: bool | None = None
    keeps_raw: bool = False
    # Where a file names the site of an order, other sites' orders are refused.
    site_id: str = ""


def read_order_csv(
    file: IO[bytes],
    *,
    columns: Mapping[str, str],
    currency: str,
    options: CsvOptions | None = None,
) -> Iterator[FoundOrder]:
    """Yield the orders of a CSV file, each when its last line is read.

    The lines of an order may be apart, so the file is read twice. Raises OrderFileRefused with
    every bad line before the first order, since any of them could belong to any order.
    """
    options = options or CsvOptions()
    last_lines = _last_lines(file, columns, options)
    file.seek(0)
    waiting: dict[str, Gathered] = {}
    waiting_size = 0
    sheet = _Sheet(file, columns, options, bad=[])
    for row in sheet.rows():
        key = _key(row.values)
        reading = sheet.reading(currency)
        order = waiting.setdefault(key, Gathered(row.line, row.values["orderNo"], reading))
        waiting_size += order.add(row)
        if last_lines[key] == row.line:
            yield order.found()
            waiting_size -= order.size
            del waiting[key]
        elif waiting_size > MOST_OPEN:
            raise OrderFileRefused([BadLine(row.line, say("file_unsorted"))])


def profile_of(file: IO[bytes], *, columns: Mapping[str, str], options: CsvOptions) -> str:
    """Return the name of a CSV file's profile, "" for the fields' own names."""
    file.seek(0)
    text = text_of(file)
    try:
        table, _zone = _opened(text, [], options)
        profile = _profile(table.names if table else [], columns, options)
    finally:
        text.detach()
    return profile.name if profile.marks else ""


def _profile(names: list[str], columns: Mapping[str, str], options: CsvOptions) -> Profile:
    if options.profile:
        return PROFILES.get(options.profile, PLAIN).overlaid(columns)
    known = {name.casefold() for name in names}
    found = detected(names)
    is_plain = all(name.casefold() in known for name in _REQUIRED)
    if found is None or (is_plain and found is not OWN):
        return PLAIN.overlaid(columns)
    if columns:
        # People name the columns; the file still says which orders and lines don't count.
        return (PLAIN if found is ONLINE_RETAIL else found.without_columns()).overlaid(columns)
    return found


def _opened(text: TextIO, bad: list[BadLine], options: CsvOptions) -> tuple[Table | None, str]:
    """Return a file's table and the zone in its headings; our tables in their form for programs."""
    table = open_table(text, bad)
    if table is None or options.profile not in ("", OWN.name):
        return table, ""
    own = own_table(table.names)
    if own is None:
        return table, ""
    rows = ((line, own.cells(row)) for line, row in table.rows)
    return replace(table, names=own.names, rows=rows), own.zone


def _last_lines(file: IO[bytes], columns: Mapping[str, str], options: CsvOptions) -> dict[str, int]:
    """Return the last line of each order. Raises OrderFileRefused."""
    bad: list[BadLine] = []
    last_lines: dict[str, int] = {}
    for row in _Sheet(file, columns, options, bad=bad, only_numbers=True).rows():
        last_lines[_key(row.values)] = row.line
        if len(last_lines) > MOST_ORDERS:
            bad.append(BadLine(row.line, say("file_too_many_orders", number=MOST_ORDERS)))
            break
    if bad:
        raise OrderFileRefused(bad)
    return last_lines


def _key(row: Mapping[str, str]) -> str:
    # One character too many is enough to be refused.
    return row["orderNo"][: _LONGEST_ORDER_NO + 1]


class _Sheet:
    """A CSV file that is being read; notes the bad lines and goes on."""

    def __init__(
        self,
        file: IO[bytes],
        columns: Mapping[str, str],
        options: CsvOptions,
        *,
        bad: list[BadLine],
        only_numbers: bool = False,
    ) -> None:
        self._file = file
        self._columns = columns
        self._options = options
        self._bad = bad
        self._only_numbers = only_numbers
        self._profile = PLAIN
        self._has_commas = False
        self._zone = ""

    def rows(self) -> Iterator[Row]:
        """Yield the rows by field, with their line numbers."""
        text = text_of(self._file)
        try:
            table, self._zone = _opened(text, self._bad, self._options)
            if table is None:
                return
            self._profile = _profile(table.names, self._columns, self._options)
            self._has_commas = table.has_commas
            places = self._places(table)
            if places:
                yield from self._rows(table, places)
        finally:
            text.detach()

    def reading(self, currency: str) -> Reading:
        """Return how the values of the rows are read."""
        profile, options = self._profile, self._options
        local = options.zone if profile.has_local_dates else None
        named = self._zone or profile.zone
        return Reading(
            currency=profile.currency or currency,
            has_commas=self._has_commas,
            zone=ZoneInfo(named) if named else local,
            month_first=profile.month_first if options.month_first is None else options.month_first,
        )

    def _rows(self, table: Table, places: Mapping[str, int]) -> Iterator[Row]:
        by_name = {name.casefold(): place for place, name in reversed([*enumerate(table.names)])}
        whole_fields = self._profile.whole_fields
        for line, row in table.rows:
            if len(self._bad) >= MOST_FAULTS:
                return
            fault = _fault(row, places, wanted=len(table.names))
            if fault:
                self._bad.append(BadLine(line, fault))
            elif self._only_numbers:
                number = cell_text(row[places["orderNo"]])
                named = whole(number) if "orderNo" in whole_fields else number
                yield Row(line, {"orderNo": named}, raw="", fault="", left_out="")
            else:
                raw = described(table.separator.join(row)) if self._options.keeps_raw else ""
                yield self._row(line, row, places, by_name, raw)

    def _row(
        self,
        line: int,
        row: list[str],
        places: Mapping[str, int],
        by_name: Mapping[str, int],
        raw: str,
    ) -> Row:
        """Return a line by field, with what its profile says about it."""
        profile = self._profile

        def cell(name: str) -> str:
            place = by_name.get(name.casefold())
            return "" if place is None else cell_text(row[place])

        values = {name: cell_text(row[place]) for name, place in places.items()}
        if profile.name_parts and "customerName" not in values:
            values["customerName"] = full_name(profile, cell)
        for name in profile.whole_fields:
            values[name] = whole(values.get(name, ""))
        for name in _DESCRIBES:
            if values.get(name):
                values[name] = described(values[name])
        knows_parents = profile.parent_id.casefold() in by_name
        return Row(
            line=line,
            values=values,
            raw=raw,
            fault=profile.fault(cell) or self._site_fault(cell),
            left_out=profile.leaves_out(cell),
            made_of_others=profile.made_of_others(cell),
            may_repeat=profile.may_repeat(cell),
            line_id=value(cell, profile.line_id) if profile.line_id else "",
            parent_id=value(cell, profile.parent_id) if knows_parents else None,
        )

    def _site_fault(self, cell: Callable[[str], str]) -> str:
        return other_site(cell("siteId"), self._options.site_id)

    def _places(self, table: Table) -> dict[str, int]:
        """Return the place of each field; empty if the heading does not name them."""
        names = [name.casefold() for name in table.names]
        if "sku" not in self._columns and (column := items_column(names)):
            words = say("items_in_one_cell", column=ascii(column))
            self._bad.append(BadLine(table.line, words))
            return {}
        places = {}
        before = len(self._bad)
        for name in FIELDS:
            candidates = self._profile.columns.get(name, () if self._profile.marks else (name,))
            present = [one for one in candidates if one.casefold() in names]
            if present:
                column = present[0]
                if names.count(column.casefold()) > 1:
                    words = say("column_twice", column=ascii(column))
                    self._bad.append(BadLine(table.line, words))
                places[name] = names.index(column.casefold())
            elif name in self._columns or name in _REQUIRED:
                has = ", ".join(ascii(one[:40]) for one in table.names[:20])
                column = ascii(candidates[0] if candidates else name)
                words = say("column_missing", column=column, name=name, has=has)
                self._bad.append(BadLine(table.line, words))
        return places if len(self._bad) == before else {}


def _fault(row: list[str], places: Mapping[str, int], *, wanted: int) -> str:
    if len(row) != wanted:
        return say("line_values", found=len(row), wanted=wanted)
    if not all(is_utf8(row[place]) for name, place in places.items() if name not in _DESCRIBES):
        return say("line_no_utf8")
    if not row[places["orderNo"]].strip(WHITE):
        return say("line_no_order_number")
    return ""
