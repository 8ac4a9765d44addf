"""Migrations of tables that grow with the orders, done while shoppers go on ordering."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations import AddConstraint, AddIndex, AlterField, RemoveIndex
from django.db.migrations.operations.base import Operation


class AddIndexOnline(AddIndex):
    """An index that PostgreSQL builds while others write; the migration needs `atomic = False`.

    When it is broken off, PostgreSQL leaves an invalid index behind, which is dropped first.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Build the index."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, concurrently=True)
            schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Drop the index."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, concurrently=True)


class RemoveIndexOnline(RemoveIndex):
    """An index that PostgreSQL drops while others write; the migration needs `atomic = False`."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Drop the index."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            _drop_index(schema_editor, self.name)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Build the index again."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            index = to_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
            schema_editor.add_index(model, index, concurrently=True)


class AddConstraintOnline(AddConstraint):
    """A check that PostgreSQL makes while others write; the migration needs `atomic = False`.

    New rows are checked from the beginning; existing rows are read without a lock that
    keeps others from writing. After an interruption it starts again from the beginning.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Add the check, then validate the existing rows."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            table = schema_editor.quote_name(model._meta.db_table)
            name = schema_editor.quote_name(self.constraint.name)
            schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
            create = self.constraint.create_sql(model, schema_editor)
            # The statement has its values in it.
            schema_editor.execute(f"{create} NOT VALID", params=None)
            schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


class DropForeignKeyIndexOnline(AlterField):
    """A foreign key loses the index of its own, which a wider one repeats; `atomic = False`.

    `field` is the new one, with `db_index=False`. Nothing else of it may differ: no table is
    rebuilt, and PostgreSQL drops the index while others write.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Drop every plain index of this column alone, that for LIKE included."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        column = model._meta.get_field(self.name).column
        for name in _plain_indexes(schema_editor.connection, model._meta.db_table, column):
            _drop_index(schema_editor, name)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Make the index again, as Django would."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            field = model._meta.get_field(self.name)
            for statement in schema_editor._field_indexes_sql(model, field):
                schema_editor.execute(statement)


class DropLikeIndexOnline(Operation):
    """A column that is never searched by prefix loses PostgreSQL's index for LIKE."""

    reversible = True

    def __init__(self, model_name: str, name: str) -> None:
        self.model_name = model_name
        self.name = name

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing: Django's models do not include this index."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Drop the index; SQLite has none."""
        if schema_editor.connection.vendor != "postgresql":
            return
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            column = model._meta.get_field(self.name).column
            for name in _plain_indexes(schema_editor.connection, model._meta.db_table, column):
                if name.endswith("_like"):
                    _drop_index(schema_editor, name)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Leave it: no version needs it."""

    def describe(self) -> str:
        """Return its description for `migrate` and `sqlmigrate`."""
        return f"Drop the index for LIKE on {self.name} of {self.model_name}"


def _plain_indexes(connection: Any, table: str, column: str) -> list[str]:
    """Return the indexes of a column alone that make nothing unique and leave no row out."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
        names = [
            name
            for name, one in found.items()
            if one["index"] and one["columns"] == [column]
            if not (one["unique"] or one["primary_key"] or one["check"] or one["foreign_key"])
        ]
        return sorted(set(names) - _partial(connection, cursor, table))


def _partial(connection: Any, cursor: Any, table: str) -> set[str]:
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
            " WHERE x.indrelid = %s::regclass AND x.indpred IS NOT NULL",
            [table],
        )
    else:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = %s"
            " AND sql LIKE '%% WHERE %%'",
            [table],
        )
    return {name for (name,) in cursor.fetchall()}


def _drop_index(schema_editor: Any, name: str) -> None:
    online = " CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"DROP INDEX{online} IF EXISTS {schema_editor.quote_name(name)}")
