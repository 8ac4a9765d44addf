"""The index of fragments: made where it can be, and missed aloud where it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from coc_admin import search_checks
from orders.search import find_orders, index, sqlite
from tests.factories import capture, make_site

pytestmark = pytest.mark.django_db


def warnings() -> list[Any]:
    return [one.id for one in search_checks.search_finds_fragments(None, ["default"])]


def test_a_role_without_rights_searches_without_fragments() -> None:
    """The migration goes on, and `manage.py check` says what is missing."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite needs no rights")
    order = capture(make_site(stock={"MUG-01": 5}), "0000000070", [("MUG-01", 1)])
    assert (warnings(), index.install_index(connection)) == ([], True)
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION pg_trgm CASCADE")
        cursor.execute("CREATE ROLE coc_search_nobody")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO coc_search_nobody")
        cursor.execute("SET LOCAL ROLE coc_search_nobody")
    assert index.install_index(connection) is False
    index.tidy(connection)
    assert warnings() == ["coc.W031"]
    assert find_orders("ada r", sites=None, most=5).keys == [order.pk]
    assert find_orders("reed", sites=None, most=5).keys == []
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    assert index.install_index(connection) is True
    assert find_orders("reed", sites=None, most=5).keys == [order.pk]
    assert warnings() == []


def test_sqlite_without_the_tokenizer_searches_without_fragments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has an index of its own")
    order = capture(make_site(stock={"MUG-01": 5}), "0000000070", [("MUG-01", 1)])

    def too_old(connection: Any) -> None:
        raise DatabaseError("no such tokenizer: trigram")

    index.remove(connection)
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "install_index", too_old)
        index.install_after_migrate(using="default")
        assert warnings() == ["coc.W031"]
        assert find_orders("reed", sites=None, most=5).keys == []
    index.install_after_migrate(using="default")
    assert warnings() == []
    assert find_orders("reed", sites=None, most=5).keys == [order.pk]


def test_triggers_come_back_after_a_migration() -> None:
    site = make_site(stock={"MUG-01": 5})
    index.remove_before_migrate(using="default")
    first = capture(site, "0000000070", [("MUG-01", 1)])
    index.install_after_migrate(using="default")
    second = capture(site, "0000000071", [("MUG-01", 1)])
    assert find_orders("reed", sites=None, most=5).keys == [second.pk, first.pk]
    with CaptureQueriesContext(connection) as asked:
        index.install(connection)
    assert not [one for one in asked if one["sql"].startswith("CREATE TRIGGER orders")]
