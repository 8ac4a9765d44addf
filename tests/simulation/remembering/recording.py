"""Query sets that write down what they are asked to do, and only build a query when they must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Model, QuerySet, sql
from django.db.models.query import ModelIterable, ValuesIterable

from tests.simulation.remembering.plans import Plan
from tests.simulation.remembering.shapes import rebuilt, shape_of


class Shape:
    """What has been asked of a query set so far, without the values; there is one of each."""

    __slots__ = ("following", "model", "plan", "seen", "sliced")

    def __init__(self, model: type[Model], *, sliced: bool = False) -> None:
        self.model = model
        self.sliced = sliced
        self.following: dict[Any, Shape] = {}
        self.seen = 0
        # None: not made yet. False: it cannot be.
        self.plan: Plan | bool | None = None

    def then(self, name: str, key: Any) -> Shape:
        """Return the shape after one more method."""
        found = self.following.get((name, key))
        if found is None:
            found = Shape(self.model, sliced=self.sliced or name == "slice")
            self.following[(name, key)] = found
        return found


_roots: dict[type[Model], Shape] = {}


REAL: dict[str, Any] = {
    name: getattr(QuerySet, name)
    for name in (
        "_filter_or_exclude",
        "_annotate",
        "__getitem__",
        "_clone",
        "prefetch_related",
        "_not_support_combined_queries",
        "_fetch_all",
        "get",
        "first",
        "exists",
        "count",
        "aggregate",
        "update",
        "order_by",
        "_values",
        "select_for_update",
        "select_related",
        "distinct",
        "reverse",
        "only",
        "defer",
        "iterator",
        "using",
        "__deepcopy__",
        "__getstate__",
    )
}


def _root(model: type[Model]) -> Shape:
    found = _roots.get(model)
    if found is None:
        found = _roots[model] = Shape(model)
    return found


_init = QuerySet.__init__
# What a query set of Django's begins with, but for `_query`, and what is recorded.
_BLANK: dict[str, Any] = {
    "_db": None,
    "_query": None,
    "_result_cache": None,
    "_sticky_filter": False,
    "_for_write": False,
    "_prefetch_related_lookups": (),
    "_prefetch_done": False,
    "_known_related_objects": {},
    "_iterable_class": ModelIterable,
    "_fields": None,
    "_defer_next_filter": False,
    "_deferred_filter": None,
    "_leaves": (),
    "_steps": None,
}
# Query sets that were made before recording began are Django's, and never were recorded.
OF_OTHERS: dict[str, Any] = {"_shape": None, "_leaves": (), "_steps": None}
# What no copy takes over.
_OWN = {
    name: _BLANK[name]
    for name in ("_result_cache", "_prefetch_done", "_defer_next_filter", "_sticky_filter")
}


def _recorded_init(
    self: Any, model: Any = None, query: Any = None, using: Any = None, hints: Any = None
) -> None:
    elsewhere = (using or "default") != "default"
    # An update of a model with parents may be several statements.
    if query is not None or model is None or elsewhere or model._meta.parents:
        _init(self, model, query, using, hints)
        self._shape = None
        return
    self.__dict__.update(_BLANK)
    self.model = model
    self._hints = hints or {}
    self._shape = _roots.get(model) or _root(model)


def query_of(self: Any) -> Any:
    """Build the query; from here on the query set is one of Django's."""
    if self._query is None:
        self._query = replayed(self, None)._query
        self._shape = None
    elif self._deferred_filter:
        negate, args, kwargs = self._deferred_filter
        self._filter_or_exclude_inplace(negate, args, kwargs)
        self._deferred_filter = None
    return self._query


def _set_query(self: Any, value: Any) -> None:
    if value.values_select:
        self._iterable_class = ValuesIterable
    self._query = value
    self._shape = None


def replayed(recorded: Any, leaves: Iterator[Any] | None) -> Any:
    """Do what was written down to a query set of Django's own; with other `leaves`, if given."""
    steps = []
    step = recorded._steps
    while step is not None:
        step, name, args, kwargs = step
        steps.append((name, args, kwargs))
    real = QuerySet(recorded.model, query=sql.Query(recorded.model))
    for name, args, kwargs in reversed(steps):
        if name == "slice":
            real = real[args[0] : args[1]]
            continue
        if leaves is not None and name in WITH_VALUES:
            if name != "_values":
                args = tuple([rebuilt(arg, leaves, replayed) for arg in args])
            kwargs = {key: rebuilt(value, leaves, replayed) for key, value in kwargs.items()}
        if name == "_annotate":
            real = real._annotate(args, kwargs, select=True)
        elif name == "_alias":
            real = real._annotate(args, kwargs, select=False)
        else:
            real = getattr(real, name)(*args, **kwargs)
    return real


WITH_VALUES = ("filter", "exclude", "_annotate", "_alias", "_values", "update", "aggregate")

_ASKING = ("fetch", "first", "exists", "count", "aggregate")


def copy_of(self: Any) -> Any:
    """What `_clone` does beside the query."""
    copy = self.__class__.__new__(self.__class__)
    copy.__dict__.update(self.__dict__)
    copy.__dict__.update(_OWN)
    return copy


def _key(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]) -> Any:
    if name not in WITH_VALUES:
        return (args, tuple(kwargs.items())) if kwargs else args
    placed = args
    if name != "_values":
        placed = tuple([shape_of(arg, leaves) for arg in args])
    return (placed, tuple([(key, shape_of(value, leaves)) for key, value in kwargs.items()]))


def one_more(self: Any, name: str, args: Any, kwargs: Any) -> tuple[Shape, tuple[Any, ...]] | None:
    """Return the shape with one more step, and its leaves; None if only Django can do it."""
    shape = self._shape
    if shape is None:
        return None
    if not (self._sticky_filter or (shape.sliced and name not in _ASKING)):
        leaves: list[Any] = []
        try:
            after = shape.then(name, _key(name, args, kwargs, leaves))
        except Exception:
            # What has no shape, or is not understood; if it is wrong, Django says so.
            pass
        else:
            return after, (*self._leaves, *leaves) if leaves else self._leaves
    query_of(self)
    return None


def with_step(self: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return a copy of which one more thing is written down; None if only Django can do it."""
    told = one_more(self, name, args, kwargs)
    if told is None:
        return None
    copy = copy_of(self)
    copy._shape, copy._leaves = told
    copy._steps = (self._steps, name, args, kwargs)
    return copy


def _method(name: str, real: Callable[..., Any], write: bool = False) -> Callable[..., Any]:
    """Return a method of query sets that is written down, or else done by Django's `real`."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        copy = with_step(self, name, args, kwargs)
        if copy is None:
            return real(self, *args, **kwargs)
        if write:
            copy._for_write = True
        if name == "_values":
            copy._fields = args
        return copy

    return method


def _filter_or_exclude(self: Any, negate: bool, args: Any, kwargs: Any) -> Any:
    copy = with_step(self, "exclude" if negate else "filter", args, kwargs)
    if copy is None:
        return REAL["_filter_or_exclude"](self, negate, args, kwargs)
    self._defer_next_filter = False
    return copy


def _annotate(self: Any, args: Any, kwargs: Any, select: bool = True) -> Any:
    copy = with_step(self, "_annotate" if select else "_alias", args, kwargs)
    return REAL["_annotate"](self, args, kwargs, select) if copy is None else copy


def _getitem(self: Any, k: Any) -> Any:
    if self._result_cache is None and self._shape is not None:
        if isinstance(k, slice) and k.step is None:
            copy = with_step(self, "slice", (k.start, k.stop), {})
            if copy is not None:
                return copy
        elif isinstance(k, int) and k >= 0:
            copy = with_step(self, "slice", (k, k + 1), {})
            if copy is not None:
                copy._fetch_all()
                return copy._result_cache[0]
    return REAL["__getitem__"](self, k)


def _clone(self: Any) -> Any:
    if self._shape is None or self._sticky_filter:
        return REAL["_clone"](self)
    return copy_of(self)


def _prefetch_related(self: Any, *lookups: Any) -> Any:
    if self._shape is None or lookups == (None,):
        return REAL["prefetch_related"](self, *lookups)
    copy = copy_of(self)
    copy._prefetch_related_lookups = self._prefetch_related_lookups + lookups
    return copy


def _by_django(name: str) -> Callable[..., Any]:
    """Return a method that Django does with a query that has been built."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        query_of(self)
        return REAL[name](self, *args, **kwargs)

    return method


_DJANGOS_OWN = ("using", "__deepcopy__", "__getstate__")


def _not_support_combined_queries(self: Any, name: str) -> None:
    if self._shape is None:
        REAL["_not_support_combined_queries"](self, name)


METHODS: dict[str, Any] = {
    "__init__": _recorded_init,
    "query": property(query_of, _set_query),
    "_filter_or_exclude": _filter_or_exclude,
    "_annotate": _annotate,
    "__getitem__": _getitem,
    "_clone": _clone,
    "prefetch_related": _prefetch_related,
    "_not_support_combined_queries": _not_support_combined_queries,
    **{name: _by_django(name) for name in _DJANGOS_OWN},
    "select_for_update": _method("select_for_update", REAL["select_for_update"], write=True),
    **{
        name: _method(name, REAL[name])
        for name in (
            "order_by",
            "_values",
            "select_related",
            "distinct",
            "reverse",
            "only",
            "defer",
        )
    },
}
