"""No migration may stop shoppers: what is done to tables that grow with the orders is short.

Adding a column without a default, or with a constant one, is short on PostgreSQL and on SQLite.
Building an index, checking every row or writing the table anew is not. Migrations up to SHIPPED
came before the first database with data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations import operations as ops
from django.db.migrations.loader import MigrationLoader
from django.db.models.functions import Now

from orders.online import (
    AddConstraintOnline,
    AddIndexOnline,
    DropForeignKeyIndexOnline,
    DropLikeIndexOnline,
)

ONLINE = (AddConstraintOnline, AddIndexOnline, DropForeignKeyIndexOnline, DropLikeIndexOnline)

OURS = ("orders", "reconciliation", "coc_admin")
SHIPPED = {"orders": 11, "reconciliation": 6, "coc_admin": 8}
# One row or more for each order.
GROWING = {
    "orders": {
        "capturetrace",
        "hold",
        "movement",
        "order",
        "orderevent",
        "orderitem",
        "orderpayload",
        "ordertext",
    },
    "reconciliation": {"reservationdocument", "attempt", "runentry"},
    "coc_admin": set[str](),
}


def long_steps(app: str, operations: list[Any], *, atomic: bool, state: Any) -> Iterator[str]:
    """Yield what in a migration would hold a growing table for long; `state` is the one before."""
    for one in operations:
        name = getattr(one, "model_name", "").lower()
        if name in GROWING[app] and (why := _why_long(one, atomic=atomic, app=app, state=state)):
            yield f"{one.describe()}: {why}"
        elif GROWING[app] and isinstance(one, ops.RunPython | ops.RunSQL) and not one.elidable:
            yield f"{one.describe()}: say by elidable=True that it leaves growing tables alone"
        one.state_forwards(app, state)


def _why_long(one: Any, *, atomic: bool, app: str, state: Any) -> str:
    if isinstance(one, ONLINE):
        return "needs atomic = False" if atomic else ""
    if isinstance(one, ops.AddIndex):
        return "use orders.online.AddIndexOnline"
    if isinstance(one, ops.AddConstraint):
        return "reads every row under a lock; use orders.online.AddConstraintOnline"
    if isinstance(one, ops.AddField):
        return _why_field_is_long(one.field)
    if isinstance(one, ops.AlterField):
        before = state.models[app, one.model_name_lower].fields[one.name]
        kinds = [(type(f), f.max_length, f.null, f.unique, f.db_index) for f in (before, one.field)]
        return "" if kinds[0] == kinds[1] else "may write the table anew"
    return ""


def _why_field_is_long(field: Any) -> str:
    if field.unique or (field.db_index and not field.null):
        return "builds an index"
    varies = hasattr(field.db_default, "resolve_expression")
    if (field.has_default() and callable(field.default)) or varies:
        return "its default is not a constant"
    return ""


def test_new_migrations_are_short() -> None:
    loader = MigrationLoader(None)
    found = []
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app in OURS and int(name[:4]) > SHIPPED[app]:
            state = loader.project_state((app, name), at_end=False)
            steps = long_steps(app, migration.operations, atomic=migration.atomic, state=state)
            found += [f"{app} {name}: {step}" for step in steps]
    assert found == [], "Make them short, or raise SHIPPED if no database with data exists yet."


def test_the_tables_are_those_there_are() -> None:
    for app, names in GROWING.items():
        assert names <= {model._meta.model_name for model in apps.get_app_config(app).get_models()}


CHECK = models.CheckConstraint(condition=models.Q(currency__gt=""), name="has_currency")
INDEX = models.Index(fields=["currency"], name="by_currency")


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (ops.AddIndex("order", INDEX), "use orders.online.AddIndexOnline"),
        (AddIndexOnline("order", INDEX), "needs atomic = False"),
        (ops.AddConstraint("order", CHECK), "reads every row"),
        (AddConstraintOnline("order", CHECK), "needs atomic = False"),
        (
            ops.AddField("order", "x", models.DateTimeField(db_default=Now())),
            "not a constant",
        ),
        (
            ops.AddField("order", "x", models.DateTimeField(default=apps.get_models)),
            "not a constant",
        ),
        (ops.AddField("orderitem", "x", models.IntegerField(null=True, unique=True)), "an index"),
        (ops.AlterField("order", "order_no", models.CharField(max_length=60)), "may write"),
        (ops.RunPython(ops.RunPython.noop), "elidable"),
    ],
)
def test_what_is_long_is_noticed(operation: Any, why: str) -> None:
    state = MigrationLoader(None).project_state()
    [found] = long_steps("orders", [operation], atomic=True, state=state)
    assert why in found


@pytest.mark.parametrize(
    "operation",
    [
        AddIndexOnline("order", INDEX),
        AddConstraintOnline("order", CHECK),
        ops.AddField("order", "x", models.DateTimeField(null=True)),
        ops.AddField("order", "x", models.IntegerField(default=0, db_default=0)),
        ops.AddField("order", "x", models.IntegerField(default=0)),
        ops.AddIndex("site", models.Index(fields=["name"], name="y")),
        ops.AlterField("orderevent", "kind", models.CharField(max_length=16, choices=[("a", "A")])),
        ops.RunPython(ops.RunPython.noop, elidable=True),
    ],
)
def test_what_is_short_passes(operation: Any) -> None:
    state = MigrationLoader(None).project_state()
    assert list(long_steps("orders", [operation], atomic=False, state=state)) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "operation", [AddIndexOnline("order", INDEX), AddConstraintOnline("order", CHECK)]
)
def test_it_is_added_online_and_twice_is_once(operation: Any) -> None:
    before = MigrationLoader(None).project_state()
    added = operation.index if isinstance(operation, AddIndexOnline) else operation.constraint
    after = before.clone()
    operation.state_forwards("orders", after)

    def names() -> set[str]:
        with connection.cursor() as cursor:
            return set(connection.introspection.get_constraints(cursor, "orders_order"))

    for _ in range(1 if connection.vendor == "sqlite" else 2):
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("orders", editor, before, after)
        assert added.name in names()
    with connection.schema_editor(atomic=False) as editor:
        operation.database_backwards("orders", editor, after, before)
    assert added.name not in names()
