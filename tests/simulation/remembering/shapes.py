"""The shape of what a query is asked with: all but the values, and the values beside it.

Two calls of `filter` have one shape if the same SQL comes of them, with other parameters. What is
not known well enough to be sure raises Unknown.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, Field, Model, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.expressions import BaseExpression


class Unknown(Exception):
    """No shape can be told for this."""


# Stands for a value of its type; no number is like it, and none is used twice.
_SENTINELS: dict[type, Callable[[int, Any], Any]] = {
    int: lambda n, value: 7_000_000_000 + n,
    str: lambda n, value: f"zq{n}qz",
    float: lambda n, value: 7e9 + n + 0.5,
    Decimal: lambda n, value: Decimal(700_000 + n),
    UUID: lambda n, value: UUID(int=(7 << 100) + n),
    datetime: lambda n, value: datetime(2311, 1, 1, tzinfo=UTC) + timedelta(seconds=n),
    date: lambda n, value: date(2311, 1, 1) + timedelta(days=n),
    timedelta: lambda n, value: timedelta(days=30_000 + n),
    dict: lambda n, value: {f"zq{n}qz": n},
    list: lambda n, value: [{f"zq{n}qz": n}],
}

# For an integer of SQLite.
_TOO_LARGE = 2**63


def sentinels(leaves: tuple[Any, ...]) -> list[Any]:
    """Return a value like no other for each of `leaves`, of the same type."""
    return [_SENTINELS[type(leaf)](n, leaf) for n, leaf in enumerate(leaves)]


def _is_leaf(value: Any) -> bool:
    """Lists are many values, but for those of JSON."""
    kind = type(value)
    if kind is list:
        return bool(value) and type(value[0]) is dict
    return kind in _SENTINELS


def shape_of(value: Any, leaves: list[Any]) -> Any:
    """Return the shape of a value to compare with or to set; adds its leaves; raises Unknown."""
    kind = type(value)
    if (kind is int and abs(value) >= _TOO_LARGE) or (kind is datetime and value.tzinfo is None):
        raise Unknown  # Django treats these otherwise than their like
    if (kind in _SENTINELS and kind is not list) or _is_leaf(value):
        leaves.append(value)
        return kind
    if value is None or kind is bool:
        return (kind, value)
    if isinstance(value, enum.Enum):
        return (kind, value.name)
    if kind in (list, tuple, set, frozenset):
        return _shape_of_many(value, leaves)
    if isinstance(value, Model):
        if type(value.pk) not in _SENTINELS:
            raise Unknown
        leaves.append(value.pk)
        return (kind, type(value.pk))
    return _shape_of_expression(value, leaves)


def _shape_of_many(values: Any, leaves: list[Any]) -> Any:
    """Values that are there twice are asked for once, so that these have no shape."""
    if len(values) != len(set(values)) or any(value is None for value in values):
        raise Unknown
    return (type(values), tuple([shape_of(value, leaves) for value in values]))


def _shape_of_expression(value: Any, leaves: list[Any]) -> Any:
    if isinstance(value, Q):
        children = [
            (child[0], shape_of(child[1], leaves))
            if type(child) is tuple
            else shape_of(child, leaves)
            for child in value.children
        ]
        return (Q, value.connector, value.negated, tuple(children))
    if type(value) in (F, OuterRef):
        return (type(value), value.name)
    if isinstance(value, QuerySet):
        shape = value.__dict__.get("_shape")
        if shape is None:
            raise Unknown
        leaves += value._leaves
        return (QuerySet, shape)
    if isinstance(value, Subquery):
        raise Unknown  # it is made of a query that has been built, and of no shape
    if isinstance(value, BaseExpression) and hasattr(value, "_constructor_args"):
        args, kwargs = value._constructor_args
        told = (shape_of if isinstance(value, Value) else _shape_of_argument), shape_of
        named = [
            (name, told[_is_lookup(value, name)](part, leaves)) for name, part in kwargs.items()
        ]
        return (type(value), tuple([told[0](part, leaves) for part in args]), tuple(named))
    if isinstance(value, Field):
        return _shape_of_field(value)
    raise Unknown


def _is_lookup(expression: Any, name: str) -> bool:
    return isinstance(expression, When) and name not in ("condition", "then")


def _shape_of_argument(value: Any, leaves: list[Any]) -> Any:
    """The arguments of functions are part of the shape: a name, a number of places."""
    if type(value) in (str, int):
        return (type(value), value)
    return shape_of(value, leaves)


def _shape_of_field(field: Any) -> Any:
    if hasattr(field, "model"):
        return (Field, field.model, field.name)
    _, path, args, kwargs = field.deconstruct()
    return (Field, path, tuple(args), tuple(sorted(kwargs.items())))


def rebuilt(value: Any, leaves: Iterator[Any], replay: Callable[[Any, Iterator[Any]], Any]) -> Any:
    """Return `value` with other leaves, taken in the same order; `replay` does it for querysets."""
    kind = type(value)
    if _is_leaf(value):
        return next(leaves)
    if value is None or kind is bool or isinstance(value, enum.Enum):
        return value
    if kind in (list, tuple, set, frozenset):
        # In the order of the set, which the values of another set would not have.
        parts = [rebuilt(part, leaves, replay) for part in value]
        return tuple(parts) if kind is tuple else parts
    if isinstance(value, Model):
        return type(value)(pk=next(leaves))
    if isinstance(value, Q):
        children = [
            (child[0], rebuilt(child[1], leaves, replay))
            if type(child) is tuple
            else rebuilt(child, leaves, replay)
            for child in value.children
        ]
        return Q.create(children=children, connector=value.connector, negated=value.negated)
    if isinstance(value, QuerySet):
        return replay(value, leaves)
    if kind in (F, OuterRef) or isinstance(value, Field):
        return value
    args, kwargs = value._constructor_args

    def part(argument: Any, name: str = "") -> Any:
        is_leaf = isinstance(value, Value) or _is_lookup(value, name)
        if type(argument) in (str, int) and not (is_leaf and (name or isinstance(value, Value))):
            return argument
        return rebuilt(argument, leaves, replay)

    named = {name: part(argument, name) for name, argument in kwargs.items()}
    placed = [part(argument) for argument in args]
    return kind(*placed, **named)
