"""The processes of the product: web, worker and monitor (design 8)."""

from __future__ import annotations

import os
import sys

from django.conf import settings

from coc_admin.supervisor.children import ROOT, Program

NAMES = ("web", "worker", "monitor")

# SQLite has one writer at a time, so a second process only adds waiting; PostgreSQL takes a
# process a core. Measured, see docs/decisions.md.
SQLITE_THREADS = 12
POSTGRESQL_THREADS = 4


def uses_sqlite() -> bool:
    """Whether the database is SQLite."""
    return str(settings.DATABASES["default"]["ENGINE"]).endswith("sqlite3")


def web_workers() -> int:
    """Return how many web processes to start: the setting, or what suits the database."""
    if settings.COC_WEB_WORKERS:
        return int(settings.COC_WEB_WORKERS)
    return 1 if uses_sqlite() else os.cpu_count() or 1


def web_threads() -> int:
    """Return how many requests one web process works on at a time."""
    if settings.COC_WEB_THREADS:
        return int(settings.COC_WEB_THREADS)
    return SQLITE_THREADS if uses_sqlite() else POSTGRESQL_THREADS


def web(*, host: str, port: int) -> Program:
    """Return the web server on `host`:`port`."""
    return Program(
        "web",
        (
            sys.executable,
            "-m",
            "granian",
            "--interface=wsgi",
            f"--host={host}",
            f"--port={port}",
            f"--workers={web_workers()}",
            f"--blocking-threads={web_threads()}",
            "--no-ws",
            "--no-access-log",
            "--log-level=warning",
            "--respawn-failed-workers",
            "--workers-kill-timeout=5",
            "coc_admin.wsgi:application",
        ),
    )


def command(name: str, *arguments: str) -> Program:
    """Return a management command as a program of that name."""
    return Program(name, (sys.executable, str(ROOT / "manage.py"), *arguments))


def chosen(*, names: list[str], host: str, port: int) -> list[Program]:
    """Return the programs with these names, in the order in which they are started."""
    every = {
        "web": web(host=host, port=port),
        "worker": command("worker", "qcluster"),
        "monitor": command("monitor", "watch_oci"),
    }
    return [every[name] for name in NAMES if name in names]
