"""A pooler in front of the database is detected, and its limits are respected."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, ProgrammingError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from coc_admin import checks, env
from coc_admin.postgresql import pooler
from coc_admin.processes import preflight
from tests.coc_admin.test_checks import told
from tests.processes.pgbouncer import pgbouncer

pytestmark = [pytest.mark.postgres, pytest.mark.pgbouncer, pytest.mark.django_db]

Open = Callable[..., BaseDatabaseWrapper]


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a function that connects through a pooler of that mode, as the settings would."""
    with ExitStack() as stack:

        def connect(declared: str, pool_mode: str = "", *, ignore: str = "") -> Any:
            url = os.environ["DATABASE_URL"].rpartition("/")[0] + "/postgres"
            if pool_mode:
                url = stack.enter_context(pgbouncer(url, pool_mode=pool_mode, ignore=ignore))
            monkeypatch.setenv("COC_X", url)
            monkeypatch.setenv("COC_DATABASE_POOLER", declared)
            handler = ConnectionHandler({"default": env.database("COC_X", "")})
            opened = handler["default"]
            stack.callback(opened.close)
            return opened

        yield connect


def shown(opened: BaseDatabaseWrapper, name: str) -> str:
    with opened.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("declared", "pool_mode"),
    [("", ""), ("transaction", "transaction"), ("session", "session"), ("transaction", "")],
)
def test_a_setting_that_is_true_is_left_alone(link: Open, declared: str, pool_mode: str) -> None:
    assert pooler.problem(link(declared, pool_mode)) is None


@pytest.mark.parametrize("declared", ["", "session"])
def test_a_pooler_that_shares_sessions_must_be_declared(link: Open, declared: str) -> None:
    found = pooler.problem(link(declared, "transaction", ignore="options"))
    assert found == pooler.Problem(
        "A pooler that pools by transaction stands before the database, and COC_DATABASE_POOLER is"
        f" {declared or 'not set'}.",
        "Set COC_DATABASE_POOLER=transaction; see Poolers in docs/operations.md.",
    )


def test_a_pooler_that_lends_whole_sessions_must_be_declared_too(link: Open) -> None:
    found = pooler.problem(link("", "session", ignore="options"))
    assert found is not None
    assert found.message == (
        "A pooler stands before the database, and COC_DATABASE_POOLER is not set."
    )


def test_a_pooler_that_refuses_our_options_says_what_to_do(
    link: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = link("", "transaction")
    with pytest.raises(OperationalError, match="startup parameter") as refused:
        opened.ensure_connection()
    hint = (
        "A pooler stands before it. Set COC_DATABASE_POOLER=transaction or"
        " COC_DATABASE_POOLER=session, as the pooler's pool_mode is."
    )
    assert pooler.hint_at_refused_options(refused.value) == hint
    assert pooler.hint_at_refused_options(DatabaseError("no room")) == ""

    monkeypatch.setattr(preflight, "connection", opened)
    monkeypatch.setattr(checks, "connection", opened)
    with pytest.raises(preflight.NotReady) as not_ready:
        preflight.prepare_database()
    assert str(not_ready.value).endswith(hint)
    (message,) = checks.pooler_is_declared(None, databases=["default"])
    assert (message.id, message.hint) == ("coc.E020", hint)


def test_serve_does_not_start_behind_a_pooler_that_is_not_declared(
    link: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = link("", "transaction", ignore="options")
    monkeypatch.setattr(preflight, "connection", opened)
    monkeypatch.setattr(checks, "connection", opened)
    with pytest.raises(preflight.NotReady, match=r"COC_DATABASE_POOLER is not set\. Set COC_DATA"):
        preflight.prepare_database()
    assert checks.pooler_is_declared(None) == []
    (message,) = checks.pooler_is_declared(None, databases=["default"])
    assert message.id == "coc.E020"


def test_limits_reach_the_server_where_the_session_is_ours(link: Open) -> None:
    for declared, pool_mode in (("", ""), ("session", "session")):
        opened = link(declared, pool_mode)
        assert shown(opened, "idle_in_transaction_session_timeout") == "10s"
        assert shown(opened, "tcp_keepalives_count") == "3"
    shared = link("transaction", "transaction")
    assert shown(shared, "idle_in_transaction_session_timeout") == "0"


def test_idle_transactions_should_be_limited_for_the_role(
    link: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = link("transaction", "transaction")
    monkeypatch.setattr(checks, "connection", opened)
    found = checks.idle_transactions_end_behind_a_pooler(None, databases=["default"])
    assert [message.id for message in found] == ["coc.W021"]
    assert checks.idle_transactions_end_behind_a_pooler(None) == []

    # A role's or a database's setting looks like this to a client.
    with opened.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = '10s'")
    assert checks.idle_transactions_end_behind_a_pooler(None, databases=["default"]) == []
    monkeypatch.setattr(checks, "connection", link("", ""))
    assert told(checks.idle_transactions_end_behind_a_pooler(None, databases=["default"])) == []


@pytest.mark.parametrize("declared", ["", "transaction"])
def test_rows_in_chunks_need_no_session(link: Open, declared: str) -> None:
    """The control, not declared: another transaction takes the session with the cursor."""
    opened = link(declared, "transaction", ignore="options")
    other = opened.copy()
    disabled = opened.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
    try:
        opened.ensure_connection()
        with opened.cursor() if disabled else opened.chunked_cursor() as cursor:
            cursor.execute("SELECT generate_series(1, 3)")
            other.set_autocommit(False)
            with other.cursor() as busy:
                busy.execute("SELECT 1")
            if declared:
                assert cursor.fetchmany(5) == [(1,), (2,), (3,)]
            else:
                with pytest.raises(ProgrammingError, match=r"cursor .* does not exist"):
                    cursor.fetchmany(5)
    finally:
        other.close()
    assert disabled is (declared == "transaction")


def test_without_a_server_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COC_X", "postgres://nobody@127.0.0.1:9/coc")
    opened = ConnectionHandler({"default": env.database("COC_X", "")})["default"]
    monkeypatch.setattr(checks, "connection", opened)
    assert checks.pooler_is_declared(None, databases=["default"]) == []


def test_the_database_of_the_tests_has_no_pooler() -> None:
    assert pooler.problem(connection) is None
    assert checks.pooler_is_declared(None, databases=["default"]) == []
