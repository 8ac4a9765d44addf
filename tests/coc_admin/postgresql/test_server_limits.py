"""What the server limits for each connection, read from the server."""

from __future__ import annotations

import os

import pytest
from django.db.utils import ConnectionHandler
from pytest_django.fixtures import Settings

from coc_admin import env
from orders import statement_limit
from orders.statement_limit import Kind

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

NAMES = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.COC_DATABASE_SECONDS = 5.0
    settings.COC_DATABASE_WORK_SECONDS = 20.0
    settings.COC_DATABASE_COMMAND_SECONDS = 3600.0


def shown(monkeypatch: pytest.MonkeyPatch, query: str = "") -> list[str]:
    url = os.environ["DATABASE_URL"].rpartition("/")[0]
    monkeypatch.setenv("COC_X", f"{url}/postgres{query}")
    opened = ConnectionHandler({"default": env.database("COC_X", "")})["default"]
    try:
        with opened.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(f'current_setting({n!r})' for n in NAMES)}")
            return list(cursor.fetchone())
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("kind", "limits"),
    [
        # An export in a web process may take as long as a worker's statement.
        (Kind.SERVICE, ["20s", "4s", "10s"]),
        (Kind.WORKER, ["20s", "16s", "10s"]),
        (Kind.COMMAND, ["1h", "48min", "5min"]),
    ],
)
def test_limits_are_those_of_the_process(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, limits: list[str]
) -> None:
    with statement_limit.acting_as(kind):
        assert shown(monkeypatch) == limits


def test_the_url_goes_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    query = "?options=-c%20lock_timeout%3D9s%20-c%20statement_timeout%3D0"
    assert shown(monkeypatch, query) == ["0", "9s", "10s"]
