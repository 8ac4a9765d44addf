"""A database of its own at an earlier state of the migrations."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

ALIAS = "old"
OURS = ("orders", "reconciliation", "coc_admin")


class AskOld:
    """A router that sends every question to the old database."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return ALIAS

    db_for_write = db_for_read


@contextmanager
def empty_database(folder: Path) -> Iterator[None]:
    """Make an empty database, reachable under ALIAS, and drop it afterwards."""
    name = f"coc_upgrade_{uuid.uuid4().hex[:12]}"
    postgres = connection.vendor == "postgresql"
    if postgres:
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
    target = name if postgres else str(folder / f"{name}.sqlite3")
    connections.settings[ALIAS] = connections.settings["default"] | {"NAME": target}
    connections[ALIAS] = connections.create_connection(ALIAS)
    # Tests may not use what is configured and was not there when they began.
    del connections.settings[ALIAS]
    try:
        yield
    finally:
        connections[ALIAS].close()
        del connections[ALIAS]
        if postgres:
            with connection.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def migrate(*targets: tuple[str, str]) -> Any:
    """Migrate the old database to `targets`, or all the way; return its models as they are then."""
    executor = MigrationExecutor(connections[ALIAS])
    wanted = list(targets) or executor.loader.graph.leaf_nodes()
    executor.migrate(wanted)
    return executor.loader.project_state(wanted).apps


def models_of(registry: Any) -> dict[str, Any]:
    """Return the models of the product, parents before children, by label."""
    found = {
        model._meta.label: model
        for label in OURS
        for model in registry.get_app_config(label).get_models(include_auto_created=True)
    }
    # Parents were made before their children; today's order of foreign keys serves for both.
    return {label: found[label] for label in sorted(found, key=_depth)}


def _depth(label: str) -> int:
    """Return how many foreign keys, at most, lie between a model and one that has none."""
    return _depth_of(apps.get_model(label))


def _depth_of(model: Any, seen: tuple[Any, ...] = ()) -> int:
    parents = {
        field.related_model
        for field in model._meta.concrete_fields
        if field.is_relation and field.related_model is not model
    }
    return 1 + max((_depth_of(p, (*seen, model)) for p in parents if p not in seen), default=0)


def columns_of(model: Any) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]
