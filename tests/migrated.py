"""A migrated database, made once in a run of the tests and copied for everybody who needs one.

Migrating an empty database takes seconds of work, and a copy next to none. The processes of one
run share a folder (tests/settings.py); who comes first makes the database, the others wait. The
collected static files, which nobody changes, are shared as they are.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).parents[1]


def copy_sqlite(file: Path) -> None:
    """Write a migrated SQLite database to `file`."""
    with (
        closing(sqlite3.connect(sqlite_template())) as made,
        closing(sqlite3.connect(file)) as copy,
    ):
        made.backup(copy)


def fill_memory() -> None:
    """Fill this process's own database, which is SQLite in memory."""
    from django.db import connection

    connection.ensure_connection()
    with closing(sqlite3.connect(sqlite_template())) as made:
        made.backup(connection.connection)


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """Return the address of a migrated database of its own, which goes afterwards.

    It is on PostgreSQL when DATABASE_URL names one, else a file in `folder`.
    """
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        copy_sqlite(folder / "coc.sqlite3")
        yield f"sqlite:///{folder}/coc.sqlite3"
        return
    name = f"coc_stack_{uuid.uuid4().hex[:12]}"
    template = postgres_template()
    _execute(
        server,
        f'CREATE DATABASE "{name}" TEMPLATE "{template}"',
        # Tests that kill processes leave the server alone, which keeps what was committed.
        f'ALTER DATABASE "{name}" SET synchronous_commit = off',
    )
    try:
        yield _with_name(server, name)
    finally:
        _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def postgres_template() -> str:
    """Return the name of a migrated database at DATABASE_URL, to be the template of others."""
    server = os.environ["DATABASE_URL"]
    name = f"test_{urlsplit(server).path.lstrip('/')}_migrated"
    with _first_of_the_run("postgres") as first:
        if first:
            # One that is there is of a run that was killed.
            _execute(
                server,
                f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
                f'CREATE DATABASE "{name}"',
            )
            migrate(_with_name(server, name))
    return name


def static_files(env: Mapping[str, str]) -> Path:
    """Return the folder of the static files, as the product in `env` collects them."""
    folder = _folder() / "static"
    with _first_of_the_run("static") as first:
        if first:
            _manage(env | {"COC_STATIC_ROOT": str(folder)}, "collectstatic", "--no-input")
    return folder


def drop() -> None:
    """Drop what this run has made outside of its folder."""
    if (_folder() / "postgres.made").exists():
        server = os.environ["DATABASE_URL"]
        with suppress(psycopg.OperationalError):
            _execute(server, f'DROP DATABASE IF EXISTS "{postgres_template()}" WITH (FORCE)')


def migrate(address: str) -> None:
    """Migrate the database at `address` as `manage.py migrate` does."""
    settings = {"DJANGO_SETTINGS_MODULE": "coc_admin.settings", "DATABASE_URL": address}
    _manage(os.environ | settings, "migrate")


def _manage(env: Mapping[str, str], command: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", command, *arguments, "--verbosity=0"],
        cwd=ROOT,
        env=env,
        check=True,
        timeout=240,
    )


def sqlite_template() -> Path:
    """Return the file of a migrated SQLite database, to be copied."""
    file = _folder() / "migrated.sqlite3"
    with _first_of_the_run("sqlite") as first:
        if first:
            migrate(f"sqlite:///{file}")
    return file


@contextmanager
def _first_of_the_run(what: str) -> Iterator[bool]:
    """Tell one process of the run that `what` is to be made; the others wait until it is."""
    made = _folder() / f"{what}.made"
    with (_folder() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not made.exists()
        made.touch()


def _folder() -> Path:
    return Path(os.environ["COC_TEST_FOLDER"])


def _with_name(server: str, name: str) -> str:
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def _execute(server: str, *statements: str) -> None:
    with psycopg.connect(_with_name(server, "postgres"), autocommit=True) as link:
        for statement in statements:
            link.execute(statement)
