"""What many tests begin with, made once for each process and put back as rows.

The product's own functions make it, a hundred statements; its rows are inserted again in twenty.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.apps import apps
from django.db import connection, transaction

from orders.models import CaptureTrace, OrderText, ProductText

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows by table: the columns, and the values of each row."""

    tables: dict[str, tuple[list[str], list[tuple[Any, ...]]]]

    @classmethod
    def read(cls, tables: Iterable[str] = ()) -> Rows:
        """Return the rows that are in these tables, or in all of the product's."""
        chosen = tables or _tables()
        return cls({table: rows for table in chosen if (rows := _rows_of(table))[1]})

    def insert(self) -> None:
        """Insert the rows, which must not be there, under their ids."""
        # Tables come in any order: foreign keys are checked when the transaction ends.
        with transaction.atomic(), connection.cursor() as cursor:
            for table, (columns, rows) in self.tables.items():
                _insert(cursor, table, columns, rows)


@dataclass(slots=True)
class Kept(Generic[T]):
    """The rows that `make` leaves in an empty database, and what it returns."""

    make: Callable[[], T]
    rows: Rows | None = None
    made: T | None = None

    def keep(self) -> None:
        """Make it, keep its rows, and leave the database as it was.

        Nothing is kept where there are rows already, as there may be with `--reuse-db`.
        """
        if not _is_empty():
            return
        with transaction.atomic():
            self.made = self.make()
            self.rows = Rows.read()
            transaction.set_rollback(True)

    def __call__(self) -> T:
        """Put the rows back, or make it where there is anything else."""
        if self.rows is None or not _is_empty():
            return self.make()
        self.rows.insert()
        assert self.made is not None
        return copy.deepcopy(self.made)


def _tables() -> list[str]:
    return tables_of("orders", "reconciliation", "coc_admin")


def tables_of(*labels: str) -> list[str]:
    """Return the tables of some apps."""
    return [
        model._meta.db_table
        for label in labels
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
        # The database writes these itself when it gets the orders.
        if model not in (CaptureTrace, OrderText, ProductText)
    ]


def _is_empty() -> bool:
    quote = connection.ops.quote_name
    tables = " UNION ALL ".join(f"SELECT 1 FROM {quote(table)}" for table in _tables())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({tables})")
        return not cursor.fetchone()[0]


def _rows_of(table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
        return [column[0] for column in cursor.description], cursor.fetchall()


def _insert(cursor: Any, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    quote = connection.ops.quote_name
    one = f"({', '.join(['%s'] * len(columns))})"
    cursor.execute(
        f"INSERT INTO {quote(table)} ({', '.join(quote(name) for name in columns)})"
        f" VALUES {', '.join([one] * len(rows))}",
        [value for row in rows for value in row],
    )
