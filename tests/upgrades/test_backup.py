"""A backup taken while the shop sells, brought back: as docs/operations.md describes it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import override_settings

from orders.models import Order, Site
from reconciliation.maintenance import integrity_check
from tests.coc_admin.console import scene
from tests.engine import D, Engine, standing
from tests.upgrades import old_database
from tests.upgrades.old_database import ALIAS, AskOld


def database_options() -> tuple[list[str], dict[str, str]]:
    """Return how PostgreSQL's own programs reach the server."""
    told = connection.settings_dict
    options = [
        f"--host={told['HOST']}",
        f"--port={told['PORT'] or 5432}",
        f"--username={told['USER']}",
    ]
    return options, os.environ | {"PGPASSWORD": told["PASSWORD"]}


def back_up(file: Path) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with sqlite3.connect(file) as copy:
            connection.connection.backup(copy)
        return
    if shutil.which("pg_dump") is None or shutil.which("pg_restore") is None:
        pytest.skip("needs pg_dump and pg_restore (apt-get install postgresql-client)")
    options, env = database_options()
    name = connection.settings_dict["NAME"]
    command = ["pg_dump", *options, "--format=custom", f"--file={file}", name]
    subprocess.run(command, env=env, check=True)


def bring_back(file: Path) -> None:
    """Fill the empty database with the backup."""
    name = connections[ALIAS].settings_dict["NAME"]
    if connection.vendor == "sqlite":
        shutil.copy(file, name)
        return
    options, env = database_options()
    command = ["pg_restore", *options, "--exit-on-error", f"--dbname={name}", str(file)]
    subprocess.run(command, env=env, check=True)


def reports(folder: Path) -> dict[str, list[Any]]:
    return {
        path.name: json.loads(path.read_text())["orders"] for path in sorted(folder.glob("*.json"))
    }


def test_orders_and_files_come_back(shop: None, tmp_path: Path, settings: Any) -> None:
    folder = tmp_path / "impex" / "src" / "continuous_order_capture"
    before = reports(folder)
    assert {name: len(orders) for name, orders in before.items()} == {
        "20260202_offline_NorthShop.json": 8,
        "20260202_oversold_NorthShop.json": 2,
        "20260202_reserved_NorthShop.json": 2,
    }
    back_up(tmp_path / "backup")
    scene.place(Site.objects.get(pk="NorthShop"), "late", items=[("MUG-01", 1)])
    shutil.rmtree(tmp_path / "impex")

    with (
        old_database.empty_database(tmp_path),
        override_settings(DATABASE_ROUTERS=[AskOld()]),
    ):
        bring_back(tmp_path / "backup")
        assert Order.objects.count() == 8
        assert [found.promise for found in integrity_check.check()] == [
            6,
            6,
            6,
        ]  # the files are missing
        call_command("merge_reports", verbosity=0)
        assert list(integrity_check.check()) == []
        assert reports(folder) == before
    assert Order.objects.count() == 9


@pytest.mark.django_db
def test_orders_captured_after_the_backup_are_sent_again_and_reserved_once(
    engine: Engine,
) -> None:
    """OCI holds units for orders that the backup does not know: the same id finds them."""
    site = engine.site({"MUG": 5})
    with transaction.atomic():
        placed = engine.place(site, "late", [("MUG", 2)])
        assert standing(placed.order) == ("new", "COMPLETELY_RESERVED", False)
        transaction.set_rollback(True)
    assert not Order.objects.exists()
    assert engine.held() == {"MUG": D(2)}

    again = engine.place(site, "late", [("MUG", 2)])

    assert again.created
    assert standing(again.order) == ("new", "COMPLETELY_RESERVED", False)
    assert engine.held() == {"MUG": D(2)}
