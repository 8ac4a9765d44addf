"""Tables for people, as files in the format they choose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

from django.db.models import TextChoices
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.tables.columns import (
    Column,
    Kind,
    currency_places,
    decimals_of,
    heading,
    moment_of,
    plain_value,
)
from orders.tables.guard import neutral
from orders.tables.plain import write_csv
from orders.tables.reader import Reader
from orders.tables.temporary import filled
from orders.tables.workbook import write_workbook


class Form(TextChoices):
    """The formats of a table."""

    XLSX = "xlsx", gettext_lazy("XLSX workbook")
    CSV_LOCAL = "csv-local", gettext_lazy("CSV for Excel")
    CSV = "csv", gettext_lazy("CSV for programs")


# File name extensions.
ENDINGS = {Form.XLSX: "xlsx", Form.CSV_LOCAL: "csv", Form.CSV: "csv"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with a value for each column; `title` names the sheet of a workbook."""

    title: str | Promise
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]


def table_file(form: str, table: Table, *, reader: Reader) -> IO[bytes]:
    """Return an open file in a Form, at its beginning, in constant memory.

    Raises ValueError for an unknown form.
    """
    chosen = Form(form)
    with filled() as file, translation.override(reader.language):
        if chosen == Form.XLSX:
            write_workbook(file, table.title, table.columns, table.rows, reader=reader)
        elif chosen == Form.CSV_LOCAL:
            heads = [heading(column, reader.zone) for column in table.columns]
            rows = _local_rows(table, reader)
            write_csv(file, heads, rows, separator=reader.separator)
        else:
            names = [column.name for column in table.columns]
            write_csv(file, names, _plain_rows(table))
    return file


def _plain_rows(table: Table) -> Iterator[list[Any]]:
    for row in table.rows:
        yield [neutral(plain_value(value)) for value in row]


def _local_rows(table: Table, reader: Reader) -> Iterator[list[Any]]:
    currencies = currency_places(table.columns)
    for row in table.rows:
        yield [
            _local(column, value, "" if place is None else str(row[place] or ""), reader)
            for column, value, place in zip(table.columns, row, currencies, strict=True)
        ]


def _local(column: Column, value: Any, currency: str, reader: Reader) -> Any:
    """Return a cell as a spreadsheet in the reader's language expects it."""
    if value is None or value == "":
        return ""
    if column.kind == Kind.MOMENT:
        moment = moment_of(value)
        return neutral(str(value)) if moment is None else reader.moment(moment)
    if column.kind == Kind.CHOICE:
        return neutral(str(column.choices.get(str(value), value)))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float | Decimal):
        decimals = decimals_of(currency) if column.kind == Kind.MONEY else 0
        return reader.number(value, decimals=decimals)
    return neutral(str(value))
