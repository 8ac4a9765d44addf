"""Which value of a query becomes which parameter of its statement, and how."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection


def recipe_of(
    model: Any,
    kwargs: dict[str, Any],
    shown: tuple[Any, ...],
    true: tuple[Any, ...],
    stand_ins: list[Any],
    leaves: tuple[Any, ...],
) -> list[tuple[int, Any]] | None:
    """Tell for each parameter where it comes from; None if that is not clear for all of them."""
    if len(shown) != len(true):
        return None
    ways = _ways(model, kwargs)
    used: set[int] = set()
    recipe: list[tuple[int, Any]] = []
    for stand_in, param in zip(shown, true, strict=True):
        for number, leaf in enumerate(leaves):
            way = _way(ways, stand_ins[number], stand_in, leaf, param)
            if way is not False:
                used.add(number)
                recipe.append((number, way))
                break
        else:
            if type(stand_in) is not type(param) or stand_in != param:
                return None
            recipe.append((-1, param))
    return recipe if len(used) == len(leaves) else None


def _way(ways: list[Any], stand_in: Any, shown: Any, leaf: Any, param: Any) -> Any:
    for way in ways:
        try:
            one, other = (stand_in, leaf) if way is None else (way(stand_in), way(leaf))
        except Exception:
            continue
        if type(one) is type(shown) and one == shown:
            return way if type(other) is type(param) and other == param else False
    return False


def _adapted_time(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if type(value) is datetime else None


def _adapted_date(value: Any) -> Any:
    return connection.ops.adapt_datefield_value(value) if type(value) is date else None


def _hex(value: Any) -> Any:
    return value.hex if type(value) is UUID else None


def _scaled(places: int) -> Callable[[Any], Any]:
    def scaled(value: Any) -> Any:
        if type(value) not in (Decimal, int):
            return None
        units = Decimal(value).scaleb(places)
        if units != int(units):
            raise ValueError(f"{value!r} does not fit {places} decimals")
        return int(units)

    return scaled


def _microseconds(value: Any) -> Any:
    return value // timedelta(microseconds=1) if type(value) is timedelta else None


_USUAL_WAYS = [None, _adapted_time, _adapted_date, _hex, _scaled(3), _scaled(4), _microseconds]


def _ways(model: Any, kwargs: dict[str, Any]) -> list[Any]:
    """Return what may become of a value, and what the fields that are set do to theirs."""
    ways = list(_USUAL_WAYS)
    fields = {field.name: field for field in model._meta.concrete_fields}
    for name in kwargs:
        if name in fields and not fields[name].is_relation:
            ways.append(_saved_by(fields[name]))
    return ways


def _saved_by(field: Any) -> Callable[[Any], Any]:
    return lambda value: field.get_db_prep_save(value, connection)
