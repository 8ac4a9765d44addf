"""Statements that a loop repeats: built from querysets once, then executed with other values.

Django needs as long to build a statement as a database to answer it. What stays the same is written
as a queryset, so that each rule stands once; what differs each time is a `Given`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import DateTimeField, Expression, Field, Model, QuerySet
from django.db.models.sql import UpdateQuery

_NEVER = "1 = 0"


class Given(Expression):
    """A value that is given each time, by name: a moment, unless `output_field` says otherwise.

    The value is the moment of that name less `less`, or what that function returns by then.
    """

    def __init__(
        self,
        name: str,
        output_field: Field[Any, Any] | None = None,
        *,
        less: timedelta | Callable[[], timedelta] | None = None,
    ) -> None:
        super().__init__(output_field=output_field or DateTimeField())
        self.name = name
        self.less = less

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return a placeholder."""
        return "%s", [_Slot(self.name, self.output_field, self.less)]


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str
    output: Field[Any, Any]
    less: timedelta | Callable[[], timedelta] | None

    def value(self, given: Mapping[str, Any]) -> Any:
        """Return the value as the driver takes it."""
        value = given[self.name]
        if self.less is not None:
            value -= self.less if isinstance(self.less, timedelta) else self.less()
        return self.output.get_db_prep_value(value, connection, prepared=False)


@dataclass(frozen=True, slots=True)
class _Built:
    """A statement, its parameters (a `_Slot` stands for one that is given later), and columns."""

    sql: str
    params: list[Any]
    # By column, functions that make the driver's value ours, and the expression.
    converters: Mapping[int, tuple[list[Any], Any]] = field(default_factory=dict)

    def execute(self, given: Mapping[str, Any]) -> Any:
        """Return the cursor that has executed it; it closes at the end of a `with`."""
        params = [p.value(given) if isinstance(p, _Slot) else p for p in self.params]
        cursor = connection.cursor()
        try:
            cursor.execute(self.sql, params)
        except BaseException:
            cursor.close()
            raise
        return cursor

    def read(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a row with values as models have them."""
        if not self.converters:
            return row
        values = list(row)
        for place, (convert, expression) in self.converters.items():
            for one in convert:
                values[place] = one(values[place], expression, connection)
        return tuple(values)


class Look:
    """Answers many small questions in one statement.

    `questions` returns querysets by name. The answer to one is whether it has rows; to one of
    `values_list` of a single column, the value of its first row, or None.
    """

    def __init__(self, questions: Callable[[], Mapping[str, QuerySet[Any, Any]]]) -> None:
        self._questions = questions
        self._names: list[str] = []
        self._built: _Built | None = None

    def __call__(self, **given: Any) -> dict[str, Any]:
        """Ask; one statement."""
        built = self._built = self._built or self._build()
        with built.execute(given) as cursor:
            return dict(zip(self._names, built.read(cursor.fetchone()), strict=True))

    def _build(self) -> _Built:
        questions = self._questions()
        parts = [_part(queryset) for queryset in questions.values()]
        self._names = list(questions)
        return _Built(
            f"SELECT {', '.join(part.sql for part in parts)}",
            [value for part in parts for value in part.params],
            {place: part.converters[0] for place, part in enumerate(parts) if part.converters},
        )


class Rows:
    """Reads the rows of a queryset of `values_list`."""

    def __init__(self, queryset: Callable[[], QuerySet[Any, Any]]) -> None:
        self._queryset = queryset
        self._built: _Built | None = None

    def __call__(self, **given: Any) -> list[tuple[Any, ...]]:
        """Return the rows; one statement."""
        built = self._built = self._built or _select(self._queryset())
        with built.execute(given) as cursor:
            return [built.read(row) for row in cursor.fetchall()]


class Change:
    """Updates the rows of a queryset. `rows` returns it, and the values by column."""

    def __init__(self, rows: Callable[[], tuple[QuerySet[Any, Any], Mapping[str, Any]]]) -> None:
        self._rows = rows
        self._built: _Built | None = None

    def __call__(self, **given: Any) -> int:
        """Update; return how many rows were found."""
        built = self._built = self._built or self._build()
        with (
            transaction.mark_for_rollback_on_error(using=connection.alias),
            built.execute(given) as cursor,
        ):
            return int(cursor.rowcount)

    def _build(self) -> _Built:
        queryset, values = self._rows()
        query = queryset.query.chain(UpdateQuery)
        query.add_update_values(values)  # type: ignore[attr-defined]
        sql, params = query.get_compiler(connection=connection).as_sql()
        return _Built(sql, list(params))


def _part(queryset: QuerySet[Any, Any]) -> _Built:
    if queryset.query.values_select:
        built = _select(queryset[:1])
        return _Built(f"({built.sql})", built.params, built.converters)
    try:
        query = queryset.query.exists()
        sql, params = query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        return _Built(_NEVER, [])
    return _Built(f"EXISTS ({sql})", list(params))


def _select(queryset: QuerySet[Model, Any]) -> _Built:
    compiler: Any = queryset.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    converters = compiler.get_converters([column[0] for column in compiler.select])
    return _Built(sql, list(params), converters)
