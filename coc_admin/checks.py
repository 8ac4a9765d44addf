"""System checks: settings that are unsafe or cannot work, each with what to do about it.

Those that a development shell may well fail are deploy checks: `manage.py check --deploy` and
`manage.py serve` run them.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags
from django.db import DatabaseError, connection
from django.utils import timezone

from coc_admin import private_files
from coc_admin.postgresql import pooler
from coc_admin.processes import preflight, programs

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "::1", "testserver"}
MONITOR_SILENT = timedelta(seconds=60)
OCI_SETTINGS = (
    "COC_OCI_BASE_URL",
    "COC_OCI_TENANT_GROUP_ID",
    "COC_OCI_TOKEN_URL",
    "COC_OCI_CLIENT_ID",
    "COC_OCI_CLIENT_SECRET",
)

Apps = Sequence[AppConfig] | None


@checks.register(Tags.security, deploy=True)
def secret_key_is_set(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E001: the development key signs sessions and queued tasks of a production site."""
    if settings.DEBUG or settings.SECRET_KEY != settings.DEFAULT_SECRET_KEY:
        return []
    return [
        checks.Error(
            "SECRET_KEY is not set.",
            hint="Set it to a random text of at least 50 characters, the same for all processes.",
            id="coc.E001",
        )
    ]


@checks.register(Tags.security)
def debug_stays_at_home(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E002: DEBUG shows settings and code to anyone who causes an error."""
    outside = sorted(set(settings.ALLOWED_HOSTS) - LOCAL_HOSTS)
    if not settings.DEBUG or not outside:
        return []
    return [
        checks.Error(
            f"DEBUG is on while ALLOWED_HOSTS admits {', '.join(outside)}.",
            hint="Set DEBUG=false, or leave only localhost in ALLOWED_HOSTS.",
            id="coc.E002",
        )
    ]


@checks.register(deploy=True)
def way_to_oci_can_be_used(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E015: a proxy that is no address, or a file of certificates that cannot be read."""
    wrong: list[CheckMessage] = []
    proxy = settings.COC_OCI_PROXY
    if proxy and not _is_proxy(proxy):
        wrong.append(
            checks.Error(
                "COC_OCI_PROXY is not the address of a proxy.",
                hint="Use http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ if it asks"
                " for them.",
                id="coc.E015",
            )
        )
    file = settings.COC_OCI_CA_FILE
    if file and (fault := _fault_of_certificates(file)):
        wrong.append(
            checks.Error(
                f"COC_OCI_CA_FILE cannot be used: {fault}.",
                hint="Name a file of certificates in PEM that every process may read.",
                id="coc.E015",
            )
        )
    return wrong


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and has_place and parts.path in ("", "/")


def _fault_of_certificates(file: str) -> str:
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        return "it holds no certificates"
    except OSError as error:
        return error.strerror or "it cannot be read"
    return ""


@checks.register(deploy=True)
def oci_is_configured(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E003: without these no reservation can be made."""
    missing = [name for name in OCI_SETTINGS if not getattr(settings, name)]
    if not missing:
        return []
    return [
        checks.Error(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.",
            hint="They say where the inventory service is and who we are; see "
            "docs/settings.md. To look around without one, use `make demo`.",
            id="coc.E003",
        )
    ]


@checks.register(deploy=True)
def impex_folder_is_writable(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E004: reports cannot be written."""
    problem = preflight.folder_problem(settings.COC_IMPEX_DIR)
    if not problem:
        return []
    return [
        checks.Error(
            f"COC_IMPEX_DIR ({settings.COC_IMPEX_DIR}) cannot be written: {problem}.",
            hint="Give this user the right to write there, or set it to another folder.",
            id="coc.E004",
        )
    ]


@checks.register()
def queue_retry_outlasts_timeouts(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E005: the queue counts `retry` from prefetch, so tasks that merely wait would run twice."""
    queue: dict[str, Any] = settings.Q_CLUSTER
    waiting = math.ceil((queue["queue_limit"] + queue["bulk"]) / queue["workers"])
    least = queue["timeout"] * (1 + waiting)
    if queue["retry"] > least:
        return []
    return [
        checks.Error(
            f"Q_CLUSTER retry is {queue['retry']} s and must exceed {least} s.",
            hint="retry > timeout * (1 + ceil((queue_limit + bulk) / workers)): raise retry, or "
            "lower the others.",
            id="coc.E005",
        )
    ]


@checks.register(Tags.database)
def offline_capture_has_a_monitor(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W006: sites sell offline, and nobody looks whether OCI is back."""
    from orders.models import Site
    from reconciliation.queue import heartbeats

    if not databases:
        return []
    try:
        sites = list(
            Site.objects.filter(offline_capture=True).order_by("id").values_list("id", flat=True)
        )
        last = heartbeats.last_beat(heartbeats.MONITOR) if sites else None
    except DatabaseError:
        return []  # not migrated yet, or away: other checks tell
    if not sites or (last is not None and timezone.now() - last <= MONITOR_SILENT):
        return []
    since = f"since {last:%Y-%m-%d %H:%M:%S} UTC" if last else "so far"
    return [
        checks.Warning(
            f"{', '.join(sites)} may capture orders offline, and no monitor has beaten {since}.",
            hint="Start one: `make run`, or `manage.py watch_oci`.",
            id="coc.W006",
        )
    ]


@checks.register(deploy=True)
def sqlite_has_one_web_process(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W007: writers of several processes starve each other on SQLite."""
    if settings.COC_WEB_WORKERS <= 1 or not programs.uses_sqlite():
        return []
    return [
        checks.Warning(
            f"COC_WEB_WORKERS is {settings.COC_WEB_WORKERS} on SQLite, which has one writer.",
            hint="Leave it unset, or use PostgreSQL (DATABASE_URL).",
            id="coc.W007",
        )
    ]


@checks.register(Tags.security)
def files_are_private(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W030: other users of the host can read customers and orders."""
    found = private_files.open_to_others()
    if not found:
        return []
    return [
        checks.Warning(
            f"More users than should can use {', '.join(str(path) for path in found)}.",
            hint="`manage.py serve` puts this right; or chmod -R o-rwx,g-rwx them. With"
            " COC_FILE_GROUP_ACCESS=true the group may read them.",
            id="coc.W030",
        )
    ]


@checks.register()
def mail_server_is_spoken_to_in_one_way(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E008: Django refuses every message with both."""
    if not (settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL):
        return []
    return [
        checks.Error(
            "EMAIL_USE_TLS and EMAIL_USE_SSL are both set.",
            hint="Leave EMAIL_USE_TLS for port 587, or EMAIL_USE_SSL for port 465.",
            id="coc.E008",
        )
    ]


@checks.register(deploy=True)
def mail_can_be_sent(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W009: channels and messages to customers that go by e-mail are refused."""
    if settings.EMAIL_BACKEND != "reconciliation.alerts.channels.no_mail.NoMail":
        return []
    return [
        checks.Warning(
            "EMAIL_HOST is not set: no e-mail is sent.",
            hint="Set EMAIL_HOST and DEFAULT_FROM_EMAIL to tell people of alerts and to write to"
            " customers by e-mail. Webhooks work without.",
            id="coc.W009",
        )
    ]


@checks.register(deploy=True)
def proxy_elsewhere_is_named(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E010: headers of an unnamed proxy are ignored, so every page redirects to itself.

    A web server that listens only on this machine is reached only by local proxies.
    """
    is_local = settings.COC_BIND in LOCAL_HOSTS
    if not settings.COC_BEHIND_TLS_PROXY or settings.COC_PROXIES_ARE_NAMED or is_local:
        return []
    return [
        checks.Error(
            f"COC_BEHIND_TLS_PROXY is on, COC_BIND is {settings.COC_BIND}, and no proxy is named.",
            hint="Set COC_TRUSTED_PROXIES to the addresses or networks of your proxies; to"
            " 127.0.0.0/8,::1 if they are all on this machine.",
            id="coc.E010",
        )
    ]


@checks.register(Tags.database)
def pooler_is_declared(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """E020: behind a pooler, session settings could be another client's."""
    if not databases:
        return []
    try:
        wrong = pooler.problem(connection)
    except DatabaseError as error:
        hint = pooler.hint_at_refused_options(error)
        if not hint:
            return []  # away: other checks tell
        wrong = pooler.Problem("The database refuses what is set for a connection.", hint)
    return [checks.Error(wrong.message, hint=wrong.hint, id="coc.E020")] if wrong else []


@checks.register(Tags.database)
def idle_transactions_end_behind_a_pooler(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W021: we cannot set this behind a pooler that pools by transaction, and the role can."""
    if not databases or connection.settings_dict.get("POOLER") != "transaction":
        return []
    try:
        if pooler.limits_idle_transactions(connection):
            return []
    except DatabaseError:
        return []  # away: other checks tell
    return [
        checks.Warning(
            "The database lets a transaction be idle for ever: one whose client has fallen silent"
            " keeps others from its stock.",
            hint="ALTER ROLE ... SET idle_in_transaction_session_timeout = '10s'; see Poolers in"
            " docs/operations.md.",
            id="coc.W021",
        )
    ]
