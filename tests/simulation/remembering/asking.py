"""Asking the database by plans, and making them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction

from tests.simulation.remembering.parameters import recipe_of
from tests.simulation.remembering.plans import (
    ITERABLES,
    Compiled,
    Plan,
    Watch,
    execute,
    results_of,
    watching,
    with_rows,
)
from tests.simulation.remembering.recording import (
    REAL,
    WITH_VALUES,
    copy_of,
    one_more,
    replayed,
)
from tests.simulation.remembering.shapes import rebuilt, sentinels

SAMPLE = 101


counts = {"planned": 0, "built": 0, "compared": 0, "refused": 0}


def _plan_for(self: Any, step: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Any:
    """Return the plan for doing `step` now, and its parameters; (None, None): no plan.

    Makes a plan for a shape that is asked for the second time.
    """
    told = one_more(self, *step)
    if told is None:
        return None, None
    shape, leaves = told
    if shape.plan is None:
        shape.seen += 1
        if shape.seen < 2:
            return None, None
        shape.plan = _made(self, leaves, *step) or False
    if shape.plan is False:
        counts["refused"] += 1
        return None, None
    try:
        params = shape.plan.parameters(leaves)
    except Exception:
        # Django knows what to do with such a value, or what to say about it.
        return None, None
    counts["planned"] += 1
    if counts["planned"] % SAMPLE == 0:
        _compare(self, shape.plan, params, step)
    return shape.plan, params


def _compiled(real: Any, name: str, args: Any, kwargs: Any) -> Compiled | None:
    """Return what Django would ask the database for; None if that is not one statement."""
    watching.append(Watch(stop=True))
    needed = connection.needs_rollback
    try:
        if name == "fetch":
            list(real._iterable_class(real))
        elif name in ("get", "first"):
            REAL[name](real)
        else:
            REAL[name](real, *args, **kwargs)
    except Compiled as compiled:
        return compiled
    except Exception:
        return None
    finally:
        watching.clear()
        # `update` takes the way out for an error of the database.
        connection.needs_rollback = needed
    return None


def _compare(self: Any, plan: Plan, params: tuple[Any, ...], step: Any) -> None:
    """Let Django build the query: it must be what is planned."""
    name, args, kwargs = step
    counts["compared"] += 1
    compiled = _compiled(_own(self, None), name, args, kwargs)
    assert compiled is not None
    assert compiled.statement == plan.statement, (compiled.statement, plan.statement)
    assert compiled.params == params, (compiled.params, params)


def _own(self: Any, leaves: Iterator[Any] | None) -> Any:
    real = replayed(self, leaves)
    real._iterable_class, real._fields = self._iterable_class, self._fields
    return real


def _made(self: Any, leaves: tuple[Any, ...], name: str, args: Any, kwargs: Any) -> Plan | None:
    if self._iterable_class not in ITERABLES:
        return None
    stand_ins = sentinels(leaves)
    rest = iter(stand_ins)
    try:
        real = _own(self, rest)
        if name in WITH_VALUES:
            other_args = tuple(rebuilt(arg, rest, replayed) for arg in args)
            other_kwargs = {key: rebuilt(value, rest, replayed) for key, value in kwargs.items()}
        else:
            other_args, other_kwargs = args, kwargs
        shown = _compiled(real, name, other_args, other_kwargs)
        true = _compiled(_own(self, None), name, args, kwargs)
        if shown is None or true is None or shown.statement != true.statement:
            return None
        recipe = recipe_of(self.model, kwargs, shown.params, true.params, stand_ins, leaves)
        plan = None if recipe is None else with_rows(self, name, true, recipe)
    except Exception:
        return None
    counts["built"] += plan is not None
    return plan


def _fetch_all(self: Any) -> None:
    if self._result_cache is None and self._shape is not None:
        plan, params = _plan_for(self, ("fetch", (self._iterable_class,), {}))
        if plan is not None:
            self._result_cache = results_of(self, plan, params)
    REAL["_fetch_all"](self)


def _get(self: Any, *args: Any, **kwargs: Any) -> Any:
    if self._shape is None or self._shape.sliced:
        return REAL["get"](self, *args, **kwargs)
    one = self.filter(*args, **kwargs)
    plan = params = None
    if one._shape is not None:
        plan, params = _plan_for(one, ("get", (one._iterable_class,), {}))
    if plan is None:
        return REAL["get"](one)
    found = results_of(one, plan, params)
    if len(found) != 1:
        wrong = self.model.MultipleObjectsReturned if found else self.model.DoesNotExist
        raise wrong(f"get() returned {len(found)} of {self.model._meta.object_name}")
    if one._prefetch_related_lookups:
        one._result_cache = found
        REAL["_fetch_all"](one)
    return found[0]


def _first(self: Any) -> Any:
    recorded = self._result_cache is None and self._shape is not None
    if recorded and not self._prefetch_related_lookups:
        plan, params = _plan_for(self, ("first", (self._iterable_class,), {}))
        if plan is not None:
            found = results_of(self, plan, params)
            return found[0] if found else None
    return REAL["first"](self)


def _exists(self: Any) -> bool:
    if self._result_cache is None and self._shape is not None:
        plan, params = _plan_for(self, ("exists", (), {}))
        if plan is not None:
            return bool(plan.statement and execute(plan, params).fetchone())
    return bool(REAL["exists"](self))


def _count(self: Any) -> Any:
    if self._result_cache is None and self._shape is not None:
        plan, params = _plan_for(self, ("count", (), {}))
        if plan is not None:
            return plan.converted([execute(plan, params).fetchone()])[0][0]
    return REAL["count"](self)


def _aggregate(self: Any, *args: Any, **kwargs: Any) -> Any:
    if self._shape is not None and not args:
        named = kwargs
        plan, params = _plan_for(self, ("aggregate", (), named))
        if plan is not None:
            found = plan.converted([execute(plan, params).fetchone()])[0]
            return dict(zip(plan.names, found, strict=True))
    return REAL["aggregate"](self, *args, **kwargs)


def _update(self: Any, **kwargs: Any) -> int:
    if self._shape is not None and not self._shape.sliced:
        plan, params = _plan_for(self, ("update", (), kwargs))
        if plan is not None:
            self._for_write = True
            rows = 0
            if plan.statement:
                with transaction.mark_for_rollback_on_error(using="default"):
                    rows = execute(plan, params).rowcount
            self._result_cache = None
            return rows
    return int(REAL["update"](self, **kwargs))


def _iterator(self: Any, chunk_size: int | None = None) -> Any:
    if self._shape is None or self._prefetch_related_lookups:
        return REAL["iterator"](self, chunk_size)
    return _lazily(self)


def _lazily(self: Any) -> Iterator[Any]:
    yield from copy_of(self)


METHODS: dict[str, Any] = {
    "_fetch_all": _fetch_all,
    "get": _get,
    "first": _first,
    "exists": _exists,
    "count": _count,
    "aggregate": _aggregate,
    "update": _update,
    "iterator": _iterator,
}
