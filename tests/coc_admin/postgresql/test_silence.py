"""A server that falls silent: the connection is given up, and waiting callers continue."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, close_old_connections, connection, transaction
from pytest_django.fixtures import Settings

from coc_admin.postgresql import silence
from coc_admin.postgresql.base import LATELY, DatabaseWrapper
from coc_admin.postgresql.silence import Connection, SilentServer
from orders import statement_limit
from orders.models import Hold, InventoryList, InventoryRecord, Order
from tests.coc_admin.api.conftest import Api, api_for, problem
from tests.coc_admin.console import scene
from tests.orders.payloads import raw_order
from tests.processes.black_hole import BlackHole

pytestmark = pytest.mark.postgres

Ask = Callable[[psycopg.Connection[Any]], object]
# No test waits for so long unless something hangs.
HANGS = 30.0


@pytest.fixture(autouse=True)
def _one_second(settings: Settings) -> None:
    settings.COC_DATABASE_SECONDS = 1.0
    settings.COC_DATABASE_WORK_SECONDS = 20.0


def open_link(kind: type[psycopg.Connection[Any]], hole: BlackHole) -> psycopg.Connection[Any]:
    server = django_settings.DATABASES["default"]
    return kind.connect(
        host="127.0.0.1",
        port=hole.port,
        user=server["USER"],
        password=server["PASSWORD"],
        dbname="postgres",
        connect_timeout=2,
    )


@pytest.fixture
def link(hole: BlackHole) -> Iterator[psycopg.Connection[Any]]:
    with open_link(Connection, hole) as opened:
        yield opened


def execute(link: psycopg.Connection[Any]) -> object:
    return link.execute("SELECT 1")


def execute_many(link: psycopg.Connection[Any]) -> object:
    return link.cursor().executemany("SELECT %s", [(1,), (2,)])


def fetch(link: psycopg.Connection[Any]) -> object:
    return link.cursor("declared").execute("SELECT 1")


def copy(link: psycopg.Connection[Any]) -> object:
    with link.cursor().copy("COPY (SELECT 1) TO STDOUT") as out:
        return list(out)


def commit(link: psycopg.Connection[Any]) -> object:
    return link.commit()


@pytest.mark.parametrize("ask", [execute, execute_many, fetch, copy, commit])
def test_a_silent_connection_is_closed_and_nothing_waits_for_it_again(
    link: psycopg.Connection[Any], hole: BlackHole, ask: Ask
) -> None:
    link.execute("SELECT 1")
    hole.drop()

    with pytest.raises(SilentServer, match="has not answered for 1 seconds"):
        ask(link)

    assert link.closed
    with pytest.raises(psycopg.OperationalError, match="closed"):
        link.rollback()
    link.close()


def test_without_the_limit_it_hangs(hole: BlackHole) -> None:
    """The control: psycopg's own connection, to which TCP says that all is well."""
    link = open_link(psycopg.Connection, hole)
    link.execute("SELECT 1")
    hole.drop()
    ended = threading.Event()

    def ask() -> None:
        with pytest.raises(psycopg.OperationalError):
            link.execute("SELECT 1")
        ended.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    assert not ended.wait(3)
    hole.refuse()
    assert ended.wait(HANGS)


@pytest.mark.parametrize("way", ["swallow", "swallow_answers"])
def test_a_new_connection_that_nobody_greets_is_given_up(hole: BlackHole, way: str) -> None:
    getattr(hole, way)()
    with pytest.raises(psycopg.OperationalError, match="timeout expired"):
        open_link(Connection, hole)
    hole.pass_on()
    open_link(Connection, hole).close()


def test_work_may_take_longer(link: psycopg.Connection[Any]) -> None:
    with statement_limit.for_work():
        link.execute("SELECT pg_sleep(1.5)")
    with pytest.raises(SilentServer):
        link.execute("SELECT pg_sleep(1.5)")


def test_waiting_for_what_may_never_come_is_no_silence(link: psycopg.Connection[Any]) -> None:
    link.execute("LISTEN nothing")
    link.commit()
    assert list(link.notifies(timeout=1.5)) == []
    assert link.execute("SELECT 1").fetchone() == (1,)


def test_bytes_that_move_are_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(silence.time, "monotonic", lambda: now)

    def result() -> Generator[str, int, str]:
        for _ in range(4):
            yield "R"
        return "rows"

    watched = silence._watched(result(), 5)
    assert next(watched) == "R"
    for _ in range(3):
        now += 4
        assert watched.send(1) == "R"
    now += 5
    with pytest.raises(silence._Silent):
        watched.send(0)


# --- below Django ---------------------------------------------------------------------------------


def one() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def test_a_transaction_is_given_up_and_the_next_request_has_a_new_connection(
    through_the_hole: BlackHole,
) -> None:
    def work() -> None:
        with transaction.atomic():
            InventoryList.objects.create(id="lost")
            with transaction.atomic():
                through_the_hole.drop()
                one()

    with pytest.raises(OperationalError, match="has not answered"):
        work()

    # What the web server does between requests, and the queue between tasks.
    close_old_connections()
    assert not InventoryList.objects.exists()


def test_a_connection_that_fell_silent_while_it_was_idle_is_replaced(
    through_the_hole: BlackHole,
) -> None:
    assert one() == 1
    first = connection.connection
    through_the_hole.drop()
    # One that has just answered is taken for granted.
    time.sleep(LATELY + 0.1)
    close_old_connections()
    assert one() == 1
    assert connection.connection is not first


def test_a_connection_that_the_server_has_ended_is_replaced_at_once(
    through_the_hole: BlackHole,
) -> None:
    assert one() == 1
    close_old_connections()
    assert one() == 1
    first: Any = connection.connection
    with psycopg.connect(os.environ["DATABASE_URL"].rpartition("/")[0] + "/postgres") as other:
        other.execute("SELECT pg_terminate_backend(%s)", [first.info.backend_pid])
    deadline = time.monotonic() + 5
    while connection._is_quiet() and time.monotonic() < deadline:  # type: ignore[attr-defined]
        time.sleep(0.01)
    close_old_connections()
    assert one() == 1
    assert connection.connection is not first


def test_a_connection_that_has_just_answered_is_not_asked_again(
    through_the_hole: BlackHole, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    real = DatabaseWrapper.is_usable

    def is_usable(self: DatabaseWrapper) -> bool:
        asked.append(True)
        return real(self)

    monkeypatch.setattr(DatabaseWrapper, "is_usable", is_usable)
    for _ in range(3):
        close_old_connections()
        assert one() == 1
    assert len(asked) <= 1


# --- the order path -------------------------------------------------------------------------------


ORDER = raw_order("A1", [("MUG-01", 2)], currency="EUR")
PATH = "sites/NorthShop/orders"


def units() -> list[Any]:
    return list(InventoryRecord.objects.filter(sku="MUG-01").values_list("ato", "held"))


@pytest.fixture
def shop(through_the_hole: BlackHole) -> Api:
    """Return a storefront with orders captured offline."""
    site = scene.make_shop()
    scene.set_connection(scene.ConnectionState.OFFLINE)
    return api_for(site)


def test_an_order_whose_commit_is_not_answered_is_stored_once(
    shop: Api, through_the_hole: BlackHole
) -> None:
    (before,) = units()
    through_the_hole.lose_answer(after=b'"order_no": "', to=b"COMMIT")

    unheard = shop.post(PATH, ORDER)

    assert through_the_hole.lost.is_set()
    problem(unheard, 503, "unavailable")
    assert unheard["Retry-After"] == "5"
    close_old_connections()
    stored = Order.objects.get()
    again = shop.post(PATH, ORDER)
    assert again.status_code == 200
    assert again.json()["orderNo"] == stored.order_no
    assert Order.objects.get().pk == stored.pk
    assert units() == [(before[0] - 2, before[1] + 2)]
    assert Hold.objects.count() == 1


def test_an_order_whose_statement_is_not_answered_is_not_stored(
    shop: Api, through_the_hole: BlackHole
) -> None:
    (before,) = units()
    through_the_hole.lose_answer(after=b"BEGIN", to=b'"order_no": "')

    unheard = shop.post(PATH, ORDER)

    assert through_the_hole.lost.is_set()
    problem(unheard, 503, "unavailable")
    close_old_connections()
    through_the_hole.refuse()
    through_the_hole.pass_on()
    connection.close()
    assert (Order.objects.count(), units()) == (0, [before])
    assert shop.post(PATH, ORDER).status_code == 201
    assert units() == [(before[0] - 2, before[1] + 2)]
