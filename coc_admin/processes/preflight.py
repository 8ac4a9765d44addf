"""Checks before the start; each fault is one line with the remedy."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core import checks
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from coc_admin import private_files
from coc_admin.postgresql import pooler
from orders import statement_limit
from reconciliation.maintenance import schedules

# connections that may wait to be accepted
BACKLOG = 1024
# Any number that no other user of the database uses for its advisory locks.
_MIGRATION_LOCK = 0x434F43
# seconds between two checks whether the migrating process has finished
_PAUSE = 0.2


class NotReady(Exception):
    """A precondition is missing; the message is one line for the person who starts the product."""


def check_settings() -> None:
    """Run the system checks; raise NotReady with every error, one line each."""
    found = checks.run_checks(include_deployment_checks=True)
    errors = [message for message in found if message.level >= checks.ERROR]
    if errors:
        raise NotReady(
            "\n".join(f"{message.msg} {message.hint or ''}".strip() for message in errors)
        )


def take_port(host: str, port: int) -> socket.socket:
    """Return a socket bound to `host`:`port`, for the web processes to share.

    No client can connect before `listen`. Raises NotReady if the port is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _port_is_not_free(host, port, error) from None
    return listener


def listen(listener: socket.socket) -> None:
    """Let connections queue for the web processes. Raises NotReady if the port is now in use."""
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _port_is_not_free(host, port, error) from None


def _port_is_not_free(host: str, port: int, error: OSError) -> NotReady:
    return NotReady(
        f"Cannot listen on {host} port {port}: {(error.strerror or str(error)).lower()}. "
        "Stop what uses it, or choose another with PORT."
    )


def check_folder(name: str, folder: Path) -> None:
    """Create the folder if needed; raise NotReady unless files can be written in it."""
    problem = folder_problem(folder)
    if problem:
        raise NotReady(
            f"{name} ({folder}) cannot be written: {problem}. Give this user the right to write "
            f"there, or set {name} to another folder."
        )


def folder_problem(folder: Path) -> str:
    """Return why no file can be written in `folder` ("" if one can)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return (error.strerror or str(error)).lower()


def prepare_database() -> None:
    """Apply the migrations and repair the schedules. Raises NotReady without a database.

    First makes files private that every user could read.
    """
    private_files.tighten()
    # Drop a connection with shorter time limits, because a migration may take long.
    connection.close()
    try:
        with statement_limit.acting_as(statement_limit.Kind.COMMAND):
            _prepare_database()
    finally:
        connection.close()


def _prepare_database() -> None:
    name = connection.settings_dict["NAME"]
    try:
        connection.ensure_connection()
        wrong = pooler.problem(connection)
    except DatabaseError as error:
        raise NotReady(
            f"The database {name} cannot be reached: {_first_line(error) or 'no answer'}."
            f" {pooler.hint_at_refused_options(error) or 'Start it, or correct DATABASE_URL.'}"
        ) from None
    if wrong:
        raise NotReady(f"{wrong.message} {wrong.hint}")
    try:
        with _only_migrator():
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
            schedules.ensure()
    except DatabaseError as error:
        raise NotReady(
            f"The database {name} cannot be migrated: {_first_line(error) or 'unknown'}."
        ) from None


def _first_line(error: DatabaseError) -> str:
    return (str(error).strip().splitlines() or [""])[0]


@contextmanager
def _only_migrator() -> Iterator[None]:
    # Several hosts may start at once on one database. SQLite is used on one host, and its
    # migrations are short transactions that wait for each other.
    if connection.vendor != "postgresql":
        yield
        return
    # The lock belongs to a transaction, because a pooler gives each one its own session, and to a
    # separate connection, because migrations begin and end their own transactions.
    guard = connection.copy()
    try:
        while not _locks(guard):
            # A process that waits inside a statement has a snapshot, and an online index build in
            # the migrating process waits for all snapshots to end.
            time.sleep(_PAUSE)
        yield
    finally:
        guard.close()


def _locks(guard: BaseDatabaseWrapper) -> bool:
    guard.ensure_connection()
    guard.set_autocommit(False)
    with guard.cursor() as cursor:
        # It has nothing else to do until the migrations are finished.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
        mine = bool(cursor.fetchone()[0])
    if not mine:
        guard.rollback()
    return mine


def prepare_static_files() -> None:
    """Collect the static files if they are missing or older than their sources."""
    if not static_files_are_stale():
        return
    try:
        call_command("collectstatic", interactive=False, verbosity=0, clear=True, skip_checks=True)
    except OSError as error:
        raise NotReady(
            f"The static files cannot be collected in {settings.STATIC_ROOT}: "
            f"{(error.strerror or str(error)).lower()}. Set COC_STATIC_ROOT to a folder that this "
            "user can write."
        ) from None


def static_files_are_stale() -> bool:
    """Whether a source file is not collected, or has changed since."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    try:
        collected_at = manifest.stat().st_mtime
        collected = json.loads(manifest.read_text(encoding="utf-8"))["paths"]
    except (OSError, ValueError, KeyError):
        return True
    for finder in get_finders():
        for path, storage in finder.list([]):
            prefix = getattr(storage, "prefix", None) or ""
            known = os.path.join(prefix, path).replace(os.sep, "/")
            if known not in collected or os.path.getmtime(storage.path(path)) > collected_at:
                return True
    return False
