"""Web processes are killed while groups of orders are being captured: nothing is lost or half kept.

On PostgreSQL, when DATABASE_URL names one, with two web processes; else one on SQLite.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests

from tests import migrated
from tests.orders.payloads import raw_order
from tests.processes.product import ROOT, Running, environment, serve, wait_for

pytestmark = pytest.mark.processes

SITE, LIST = "killed", "killed-stock"
SKUS = [f"SKU-{n}" for n in range(6)]
UNITS = 1_000_000
CLIENTS = 16
KILLS = 2

SET_UP = f"""
from django.core.management import call_command
call_command("create_site", {SITE!r}, "--inventory-list={LIST}", "--currency=USD")
call_command("import_inventory", "stock.csv", "--inventory-list={LIST}")
call_command("coc_connection", "force-offline", "--reason=test")
call_command("create_api_token", "shop", "--site={SITE}", "--scope", "orders:write")
"""

# Orders that lack a row beside them, or have one twice. Each has two items of two SKUs.
HALF_STORED = """
SELECT o.order_no FROM orders_order o
WHERE (SELECT count(*) FROM orders_orderpayload p WHERE p.order_id = o.id) <> 1
   OR (SELECT count(*) FROM orders_orderitem i WHERE i.order_id = o.id) <> 2
   OR (SELECT count(*) FROM orders_orderevent e WHERE e.order_id = o.id) <> 1
   OR (SELECT count(*) FROM orders_hold h WHERE h.order_id = o.id) <> 2
   OR (SELECT count(*) FROM orders_movement m JOIN orders_hold h ON h.id = m.hold_id
       WHERE h.order_id = o.id AND m.reason = 'captured') <> 2
"""
# Rows beside orders that are not there.
LEFT_OVER = """
SELECT count(*) FROM orders_hold h LEFT JOIN orders_order o ON o.id = h.order_id WHERE o.id IS NULL
UNION ALL SELECT count(*) FROM orders_movement m LEFT JOIN orders_hold h ON h.id = m.hold_id
WHERE m.reason = 'captured' AND h.id IS NULL
"""
RECORDS = f"SELECT sku, ato, held FROM orders_inventoryrecord WHERE inventory_list_id = '{LIST}'"
IDLE_IN_TRANSACTION = """
SELECT pid, xact_start, state_change FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle in transaction'
"""


@dataclass
class Shop:
    """The product's web processes, a database that the test reads beside them, and a token."""

    env: dict[str, str]
    product: Running
    token: str

    @property
    def is_sqlite(self) -> bool:
        return self.env["DATABASE_URL"].startswith("sqlite")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, in a connection of its own."""
        if self.is_sqlite:
            file = self.env["DATABASE_URL"].removeprefix("sqlite:///")
            with closing(sqlite3.connect(file, timeout=20)) as link, link:
                return link.execute(sql).fetchall()
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as link:
            cursor = link.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def place(self, session: requests.Session, order_no: str) -> int:
        """Place an order of two SKUs; return the status."""
        place = int(order_no.rpartition("-")[2]) % len(SKUS)
        items: list[tuple[str, float]] = [(SKUS[place], 1), (SKUS[(place + 1) % len(SKUS)], 2)]
        answer = session.post(
            f"http://127.0.0.1:{self.product.port}/api/v1/sites/{SITE}/orders",
            data=raw_order(order_no, items),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            timeout=60,
        )
        return answer.status_code

    def victims(self) -> list[psutil.Process]:
        """Return the processes that take orders."""
        found = []
        for process in self.product.family():
            with suppress(psutil.Error):
                if "coc_admin.web_server" in process.cmdline():
                    found.append(process)
        return found

    def is_in_a_transaction(self) -> bool:
        """Whether a process that stands still has a transaction open."""
        if not self.is_sqlite:
            before = set(self.query(IDLE_IN_TRANSACTION))
            time.sleep(0.1)
            return bool(before & set(self.query(IDLE_IN_TRANSACTION)))
        file = self.env["DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as link:
            try:
                link.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False


@dataclass
class Storefront:
    """Clients that place orders until `stop`; keeps which were stored, and which had no answer."""

    shop: Shop
    stop: threading.Event = field(default_factory=threading.Event)
    created: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def run(self, client: int) -> None:
        """Place orders of this client's own, one after the other."""
        session, number = requests.Session(), 0
        while not self.stop.is_set():
            number += 1
            order_no = f"C{client}-{number}"
            try:
                status = self.shop.place(session, order_no)
            except requests.RequestException:
                self.unanswered.append(order_no)
                continue
            if status == 201:
                self.created.append(order_no)
            else:
                self.unexpected.append(f"{order_no}: {status}")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    stock = "\n".join(["sku,ato,name,price", *(f"{sku},{UNITS},Mug,10" for sku in SKUS)])
    (tmp_path / "stock.csv").write_text(stock + "\n")
    with migrated.database(tmp_path) as address:
        env = environment(tmp_path, DATABASE_URL=address)
        env["COC_WEB_WORKERS"] = "1" if address.startswith("sqlite") else "2"
        script = SET_UP.replace("stock.csv", str(tmp_path / "stock.csv"))
        token = manage(env, "shell", "--no-imports", "-c", script).split()[-1]
        product = serve(env, "--only", "web")
        try:
            product.wait_until_it_answers("/healthz")
            yield Shop(env, product, token)
        finally:
            product.stop()


def manage(env: dict[str, str], *arguments: str) -> str:
    """Run a management command, which must end well; return what it printed."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_web_process_is_killed_in_the_middle_of_group_commits(shop: Shop) -> None:
    storefront = Storefront(shop)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(storefront.run, client) for client in range(CLIENTS)]
        try:
            for _ in range(KILLS):
                sold = len(storefront.created) + 30
                wait_for(lambda sold=sold: len(storefront.created) > sold, "orders to be stored")
                kill_in_a_transaction(shop)
        finally:
            storefront.stop.set()
        for client in clients:
            client.result()
    assert not storefront.unexpected
    assert storefront.unanswered
    assert shop.query(HALF_STORED) == []
    stored = [order_no for (order_no,) in shop.query("SELECT order_no FROM orders_order")]
    assert len(stored) == len(set(stored))
    assert set(storefront.created) <= set(stored) <= {*storefront.created, *storefront.unanswered}

    session = requests.Session()
    answers = {one: shop.place(session, one) for one in storefront.unanswered}
    assert answers == {one: 200 if one in stored else 201 for one in storefront.unanswered}

    everything_agrees(shop, {*storefront.created, *storefront.unanswered})
    # Control: a row that is missing would be seen.
    shop.query(
        "DELETE FROM orders_movement WHERE id = (SELECT max(id) FROM orders_movement"
        " WHERE reason = 'captured')"
    )
    assert len(shop.query(HALF_STORED)) == 1


def kill_in_a_transaction(shop: Shop) -> None:
    """Halt web processes at random moments until one has a transaction open; kill it there.

    In turns: clients keep their connections, and one process may have them all.
    """
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for victim in shop.victims():
            with suppress(psutil.NoSuchProcess):
                victim.suspend()
                if shop.is_in_a_transaction():
                    victim.kill()
                    return
                victim.resume()
            time.sleep(0.03)
    pytest.fail("no web process was met in a transaction")


def everything_agrees(shop: Shop, order_nos: set[str]) -> None:
    """Assert that these orders are stored once and in full, and that the stock says the same."""
    stored = [order_no for (order_no,) in shop.query("SELECT order_no FROM orders_order")]
    assert sorted(stored) == sorted(order_nos)
    assert shop.query(HALF_STORED) == []
    assert all(count == 0 for (count,) in shop.query(LEFT_OVER))
    records = {sku: (ato, held) for sku, ato, held in shop.query(RECORDS)}
    for place, sku in enumerate(SKUS):
        numbers = [int(order_no.rpartition("-")[2]) % len(SKUS) for order_no in order_nos]
        held = numbers.count(place) + 2 * numbers.count((place - 1) % len(SKUS))
        assert records[sku] == (1000 * (UNITS - held), 1000 * held)
    manage(shop.env, "coc_check")
