"""What tests need from outside, and what happens when it is not there.

A test marked with one of _NEEDS is skipped, with the reason, where its need is not
met. What COC_TEST_REQUIRE names (`postgres,redis,browser`) must be there, and its absence is a
failure; CI=true requires all but the first. PostgreSQL is used when DATABASE_URL names it.
"""

from __future__ import annotations

import functools
import gc
import os
import shutil
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.middleware import csrf
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests import migrated, sampling

# Made-up input is judged by what comes of it, never by the speed of the machine.
hypothesis_settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")

# Collecting makes a million objects that stay; looking for garbage among them takes seconds.
gc.disable()

# The tests start the product a hundred times; it is not to be compiled each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def _empty_by_deleting(
    self: DatabaseOperations, style: Any, tables: Sequence[str], **_: Any
) -> list[str]:
    """Empty the tables after a test that commits; PostgreSQL syncs a file for each TRUNCATE.

    Foreign keys are checked at the end of the flush's transaction.
    """
    return [f"DELETE FROM {self.quote_name(table)}" for table in tables]


DatabaseOperations.sql_flush = _empty_by_deleting  # type: ignore[method-assign]

# The tokens in pages are random; none may happen to spell what a test says is not on its page.
csrf.CSRF_ALLOWED_CHARS = "QXZqxz"

# What takes longest begins first, so that nothing is left over for the end of a run. Seconds by
# file as a run measured them (`--durations=120`); only their order counts.
_SECONDS = Path(__file__).with_name("seconds_of_files.txt")

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


def _pgbouncer_lacks() -> str:
    from tests.processes.pgbouncer import PROGRAM

    return "" if PROGRAM else "needs PgBouncer (apt-get install pgbouncer)"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Let the database of the tests begin as a copy of the migrated one."""
    test = settings.DATABASES["default"].setdefault("TEST", {})
    if _postgres_lacks():
        migrated.copy_sqlite(Path(test["NAME"]))
    else:
        test["TEMPLATE"] = migrated.postgres_template()


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool) -> bool:
    """Return whether the database of the tests is there already, as the copy on SQLite is."""
    return django_db_keepdb or bool(_postgres_lacks())


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Make what many tests begin with, once, before any test has changed a setting.

    Nothing is made when no collected test uses it, so that one file alone starts quickly.
    """
    with django_db_blocker.unblock():
        from tests import large_keys
        from tests.kept import Rows, tables_of

        large_keys.begin()
        _put_back_after_flush(Rows.read(tables_of("contenttypes", "auth")))
        scene = sys.modules.get("tests.coc_admin.console.scene")
        if scene is not None:
            scene.keep_scene()


def _put_back_after_flush(migrated_rows: Any) -> None:
    """Let a test that commits leave the database as the migrations leave it.

    Django works all permissions out again after each such test, which takes longer than the rest.
    A test that goes back to an older migration may have lost the triggers of the capture trace and
    of the search.
    """
    from orders import capture_trace
    from orders.search import index

    def empty(self: TransactionTestCase) -> None:
        call_command(
            "flush",
            verbosity=0,
            interactive=False,
            reset_sequences=False,
            inhibit_post_migrate=True,
        )
        migrated_rows.insert()
        capture_trace.install(connection)
        index.install(connection)

    TransactionTestCase._fixture_teardown = empty  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _wrong_passwords_of_other_tests() -> None:
    """Forget what a process remembers of failed sign-ins."""
    from coc_admin.accounts.sign_in import counts

    counts.memory.clear()


def pytest_report_header() -> str:
    """Say which form of the suite this is."""
    return sampling.described()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Migrate while the workers collect: they would all wait for the first one to do it."""
    is_worker = hasattr(session.config, "workerinput")
    if not is_worker and session.config.getoption("numprocesses", None):
        on_postgres = not _postgres_lacks()
        make = migrated.postgres_template if on_postgres else migrated.sqlite_template
        threading.Thread(target=make, name="migrate", daemon=True).start()
        # This process collects nothing; only the workers do.
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases whose turn it is not, and begin with the files that take longest.

    A worker takes the next file when it is free. A file that was never measured begins after the
    long ones if it starts the product, else in its place.
    """
    seconds = _seconds_of_files()
    files = sampling.slow_not_today({item.path for item in items}, seconds)
    left = set(sampling.not_today(items)) | {item for item in items if item.path in files}
    if left:
        config.hook.pytest_deselected(items=list(left))
        items[:] = [item for item in items if item not in left]
    starting = {item.path for item in items if item.get_closest_marker("processes")}
    items.sort(key=lambda item: -seconds.get(item.path, 8 if item.path in starting else 0))


def _seconds_of_files() -> dict[Path, int]:
    lines = (line.split() for line in _SECONDS.read_text().splitlines())
    return {_SECONDS.parents[1] / name: int(seconds) for seconds, name in lines}


def pytest_collection_finish() -> None:
    """Have the collector of garbage not look again and again at what stays to the end.

    It also looks less often: that saves a twelfth of the processor time of ordinary tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Drop the migrated database, once every process of the run is done with it."""
    if not hasattr(config, "workerinput"):
        migrated.drop()


_NEEDS = {
    "postgres": _postgres_lacks,
    "redis": _redis_lacks,
    "browser": _browser_lacks,
    "gettext": _gettext_lacks,
    "pgbouncer": _pgbouncer_lacks,
}


def _required() -> set[str]:
    named = {name.strip() for name in os.environ.get("COC_TEST_REQUIRE", "").split(",")}
    if os.environ.get("CI", "").lower() == "true":
        named |= {"redis", "browser", "gettext", "pgbouncer"}
    return named


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Take DATABASE_URL away from a test that says it does without: it is the same on each one."""
    if item.get_closest_marker("own_sqlite") is None:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose need is not met, or fail it where the need is a requirement."""
    if item.get_closest_marker("own_sqlite") and "db" in getattr(item, "fixturenames", ()):
        pytest.fail("uses the database of the tests, and so is not `own_sqlite`", pytrace=False)
    for name, lacks in _NEEDS.items():
        if item.get_closest_marker(name) is None:
            continue
        problem = lacks()
        if problem and name in _required():
            pytest.fail(f"{problem}; it is required here", pytrace=False)
        if problem:
            pytest.skip(problem)


@pytest.fixture(autouse=True)
def _no_reports_left_behind() -> Iterator[None]:
    """Remove the reports that a test wrote: the next one's promises are checked against them."""
    folder = Path(settings.COC_IMPEX_DIR)
    yield
    if folder.exists():
        shutil.rmtree(folder)


@pytest.fixture
def redis_url() -> str:
    """Return the address of a Redis that tests may use."""
    return REDIS_URL
