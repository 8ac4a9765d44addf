"""What must be right before anything is started; each fault is one line that says what to do."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core import checks
from django.core.management import call_command
from django.db import DatabaseError, connection

from reconciliation import schedules

# Connections that wait to be accepted.
BACKLOG = 1024
# Any number will do that no other user of the database takes for its own advisory locks.
_MIGRATION_LOCK = 0x434F43


class NotReady(Exception):
    """Something is missing; the message is one line for the person who starts the product."""


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

    Nobody can connect before `listen`. Raises NotReady when somebody listens there.
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
    """Let connections wait for the web processes. Raises NotReady when another was faster."""
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
    """Raise NotReady unless files can be written in `folder`; it is made when missing."""
    problem = folder_problem(folder)
    if problem:
        raise NotReady(
            f"{name} ({folder}) cannot be written: {problem}. Give this user the right to write "
            f"there, or set {name} to another folder."
        )


def folder_problem(folder: Path) -> str:
    """Return why no file can be written in `folder` ("" when one can)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return (error.strerror or str(error)).lower()


def prepare_database() -> None:
    """Apply the migrations and make the schedules true. Raises NotReady without a database."""
    name = connection.settings_dict["NAME"]
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        first_line = (str(error).strip().splitlines() or ["no answer"])[0]
        raise NotReady(
            f"The database {name} cannot be reached: {first_line}. Start it, or correct "
            "DATABASE_URL."
        ) from None
    try:
        with _only_migrator():
            call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
            schedules.ensure()
    except DatabaseError as error:
        first_line = (str(error).strip().splitlines() or ["unknown"])[0]
        raise NotReady(f"The database {name} cannot be migrated: {first_line}.") from None
    finally:
        connection.close()


@contextmanager
def _only_migrator() -> Iterator[None]:
    # Several hosts may start at once on one database. SQLite is used on one host, and its
    # migrations are short transactions that wait for each other.
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])


def prepare_static_files() -> None:
    """Collect the static files when the collected ones are missing or older than their sources."""
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
