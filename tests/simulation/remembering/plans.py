"""What is known of a query that was built once: its statement, and what is made of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.backends.sqlite3.base import FORMAT_QMARK_REGEX
from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.query import (
    FlatValuesListIterable,
    ModelIterable,
    ValuesIterable,
    ValuesListIterable,
    get_related_populators,
)
from django.db.models.signals import post_init, pre_init
from django.db.models.sql.compiler import SQLCompiler

ITERABLES = (ModelIterable, ValuesIterable, ValuesListIterable, FlatValuesListIterable)

# The connection itself, of which `connection` is a proxy that looks for it at each use.
database: list[Any] = []


@dataclass(slots=True)
class Plan:
    """How a shape is asked for, and what is made of the rows."""

    statement: str
    # The same with the marks of SQLite.
    qmark: str
    # Where each parameter comes from: the number of a leaf and what is done with it, or a constant.
    recipe: list[tuple[int, Any]]
    converters: list[tuple[int, Callable[[Any], Any]]]
    names: list[str]
    model: Any = None
    whole: bool = False
    attributes: tuple[str, ...] | list[str] = ()
    begin: int = 0
    end: int = 0
    populators: list[Any] | tuple[()] = ()
    annotations: list[tuple[str, int]] | tuple[()] = ()

    def parameters(self, leaves: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            [how if n < 0 else how(leaves[n]) if how else leaves[n] for n, how in self.recipe]
        )

    def converted(self, rows: list[Any]) -> list[Any]:
        if not self.converters:
            return rows
        converted = []
        for found in rows:
            row = list(found)
            for position, convert in self.converters:
                row[position] = convert(row[position])
            converted.append(row)
        return converted


# Converted values that cannot be changed are kept.
_FIXED = (datetime, date, Decimal, UUID, bool)
_MOST_KEPT = 4000


def _converting(converters: list[Any], expression: Any) -> Callable[[Any], Any]:
    kept: dict[Any, Any] = {}

    def convert(value: Any) -> Any:
        if value in kept:
            return kept[value]
        converted = value
        for converter in converters:
            converted = converter(converted, expression, connection)
        if type(converted) in _FIXED:
            if len(kept) >= _MOST_KEPT:
                kept.clear()
            kept[value] = converted
        return converted

    return convert


def _converters(compiler: Any, columns: Any) -> list[tuple[int, Callable[[Any], Any]]]:
    return [
        (position, _converting(*how)) for position, how in compiler.get_converters(columns).items()
    ]


class Compiled(Exception):
    """Carries what was compiled, instead of asking the database."""

    def __init__(self, compiler: Any, statement: str, params: tuple[Any, ...]) -> None:
        self.compiler, self.statement, self.params = compiler, statement, params


class Watch:
    """Looks on while Django executes: `told` is the first statement; `stop` keeps it from it."""

    def __init__(self, *, stop: bool) -> None:
        self.stop = stop
        self.told: Compiled | None = None


watching: list[Watch] = []
execute_sql = SQLCompiler.execute_sql


def watched_execute_sql(self: Any, *args: Any, **kwargs: Any) -> Any:
    if not watching:
        return execute_sql(self, *args, **kwargs)
    watch = watching.pop()
    try:
        statement, params = self.as_sql()
    except EmptyResultSet:
        statement, params = "", ()
    watch.told = Compiled(self, statement, tuple(params))
    if watch.stop:
        raise watch.told
    if statement:
        self.as_sql = lambda: (statement, params)
    return execute_sql(self, *args, **kwargs)


def with_rows(self: Any, name: str, true: Compiled, recipe: Any) -> Plan | None:
    compiler = true.compiler
    qmark = FORMAT_QMARK_REGEX.sub("?", true.statement).replace("%%", "%")
    plan = Plan(true.statement, qmark, recipe, [], [])
    if name in ("update", "exists"):
        return plan
    if not true.statement and name not in ("fetch", "get", "first"):
        return None
    if name in ("aggregate", "count"):
        selected = compiler.query.annotation_select
        plan.names = list(selected)
        plan.converters = _converters(compiler, selected.values())
        return plan
    if not true.statement:
        return plan
    if compiler.has_extra_select:
        return None
    columns = [column[0] for column in compiler.select[: compiler.col_count]]
    plan.converters = _converters(compiler, columns)
    if self._iterable_class is not ModelIterable:
        query = compiler.query
        plan.names = list(
            query.selected or [*query.extra_select, *query.values_select, *query.annotation_select]
        )
        return plan
    info, select = compiler.klass_info, compiler.select
    plan.model = info["model"]
    plan.begin, plan.end = info["select_fields"][0], info["select_fields"][-1] + 1
    plan.attributes = [column[0].target.attname for column in select[plan.begin : plan.end]]
    plan.whole = (
        plan.model.__init__ is Model.__init__
        and plan.model.from_db.__func__ is Model.from_db.__func__  # type: ignore[attr-defined]
        and len(plan.attributes) == len(plan.model._meta.concrete_fields)
        and not pre_init.has_listeners(plan.model)
        and not post_init.has_listeners(plan.model)
    )
    plan.populators = get_related_populators(info, select, "default")
    plan.annotations = list((compiler.annotation_col_map or {}).items())
    return plan


def execute(plan: Plan, params: tuple[Any, ...]) -> Any:
    """Do what a cursor of Django's does: the wrappers see the statement, errors are translated."""
    (used,) = database
    used.validate_no_broken_transaction()
    cursor = used.connection.cursor()

    def execute(_: str, params: Any, *ignored: Any) -> Any:
        with used.wrap_database_errors:
            return cursor.execute(plan.qmark, params)

    executor: Callable[..., Any] = execute
    for wrapper in reversed(used.execute_wrappers):
        executor = partial(wrapper, executor)
    executor(plan.statement, params, False, {})
    return cursor


def results_of(self: Any, plan: Plan, params: tuple[Any, ...]) -> list[Any]:
    if not plan.statement:
        return []
    rows = plan.converted(execute(plan, params).fetchall())
    kind = self._iterable_class
    if kind is ValuesListIterable:
        return [tuple(row) for row in rows]
    if kind is FlatValuesListIterable:
        return [row[0] for row in rows]
    if kind is ValuesIterable:
        return [dict(zip(plan.names, row, strict=True)) for row in rows]
    return [_instance(self, plan, row) for row in rows]


def _instance(self: Any, plan: Plan, row: Any) -> Any:
    values = row[plan.begin : plan.end]
    if plan.whole:
        # What `from_db` comes to where nobody listens to signals and no field is deferred.
        made = plan.model.__new__(plan.model)
        made._state = state = ModelState()
        state.db, state.adding = "default", False
        made.__dict__.update(zip(plan.attributes, values, strict=True))
    else:
        made = plan.model.from_db("default", plan.attributes, values)
    for populator in plan.populators:
        populator.populate(row, made)
    for name, position in plan.annotations:
        setattr(made, name, row[position])
    for field, related in self._known_related_objects.items():
        if not field.is_cached(made):
            known = related.get(getattr(made, field.attname))
            if known is not None:
                setattr(made, field.name, known)
    return made
