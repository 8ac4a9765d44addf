"""Orders and pages a second, and how long each takes: `python -m tests.benchmarks.web_servers`.

Starts the product's web processes and those of other servers on one database, OCI forced offline,
and lets clients with connections of their own do the same to each in turn. Granian is compared
where it is installed (`pip install granian`). DATABASE_URL names a PostgreSQL database, which is
to be empty; without it SQLite is used. Nothing is asserted: figures depend on the machine.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import requests

from coc_admin.processes import programs
from tests.processes.product import ROOT, Running, environment, free_port, serve

SITE = "bench"
SKUS = 200
USER, PASSWORD = "bench", "a long password"
NUMBERS = count(1)
Ask = Callable[[bytes], None]


@dataclass
class Request:
    """What clients send: a method and path, headers, and a body made anew each time."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: Callable[[], bytes] = field(default=lambda: b"")


@dataclass
class Figures:
    """Of one server and one kind of request, over all rounds."""

    per_second: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Return the median rate, and the median and the 95th percentile of the time."""
        p95 = quantiles(self.seconds, n=20)[-1]
        return (
            f"{median(self.per_second):7.1f}/s  {1000 * median(self.seconds):7.1f} ms"
            f"  {1000 * p95:7.1f} ms"
        )


def order() -> bytes:
    """Return an order of three items that nobody has placed yet."""
    number = next(NUMBERS)
    items = [
        {
            "itemId": str(n),
            "productId": f"SKU-{(7 * number + n) % SKUS}",
            "productName": "Stoneware mug with a handle",
            "quantity": 1,
            "basePrice": 10,
            "price": 10,
        }
        for n in range(3)
    ]
    return json.dumps(
        {
            "orderNo": f"B{os.getpid()}-{number}",
            "creationDate": "2026-01-01T00:00:00Z",
            "currency": "EUR",
            "customerInfo": {"customerName": "Ada Reed", "email": "ada@example.test"},
            "productItems": items,
            "orderTotal": 30,
        }
    ).encode()


def measure(port: int, request: Request, *, clients: int, seconds: float) -> list[float]:
    """Return the time of each request that `clients` got answered within `seconds`."""
    until = time.monotonic() + seconds
    times: list[float] = []

    def send(ask: Ask) -> None:
        while time.monotonic() < until:
            body = request.body()
            began = time.monotonic()
            ask(body)
            times.append(time.monotonic() - began)

    with_clients(port, request, number=clients, send=send)
    return times


def with_clients(port: int, request: Request, *, number: int, send: Callable[[Ask], None]) -> None:
    """Call `send` in as many threads, each with a connection of its own over which it asks."""

    def run() -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def ask(body: bytes) -> None:
            link.request(request.method, request.path, body, request.headers)
            answer = link.getresponse()
            answer.read()
            assert answer.status == request.status, answer.status

        send(ask)
        link.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# In one process: starting Django takes longer than all of it.
SET_UP = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
call_command("create_site", {site!r}, "--inventory-list=bench-stock", "--currency=EUR")
call_command("import_inventory", {stock!r}, "--inventory-list=bench-stock")
call_command("coc_connection", "force-offline", "--reason=benchmark")
call_command("createsuperuser", interactive=False, username={user!r}, email="b@example.test")
print()
call_command("create_api_token", "bench", "--site", {site!r}, "--scope", "orders:write")
"""


def set_up(env: dict[str, str], folder: Path) -> str:
    """Make a site with stock and a user, OCI forced offline; return a token."""
    stock = folder / "stock.csv"
    rows = [f"SKU-{n},10000000,Mug,10" for n in range(SKUS)]
    stock.write_text("\n".join(["sku,ato,name,price", *rows]) + "\n")
    script = SET_UP.format(site=SITE, stock=str(stock), user=USER)
    settings = {"DJANGO_SETTINGS_MODULE": "coc_admin.settings"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=env | settings, check=True, capture_output=True)
    return done.stdout.decode().split()[-1]


def signed_in(port: int) -> str:
    """Return the cookies of somebody who has signed in."""
    session = requests.Session()
    url = f"http://127.0.0.1:{port}/login/"
    session.get(url, timeout=20)
    form = {"username": USER, "password": PASSWORD}
    form["csrfmiddlewaretoken"] = session.cookies["coc_csrf"]
    session.post(url, data=form, timeout=20).raise_for_status()
    return "; ".join(f"{name}={value}" for name, value in session.cookies.items())


def granian(env: dict[str, str]) -> Running:
    """Start granian with as many processes and threads as the product's own server has."""
    return Running(
        [
            *(sys.executable, "-m", "granian", "--interface=wsgi", f"--port={env['PORT']}"),
            *(f"--workers={env['COC_WEB_WORKERS']}", "--no-ws", "--log-level=warning"),
            *(f"--blocking-threads={env['COC_WEB_THREADS']}", "coc_admin.wsgi:application"),
        ],
        env,
    )


@contextmanager
def started(servers: list[str], env: dict[str, str]) -> Iterator[dict[str, Running]]:
    """Start all servers; the others cost nothing while one is measured."""
    with ExitStack() as stack:
        running = {}
        for name in servers:
            own = env | {"PORT": str(free_port())}
            one = granian(own) if name == "granian" else serve(own, "--only", "web")
            stack.callback(one.stop)
            one.wait_until_it_answers("/healthz")
            running[name] = one
        yield running


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    servers = ["ours"] + ["granian"] * (importlib.util.find_spec("granian") is not None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/coc.sqlite3"
        sqlite = url.startswith("sqlite")
        processes = 1 if sqlite else os.cpu_count() or 1
        threads = programs.threads_of_each(processes, sqlite=sqlite)
        env = environment(
            folder,
            DATABASE_URL=url,
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            COC_WEB_WORKERS=str(processes),
            COC_WEB_THREADS=str(threads),
        )
        token = set_up(env, folder)
        with started(servers, env) as running:
            kinds = requests_of(token, running)
            for clients in options.clients:
                compare(running, kinds, clients, options)


def requests_of(token: str, running: dict[str, Running]) -> dict[str, Request]:
    """Return what is measured, by name."""
    cookies = signed_in(running["ours"].port)
    authorised = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return {
        "POST an order": Request("POST", f"/api/v1/sites/{SITE}/orders", 201, authorised, order),
        "GET the home page": Request("GET", "/", 200, {"Cookie": cookies}),
    }


def compare(
    running: dict[str, Running],
    kinds: dict[str, Request],
    clients: int,
    options: argparse.Namespace,
) -> None:
    """Measure every kind of request against every server in turn, round by round."""
    for kind, request in kinds.items():
        found = {name: Figures() for name in running}
        for turn in range(options.rounds):
            # Whoever is first has the smaller database, so they take turns.
            for name in sorted(running, reverse=bool(turn % 2)):
                times = measure(
                    running[name].port, request, clients=clients, seconds=options.seconds
                )
                found[name].per_second.append(len(times) / options.seconds)
                found[name].seconds += times
        print(f"{kind}, {clients} clients: rate, time at the median and at 95 %", flush=True)
        for name, figures in found.items():
            print(f"  {name:8} {figures.line()}", flush=True)
        for name, figures in found.items():
            if name != "ours":
                ratio = median(found["ours"].per_second) / median(figures.per_second)
                print(f"  rate of ours / {name}: {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
