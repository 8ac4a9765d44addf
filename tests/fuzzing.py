"""What the property-based tests share: how many examples, and whether anything has changed.

`make test` plays few examples, always the same ones. `make fuzz` sets COC_FUZZ to a factor and
plays that many times as many, new ones each time; Hypothesis prints how to replay what it finds.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings

FACTOR = int(os.environ.get("COC_FUZZ", "0"))
_APPS = ("orders", "reconciliation", "coc_admin", "auth")
# Written by looking at things.
_PASSING = {"last_used_at", "last_login"}


def fuzz(examples: int) -> settings:
    """Return the settings of a property test with so many examples in `make test`."""
    return settings(
        max_examples=examples * max(1, FACTOR),
        derandomize=not FACTOR,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink] if FACTOR else [Phase.generate],
        print_blob=True,
    )


@functools.cache
def _statements() -> dict[str, str]:
    """Return the query of each table; the ORM would work it out again for each example."""
    quote = connection.ops.quote_name
    found: dict[str, str] = {}
    for label in _APPS:
        for model in apps.get_app_config(label).get_models(include_auto_created=True):
            columns = [
                quote(field.column)
                for field in model._meta.concrete_fields
                if field.attname not in _PASSING
            ]
            table, key = quote(model._meta.db_table), quote(model._meta.pk.column)
            found[model._meta.label] = f"SELECT {', '.join(columns)} FROM {table} ORDER BY {key}"
    return found


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Return everything that the product's tables hold, as the database has it."""
    found = {}
    with connection.cursor() as cursor:
        for label, statement in _statements().items():
            cursor.execute(statement)
            found[label] = cursor.fetchall()
    return found


@contextmanager
def undone() -> Iterator[None]:
    """Undo in the database what the block does, so that each example begins with the same rows."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
