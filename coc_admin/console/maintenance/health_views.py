"""Health of processes, queue and schedules, and which version runs on what."""

from __future__ import annotations

import platform
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

import django
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_q.models import Failure

from coc_admin.console.access import console_page
from coc_admin.console.maintenance.pages import maintenance_page
from coc_admin.console.settings.interval_views import shown
from coc_admin.console.settings.schedule_views import beats_now
from reconciliation.maintenance import schedules
from reconciliation.maintenance.schedule_status import schedule_status
from reconciliation.queue import enqueue

_PACKAGE = "continuous-order-capture"
_SHOWN = 10
_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Versions:
    """The running versions."""

    product: str
    django: str
    python: str
    database: str


@console_page("orders.change_site", every_site=True)
def health_page(request: HttpRequest) -> HttpResponse:
    """Show the health of all processes, the queue's failures, and the versions."""
    now = timezone.now()
    missing = _migrations_missing()
    states = schedules.states(now)
    context: dict[str, Any] = {
        "versions": _versions(),
        "missing": missing,
        "beats": beats_now(now),
        "queued": enqueue.queued(),
        "failures": [
            (failure, str(failure.result or "")[:_LONGEST_ERROR])
            for failure in Failure.objects.order_by("-stopped")[:_SHOWN]
        ],
        "rows": [shown(entry) for entry in schedule_status(now)],
        "is_broken": any(state.is_own and state.fault for state in states),
    }
    return maintenance_page(request, "health.html", context)


def _versions() -> Versions:
    return Versions(
        product=_product_version(),
        django=django.get_version(),
        python=platform.python_version(),
        database=_database(),
    )


@cache
def _product_version() -> str:
    """Return the version of the installed package, or of the running checkout."""
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
        return str(project["version"])


def _database() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SHOW server_version")
        else:
            cursor.execute("SELECT sqlite_version()")
        (version,) = cursor.fetchone()
    return f"{connection.display_name} {version}"


def _migrations_missing() -> list[str]:
    """Return the migrations of this version that the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]
