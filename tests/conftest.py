"""What tests need from outside, and what happens when it is not there.

A test marked with one of _NEEDS is skipped, with the reason, where its need is not
met. What COC_TEST_REQUIRE names (`postgres,redis,browser`) must be there, and its absence is a
failure; CI=true requires all but the first. PostgreSQL is used when DATABASE_URL names it.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db.backends.postgresql.operations import DatabaseOperations


def _empty_by_deleting(
    self: DatabaseOperations, style: Any, tables: Sequence[str], **_: Any
) -> list[str]:
    """Empty the tables after a test that commits; PostgreSQL syncs a file for each TRUNCATE.

    Foreign keys are checked at the end of the flush's transaction.
    """
    return [f"DELETE FROM {self.quote_name(table)}" for table in tables]


DatabaseOperations.sql_flush = _empty_by_deleting  # type: ignore[method-assign]

CHROMIUM = Path("/usr/bin/chromium")
REDIS_URL = os.environ.get("COC_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


def _postgres_lacks() -> str:
    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        return ""
    return "needs PostgreSQL: set DATABASE_URL=postgres://USER@HOST/NAME"


@functools.cache
def _redis_lacks() -> str:
    try:
        redis.Redis.from_url(REDIS_URL, socket_connect_timeout=2).ping()
    except redis.RedisError:
        return f"needs Redis at {REDIS_URL} (COC_TEST_REDIS_URL)"
    return ""


def _browser_lacks() -> str:
    return "" if CHROMIUM.exists() else f"needs {CHROMIUM} (apt-get install chromium)"


def _gettext_lacks() -> str:
    return "" if shutil.which("xgettext") else "needs GNU gettext (apt-get install gettext)"


_NEEDS = {
    "postgres": _postgres_lacks,
    "redis": _redis_lacks,
    "browser": _browser_lacks,
    "gettext": _gettext_lacks,
}


def _required() -> set[str]:
    named = {name.strip() for name in os.environ.get("COC_TEST_REQUIRE", "").split(",")}
    if os.environ.get("CI", "").lower() == "true":
        named |= {"redis", "browser", "gettext"}
    return named


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose need is not met, or fail it where the need is a requirement."""
    for name, lacks in _NEEDS.items():
        if item.get_closest_marker(name) is None:
            continue
        problem = lacks()
        if problem and name in _required():
            pytest.fail(f"{problem}; it is required here", pytrace=False)
        if problem:
            pytest.skip(problem)


@pytest.fixture
def redis_url() -> str:
    """Return the address of a Redis that tests may use."""
    return REDIS_URL
