"""What the property-based tests share: how many examples, and whether anything has changed.

`make test` plays few examples, always the same ones. `make fuzz` sets COC_FUZZ to a factor and
plays that many times as many, new ones each time; Hypothesis prints how to replay what it finds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import transaction
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


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Return everything that the product's tables hold."""
    found = {}
    for label in _APPS:
        for model in apps.get_app_config(label).get_models(include_auto_created=True):
            names = [f.attname for f in model._meta.concrete_fields if f.attname not in _PASSING]
            found[model._meta.label] = list(
                model._default_manager.order_by("pk").values_list(*names)
            )
    return found


@contextmanager
def undone() -> Iterator[None]:
    """Undo in the database what the block does, so that each example begins with the same rows."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
