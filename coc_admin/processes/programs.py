"""The processes of the product: web with its console process, worker and monitor (design 8)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from coc_admin.processes.children import ROOT, Program
from coc_admin.processes.lock_watch import LockWatch
from coc_admin.web_server import handover

NAMES = ("web", "worker", "monitor")

# SQLite has one writer at a time, so a second process only adds waiting; PostgreSQL supports one
# process per core. Measured, see docs/adr.
# Threads of all web processes together, and of one at least. Orders that wait together share a
# transaction, so threads make an order cheaper; on PostgreSQL each may hold a connection.
SQLITE_THREADS = 32
POSTGRESQL_THREADS = 16
LEAST_THREADS = 4
# Pages in progress at a time, each of which queries the database.
CONSOLE_THREADS = 4


def uses_sqlite() -> bool:
    """Whether the database is SQLite."""
    return str(settings.DATABASES["default"]["ENGINE"]).endswith("sqlite3")


def lock_watch(say: Callable[[str], None]) -> LockWatch | None:
    """Return the watch for SQLite's write lock; None for other databases."""
    return (
        LockWatch(Path(settings.DATABASES["default"]["NAME"]), say=say) if uses_sqlite() else None
    )


def web_workers() -> int:
    """Return how many web processes to start: the setting, or the default for the database."""
    if settings.COC_WEB_WORKERS:
        return int(settings.COC_WEB_WORKERS)
    return 1 if uses_sqlite() else os.cpu_count() or 1


def web_threads() -> int:
    """Return how many requests one web process handles at a time."""
    if settings.COC_WEB_THREADS:
        return int(settings.COC_WEB_THREADS)
    return threads_of_each(web_workers(), sqlite=uses_sqlite())


def threads_of_each(processes: int, *, sqlite: bool) -> int:
    """Return how many threads each of so many web processes has."""
    together = SQLITE_THREADS if sqlite else POSTGRESQL_THREADS
    return max(LEAST_THREADS, together // processes)


def console_threads() -> int:
    """Return how many requests the console process handles at a time."""
    return int(settings.COC_CONSOLE_THREADS) or CONSOLE_THREADS


def web(listener: int) -> list[Program]:
    """Return the web processes, which share the bound socket with the descriptor `listener`.

    The list includes the console process, which answers everything except orders. The supervisor
    keeps the sockets open: a client that connects during a restart waits in the queue.
    """
    # Both stay open for the life of the supervisor, because nothing else refers to them.
    outer, inner = (end.detach() for end in handover.pair())
    command = (sys.executable, "-m", "coc_admin.web_server", str(listener), str(outer))
    console = (sys.executable, "-m", "coc_admin.web_server.console", str(inner))
    number = web_workers()
    names = [f"web-{n + 1}" for n in range(number)] if number > 1 else ["web"]
    return [
        *(Program(name, command, files=(listener, outer)) for name in names),
        Program("console", console, files=(inner,)),
    ]


def command(name: str, *arguments: str) -> Program:
    """Return a management command as a program of the same name.

    The supervisor has run the checks, which load every page; worker and monitor never need those.
    """
    return Program(name, (sys.executable, str(ROOT / "manage.py"), *arguments, "--skip-checks"))


def chosen(*, names: list[str], listener: int | None) -> list[Program]:
    """Return the programs with these names, in starting order.

    `listener` is the descriptor of a bound socket; web needs it.
    """
    found: list[Program] = []
    if "web" in names and listener is not None:
        found += web(listener)
    if "worker" in names:
        found.append(command("worker", "qcluster"))
    if "monitor" in names:
        found.append(command("monitor", "watch_oci"))
    return found
