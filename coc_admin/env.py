"""Typed readers of environment variables: errors name the variable and the remedy."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """Return the variable `name`, or the content of the file that `name`_FILE points to."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE cannot be read ({error.strerror}); name a readable file."
            ) from None
    return os.environ.get(name, default).strip()


def flag(name: str, *, default: bool) -> bool:
    """Return a yes/no variable; refuses any value that is not a true/false word."""
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; use true or false.")


def number(name: str, default: float, *, low: float, high: float) -> float:
    """Return a number between `low` and `high` (both allowed)."""
    value = text(name)
    if not value:
        return default
    try:
        parsed = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}; use a number.") from None
    if not low <= parsed <= high:
        raise ImproperlyConfigured(f"{name} is {value}; use a number from {low:g} to {high:g}.")
    return parsed


def whole(name: str, default: int, *, low: int, high: int) -> int:
    """Return a whole number between `low` and `high` (both allowed)."""
    parsed = number(name, default, low=low, high=high)
    if parsed != int(parsed):
        raise ImproperlyConfigured(f"{name} is {parsed}; use a whole number.")
    return int(parsed)


def names(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list without empty entries."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def networks(name: str, default: str = "") -> list[IPv4Network | IPv6Network]:
    """Return a comma-separated variable of addresses and networks; empty is the default."""
    found = []
    for part in names(name) or [one for one in default.split(",") if one]:
        try:
            found.append(ip_network(part, strict=False))
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} has {part!r}; use addresses and networks such as 10.0.0.7,10.1.0.0/16."
            ) from None
    return found


def folder(name: str, default: Path) -> Path:
    """Return a folder, made when it is missing."""
    path = Path(text(name) or default)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} ({path}) cannot be made: {error.strerror}; name a folder that can be written."
        ) from None
    return path


def umask_for(*, group_access: bool) -> int:
    """Return the umask of every process: others may do nothing, the group reads if it may."""
    return 0o027 if group_access else 0o077


def database(name: str, default: str) -> dict[str, Any]:
    """Return Django's settings of the database that the URL in `name` points to.

    `sqlite:///relative.sqlite3`, `sqlite:////absolute.sqlite3` and
    `postgres://user:password@host:port/name?option=value` are supported. Raises
    ImproperlyConfigured, without any part of the password.
    """
    try:
        url = urlsplit(text(name, default))
        port = url.port
    except ValueError:
        # Its message would tell what it took for the port: part of the password.
        raise ImproperlyConfigured(
            f"{name} cannot be read; in user and password write special characters as %XX, "
            "a slash as %2F."
        ) from None
    pooler = _pooler(name, is_sqlite=url.scheme == "sqlite")
    if url.scheme == "sqlite":
        return _sqlite(url.path)
    if url.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "coc_admin.postgresql",
            "NAME": unquote(url.path.lstrip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": unquote(url.hostname or ""),
            "PORT": str(port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": _options(name, dict(parse_qsl(url.query)), pooler),
            "POOLER": pooler,
            # A cursor that outlives its transaction would be another client's.
            "DISABLE_SERVER_SIDE_CURSORS": pooler == "transaction",
        }
    raise ImproperlyConfigured(
        f"{name} has the scheme {url.scheme!r}; use sqlite:///FILE or postgres://USER@HOST/NAME."
    )


# How soon our side notices that the server has gone, in libpq's words; a URL may say otherwise.
# What is sent must be acknowledged within 8 seconds, and a line that is idle is tried after 5.
_LIMITS = {
    "connect_timeout": "3",
    "tcp_user_timeout": "8000",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}
# What a session would keep, or a pooler refuses.
_OF_A_SESSION = ("assume_role", "options", "prepare_threshold")


def _options(name: str, query: dict[str, str], pooler: str) -> dict[str, Any]:
    """Return the options of a connection to PostgreSQL: our limits, and those of the URL."""
    kept = [option for option in _OF_A_SESSION if option in query] if pooler else []
    if kept:
        raise ImproperlyConfigured(
            f"{name} has {', '.join(kept)} while COC_DATABASE_POOLER is {pooler}, and a pooler"
            " keeps no session of ours; leave it out, and set it for the role (ALTER ROLE)."
        )
    options: dict[str, Any] = _LIMITS | query
    if "prepare_threshold" in query:
        wanted = query["prepare_threshold"]
        if not wanted.isdecimal():
            raise ImproperlyConfigured(
                f"prepare_threshold in {name} is {wanted!r}; use a whole number."
            )
        options["prepare_threshold"] = int(wanted)
    return options


def _pooler(name: str, *, is_sqlite: bool) -> str:
    pooler = text("COC_DATABASE_POOLER").lower()
    if pooler not in {"", "session", "transaction"}:
        raise ImproperlyConfigured(
            f"COC_DATABASE_POOLER is {pooler!r}; use transaction or session, as the pooler does, or"
            " leave it unset without one."
        )
    if pooler and is_sqlite:
        raise ImproperlyConfigured(
            f"COC_DATABASE_POOLER is {pooler} and {name} is SQLite, which has none; unset it."
        )
    return pooler


def _sqlite(path: str) -> dict[str, Any]:
    synchronous = text("COC_SQLITE_SYNCHRONOUS", "NORMAL").upper()
    if synchronous not in {"NORMAL", "FULL"}:
        raise ImproperlyConfigured("COC_SQLITE_SYNCHRONOUS must be NORMAL or FULL.")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path[1:] if path.startswith("/") else path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A deferred transaction that upgrades to a write fails at once with
            # "database is locked"; an immediate one waits for its turn.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};",
        },
    }
