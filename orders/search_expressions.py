"""Expressions that an index and the queries which use it must write alike.

Beginnings of texts are looked for as a range of values, which an index can answer. Texts are
compared byte by byte in it: in a language's own order the range would hold other texts, and miss
some.
"""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Func, Q, Value
from django.db.models.functions import Lower

# The last character of all: what begins with a text comes before that text and this.
_LAST = "\U0010ffff"
LONGEST_CUSTOMER_TEXT = 100


class ByteOrder(Func):
    """A text column that is compared byte by byte, whatever the database's language."""

    template = "%(expressions)s"
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Name the collation; SQLite compares bytes anyway."""
        return self.as_sql(compiler, connection, template='%(expressions)s COLLATE "C"', **context)


class CustomerText(Func):
    """A member of `Order.customer` in small letters, its first 100 characters; NULL without one.

    SQLite makes only the letters A to Z small.
    """

    template = "SUBSTR(LOWER(JSON_EXTRACT(%(expressions)s, '$.%(member)s')), 1, 100)"
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Read the member with PostgreSQL's own operator."""
        template = "SUBSTR(LOWER(%(expressions)s ->> '%(member)s'), 1, 100) COLLATE \"C\""
        return self.as_sql(compiler, connection, template=template, **context)


CUSTOMER_NAME = CustomerText("customer", member="customerName")
CUSTOMER_EMAIL = CustomerText("customer", member="email")


def begins_with(name: str, text: str) -> Q:
    """Return the condition that the annotation `name` (a ByteOrder) begins with `text`."""
    return Q((f"{name}__gte", text), (f"{name}__lt", text + _LAST))


def customer_begins_with(name: str, text: str) -> Q:
    """Return the condition that the annotation `name` (a CustomerText) begins with `text`.

    Capital and small letters are the same.
    """
    start = text[:LONGEST_CUSTOMER_TEXT]
    return Q(
        (f"{name}__gte", Lower(Value(start))),
        (f"{name}__lt", Lower(Value(start + _LAST))),
    )
