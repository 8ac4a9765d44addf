"""An upgrade empties the tables of django-axes where they are, and does not miss them elsewhere."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.db import connection

MIGRATION = import_module("coc_admin.migrations.0010_sign_in_counts")


def test_names_and_addresses_of_old_sign_ins_go(db: None) -> None:
    with connection.cursor() as cursor:
        for table in ("axes_accesslog", "axes_accessattempt"):
            cursor.execute(f"CREATE TABLE {table} (username VARCHAR(255))")
            cursor.execute(f"INSERT INTO {table} VALUES ('vera')")
        # In the transaction of the test; two of the four tables are not there.
        editor = connection.schema_editor()
        editor.deferred_sql = []
        MIGRATION.forget_sign_ins(apps, editor)
        for table in ("axes_accesslog", "axes_accessattempt"):
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
            assert cursor.fetchone() == (0,)
            cursor.execute(f"DROP TABLE {table}")
