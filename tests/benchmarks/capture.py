"""Orders captured offline over HTTP, beside their limit: `python -m tests.benchmarks.capture`.

With DATABASE_URL a database is made beside the one named, and dropped; the limit is a bare view
with one prepared statement on the same web server. On SQLite it is the `sqlite3` module writing the
same rows. Product and limit take turns in each round; medians and their ratio are printed, and the
processor time of an order: that of the web processes, and that of PostgreSQL. Nothing is asserted:
figures depend on the machine. Runs of less than 90 seconds: see --clients and --rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import psutil
import psycopg

from coc_admin.processes import programs
from tests.benchmarks import web_servers
from tests.benchmarks.drain import own_database
from tests.benchmarks.web_servers import SITE, Ask, Request, measure, order, set_up, with_clients
from tests.processes.product import ROOT, environment, free_port, serve

SKUS = 5_000
# Enough that a slow answer keeps none from being sent when it is due.
PACED_CLIENTS = 48


def hot_order() -> bytes:
    """Return an order of one item, the same SKU each time."""
    document = json.loads(order())
    document["productItems"] = document["productItems"][:1]
    document["productItems"][0]["productId"] = "SKU-7"
    document["orderTotal"] = 10
    return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class Served:
    """A web server: its port, and the processes whose time counts, with their children."""

    port: int
    pids: list[int]

    def cpu(self) -> float:
        """Return the processor time so far, in seconds."""
        roots = [psutil.Process(pid) for pid in self.pids]
        return _seconds([*roots, *(p for root in roots for p in root.children(recursive=True))])


def _seconds(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for one in processes:
        with suppress(psutil.Error):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def _database_cpu(url: str) -> float:
    """Return the processor time of the sessions of a database; 0 where it can't be seen."""
    if url.startswith("sqlite"):
        return 0.0
    found = psycopg.connect(url, autocommit=True).execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    there = [pid for (pid,) in found if psutil.pid_exists(pid)]
    found.connection.close()
    return _seconds(map(psutil.Process, there))


@contextmanager
def bare(env: dict[str, str], processes: int) -> Iterator[Served]:
    """Serve the bare view with as many processes as the product."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
        listener.set_inheritable(True)
        command = [sys.executable, "-m", "tests.benchmarks.bare_view", str(listener.fileno())]
        found = []
        for _ in range(processes):
            one = subprocess.Popen(command, cwd=ROOT, env=env, pass_fds=(listener.fileno(),))
            stack.callback(one.wait)
            stack.callback(one.terminate)
            found.append(one.pid)
        time.sleep(2)
        yield Served(int(listener.getsockname()[1]), found)


def raw_sqlite(path: str, *, seconds: float, body: Callable[[], bytes]) -> float:
    """Return how many orders a second the sqlite3 module writes, a transaction each."""
    link = sqlite3.connect(path, isolation_level=None, timeout=30)
    link.execute("PRAGMA journal_mode=WAL")
    link.execute("PRAGMA synchronous=NORMAL")
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        _raw_order(link, body().decode())
        done += 1
    link.close()
    return done / seconds


def _raw_order(link: sqlite3.Connection, body: str) -> None:
    document, now = json.loads(body), "2026-01-01 00:00:00"
    link.execute("BEGIN IMMEDIATE")
    pk = link.execute(
        "INSERT INTO orders_order (site_id, order_no, status, reservation_state, export_status,"
        " captured_offline, captured_at, creation_date, currency, order_total, customer,"
        " payload_hash, generation, claim, needs_review_reason, resolution, resolution_by,"
        " resolution_note) VALUES ('bench', ?, 'new', 'RESERVATION_MISSING', 'not_exported', 1, ?,"
        " '', 'EUR', 300000, '{}', '', 0, '', '', '', '', '')",
        (document["orderNo"], now),
    ).lastrowid
    link.execute("INSERT INTO orders_orderpayload (order_id, body) VALUES (?, ?)", (pk, body))
    link.execute(
        "INSERT INTO orders_orderevent (order_id, at, kind, actor_kind, actor, reason, data,"
        " projected) VALUES (?, ?, 'captured_offline', 'api', 'bench', '', '{}', 0)",
        (pk, now),
    )
    for position, item in enumerate(document["productItems"], start=1):
        link.execute(
            "INSERT INTO orders_orderitem (order_id, position, item_id, sku, product_name,"
            " inventory_list_id, quantity, reserved_quantity, cancelled_quantity,"
            " replaced_quantity, unit_price) VALUES (?, ?, ?, ?, '', 'bench-stock', 1000, 0, 0, 0,"
            " 100000)",
            (pk, position, str(position), item["productId"]),
        )
        record = link.execute(
            "UPDATE orders_inventoryrecord SET ato = ato - 1000, held = held + 1000"
            " WHERE inventory_list_id = 'bench-stock' AND sku = ? AND ato >= 1000 RETURNING id",
            (item["productId"],),
        ).fetchone()[0]
        hold = link.execute(
            "INSERT INTO orders_hold (order_id, record_id, quantity, state)"
            " VALUES (?, ?, 1000, 'waiting')",
            (pk, record),
        ).lastrowid
        link.execute(
            "INSERT INTO orders_movement (record_id, reason, ato_change, held_change, hold_id, at)"
            " VALUES (?, 'captured', -1000, 1000, ?, ?)",
            (record, hold, now),
        )
    link.execute("COMMIT")


def line(name: str, rates: list[float], times: list[float]) -> str:
    """Return the median rate, and median, 99th percentile and longest of the times."""
    if not times:
        return f"  {name:8} {median(rates):7.1f}/s"
    p99 = quantiles(times, n=100)[-1]
    return (
        f"  {name:8} {median(rates):7.1f}/s  median {1000 * median(times):6.1f} ms"
        f"  p99 {1000 * p99:6.1f} ms  longest {1000 * max(times):6.1f} ms"
    )


def compare(
    served: dict[str, Served], request: Request, options: argparse.Namespace, *, url: str
) -> None:
    """Measure in turns, and print."""
    for server in served.values():  # what starts beside them must not count
        measure(server.port, request, clients=8, seconds=2)
    for clients in options.clients:
        rates: dict[str, list[float]] = {}
        times: dict[str, list[float]] = {}
        spent: dict[str, list[tuple[float, float]]] = {}
        for _ in range(options.rounds):
            for name, server in served.items():
                before = server.cpu(), _database_cpu(url)
                took = measure(server.port, request, clients=clients, seconds=options.seconds)
                after = server.cpu(), _database_cpu(url)
                each = [1000 * (b - a) / len(took) for a, b in zip(before, after, strict=True)]
                spent.setdefault(name, []).append((each[0], each[1]))
                rates.setdefault(name, []).append(len(took) / options.seconds)
                times.setdefault(name, []).extend(took)
            if url.startswith("sqlite"):
                path = url.removeprefix("sqlite:///")
                rate = raw_sqlite(path, seconds=options.seconds, body=request.body)
                rates.setdefault("limit", []).append(rate)
        ratios = [
            ours / limit for ours, limit in zip(rates["product"], rates["limit"], strict=True)
        ]
        print(f"{clients} clients: {median(ratios):.2f} of the limit", flush=True)
        for name, its in rates.items():
            print(line(name, its, times.get(name, [])), flush=True)
        for name, costs in spent.items():
            web, database = (median(column) for column in zip(*costs, strict=True))
            print(f"  {name:8} CPU of an order: web {web:.2f} ms, PostgreSQL {database:.2f} ms")


def paced(port: int, request: Request, *, rate: float, seconds: float) -> list[float]:
    """Return the time of each of `rate` requests a second, however long the answers take.

    From the moment when each was due: one that had to wait for a client has waited all the same.
    """
    times: list[float] = []
    began, numbers = time.monotonic() + 0.2, count()

    def send(ask: Ask) -> None:
        while (due := began + next(numbers) / rate) < began + seconds:
            body = request.body()
            time.sleep(max(0.0, due - time.monotonic()))
            ask(body)
            times.append(time.monotonic() - due)

    with_clients(port, request, number=PACED_CLIENTS, send=send)
    return times


def half_load(port: int, request: Request, options: argparse.Namespace) -> None:
    """Measure the highest rate, then the times at half of it, and print both."""
    clients = max(options.clients)
    most = measure(port, request, clients=clients, seconds=options.seconds)
    rate = len(most) / options.seconds / 2
    took = paced(port, request, rate=rate, seconds=2 * options.seconds)
    print(f"half of {2 * rate:.1f}/s, the rate with {clients} clients:", flush=True)
    print(line("product", [rate], took), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[8, 16, 64])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hot", action="store_true", help="every order wants the same SKU")
    parser.add_argument("--half", action="store_true", help="the times at half the highest rate")
    options = parser.parse_args()
    web_servers.SKUS = SKUS
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        path = str(folder / "coc.sqlite3")
        is_sqlite = not os.environ.get("DATABASE_URL")
        url = f"sqlite:///{path}" if is_sqlite else stack.enter_context(own_database("capture"))
        processes = 1 if is_sqlite else os.cpu_count() or 1
        threads = programs.threads_of_each(processes, sqlite=is_sqlite)
        env = environment(
            folder,
            DATABASE_URL=url,
            DJANGO_SUPERUSER_PASSWORD=web_servers.PASSWORD,
            COC_WEB_WORKERS=str(processes),
            COC_WEB_THREADS=os.environ.get("COC_WEB_THREADS", str(threads)),
        )
        token = set_up(env, folder)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        make = hot_order if options.hot else order
        request = Request("POST", f"/api/v1/sites/{SITE}/orders", 201, headers, make)
        one = serve(env | {"PORT": str(free_port())}, "--only", "web")
        stack.callback(one.stop)
        one.wait_until_it_answers("/healthz")
        served = {"product": Served(one.port, [one.process.pid])}
        if not is_sqlite:
            served["limit"] = stack.enter_context(bare(env, processes))
        if options.half:
            half_load(one.port, request, options)
        else:
            compare(served, request, options, url=url)


if __name__ == "__main__":
    main()
