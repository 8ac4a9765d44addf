"""Members of a thing that others read: from one definition come dict, JSON Schema and columns.

    class OrderAnswer(Members):
        orderNo: str                              # reads order.order_no
        capturedAt: Moment                        # writes it as ISO 8601
        needsReview: Annotated[bool, Read(lambda order: order.needs_review_since is not None)]

`OrderAnswer.of(order)` is the dict; `OrderAnswer` itself is a pydantic model, so the schema of the
API is made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Annotated, Any

from pydantic import BaseModel, Field

from orders.fields import json_number


def iso(moment: datetime | None) -> str | None:
    """Return a moment in UTC as ISO 8601 with milliseconds and Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Read:
    """How a member is read from a thing; without it, the attribute of its name is."""

    value: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Write:
    """How the value that was read is written in JSON."""

    value: Callable[[Any], Any]


def _number(value: Any) -> Any:
    return None if value is None else json_number(value)


Moment = Annotated[str, Write(iso), Field(json_schema_extra={"format": "date-time"})]
MomentOrNull = Annotated[str | None, Write(iso), Field(json_schema_extra={"format": "date-time"})]
Number = Annotated[int | float, Write(_number)]
NumberOrNull = Annotated[int | float | None, Write(_number)]


def like(**words: Any) -> Any:
    """Return keywords of JSON Schema that describe a member; nothing is checked by them."""
    return Field(json_schema_extra=words)


def from_attribute(name: str) -> Read:
    """Return a reader of the attribute `name`, for a member that is called otherwise."""
    return Read(attrgetter(name))


class Members(BaseModel):
    """The base of a definition. A subclass is a thing, a field is a member."""

    @classmethod
    def of(cls, thing: Any, **given: Any) -> dict[str, Any]:
        """Return the members of `thing` as they go into JSON; `given` are those it cannot tell."""
        return {name: given[name] if name in given else read(thing) for name, read in _readers(cls)}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the members, in their order."""
        return tuple(cls.model_fields)


@cache
def _readers(model: type[Members]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple((name, _reader(name, field)) for name, field in model.model_fields.items())


def _reader(name: str, field: Any) -> Callable[[Any], Any]:
    reads = [one.value for one in field.metadata if isinstance(one, Read)]
    writes = [one.value for one in field.metadata if isinstance(one, Write)]
    # The last of them, where a member of a base is declared again.
    read = reads[-1] if reads else attrgetter(_CAPITAL.sub(r"_\1", name).lower())
    if not writes:
        return read
    write = writes[-1]
    return lambda thing: write(read(thing))


_CAPITAL = re.compile(r"([A-Z])")
