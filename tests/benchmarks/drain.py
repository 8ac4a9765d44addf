"""How fast a backlog drains, beside its limits in the same run.

    DATABASE_URL=postgres://... python -m tests.benchmarks.drain [--orders N] [--delay MS] ...

Makes a database of its own beside the one named, captures orders of three items in it, drains them
with workers that are processes of their own, and drops it. OCI is a stand-in with plenty of stock.

- *bound*: orders times OCI's answer time by the calls at once;
- *bare loop*: the same number of PUTs by `requests` in as many threads, and nothing else.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

ITEMS = 3


def main() -> None:
    options = _options()
    with own_database("drain") as url, _stand_in(options.delay) as port:
        _configure(url, port, options)
        captured = _capture(options)
        bare = _bare_loop(port, options)
        seconds, cpu = _drain(options)
        _report(options, captured=captured, bare=bare, seconds=seconds, cpu=cpu, port=port)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--delay", type=float, default=50, help="OCI's answer time in ms")
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--skus", type=int, default=5_000)
    return parser.parse_args()


@contextmanager
def own_database(suffix: str) -> Iterator[str]:
    """Make a database beside the one that DATABASE_URL names; yields its URL, and drops it."""
    given = urlsplit(os.environ["DATABASE_URL"])
    name = f"{given.path[1:]}_{suffix}"
    maintenance = urlunsplit(given._replace(path="/postgres"))
    with psycopg.connect(maintenance, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(given._replace(path=f"/{name}"))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def _stand_in(delay: float) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.benchmarks.stand_in", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def configure(url: str, **settings: str) -> None:
    """Make this process one of the product, with a migrated database at `url`."""
    os.environ |= {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "coc_admin.settings",
        "SECRET_KEY": "a-key-for-benchmarks-only-of-more-than-fifty-characters-012345",
        "COC_LOG_LEVEL": "ERROR",
        **settings,
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _configure(url: str, port: int, options: argparse.Namespace) -> None:
    here = f"http://127.0.0.1:{port}"
    configure(
        url,
        COC_OCI_BASE_URL=here,
        COC_OCI_TOKEN_URL=f"{here}/token",
        COC_OCI_TENANT_GROUP_ID="f_ecom_zzzz_001",
        COC_OCI_CLIENT_ID="bench",
        COC_OCI_CLIENT_SECRET="bench",
        COC_OCI_SCOPE="bench",
        COC_OCI_CONCURRENCY=str(options.at_once),
        COC_WORKERS=str(options.workers),
    )


def _capture(options: argparse.Namespace) -> float:
    """Fill the tables as capture does, in bulk: capture itself is measured elsewhere."""
    from orders.models import Hold, Movement, MovementReason, Order, OrderItem
    from tests.factories import make_site

    began = time.monotonic()
    rng = random.Random(1)
    skus = [f"SKU-{n:05}" for n in range(options.skus)]
    start = datetime.now(UTC) - timedelta(hours=2)
    site = make_site("bench", stock=dict.fromkeys(skus, 1_000_000), at=start)
    records = dict(site.inventory_list.inventoryrecord_set.values_list("sku", "pk"))
    orders = Order.objects.bulk_create(
        [
            Order(
                site=site,
                order_no=f"B{n:07}",
                status="new",
                captured_offline=True,
                captured_at=start + timedelta(milliseconds=n),
                currency="EUR",
                order_total=Decimal(30),
                payload_hash=f"{n:064}",
            )
            for n in range(options.orders)
        ],
        batch_size=2_000,
    )
    wanted = [(order, rng.sample(skus, ITEMS)) for order in orders]
    OrderItem.objects.bulk_create(
        [
            OrderItem(
                order=order,
                position=position,
                item_id=str(position),
                sku=sku,
                product_name=sku,
                inventory_list=site.inventory_list,
                quantity=Decimal(1),
            )
            for order, chosen in wanted
            for position, sku in enumerate(chosen)
        ],
        batch_size=2_000,
    )
    holds = Hold.objects.bulk_create(
        [
            Hold(order=order, record_id=records[sku], quantity=Decimal(1))
            for order, chosen in wanted
            for sku in chosen
        ],
        batch_size=5_000,
    )
    Movement.objects.bulk_create(
        [
            Movement(
                record_id=hold.record_id,
                reason=MovementReason.CAPTURED,
                ato_change=-hold.quantity,
                held_change=hold.quantity,
                hold=hold,
                at=start,
            )
            for hold in holds
        ],
        batch_size=5_000,
    )
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_inventoryrecord r SET held = h.units, ato = r.snapshot_ato - h.units"
            " FROM (SELECT record_id, sum(quantity) units FROM orders_hold GROUP BY 1) h"
            " WHERE h.record_id = r.id"
        )
        cursor.execute("ANALYZE")
    return time.monotonic() - began


def _bare_loop(port: int, options: argparse.Namespace) -> float:
    """Return PUTs a second by `requests` alone."""
    count = min(options.orders, 3_000)
    session = requests.Session()
    session.trust_env = False
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=options.at_once, pool_block=True)
    session.mount("http://", adapter)
    lines = [{"sku": f"SKU-{n:05}", "quantity": 1} for n in range(ITEMS)]
    body = {"externalRefId": "bare", "groups": [{"id": "web", "reservations": lines}]}

    def put(_: int) -> None:
        answer = session.put(f"http://127.0.0.1:{port}/bare", json=body, timeout=5)
        assert answer.json()["success"]

    began = time.monotonic()
    with ThreadPoolExecutor(options.at_once) as threads:
        list(threads.map(put, range(count)))
    return count / (time.monotonic() - began)


def work(run_id: int) -> None:
    """Be one worker: what the queue does, woken again while the run is active."""
    from django.utils import timezone

    from reconciliation.models import Run
    from reconciliation.runs import batches

    # What the process needs to start is not of the orders.
    began = time.process_time()
    while Run.objects.filter(pk=run_id, is_active=True).exists():
        again = batches.work_run(run_id=run_id, clock=timezone.now, budget=timedelta(seconds=20))
        if not again:
            time.sleep(0.2)
    print(time.process_time() - began, flush=True)


def _drain(options: argparse.Namespace) -> tuple[float, float]:
    """Return how many seconds the drain took, and the CPU seconds of all workers."""
    from django.utils import timezone

    from orders.actors import person
    from reconciliation.models import Trigger
    from reconciliation.runs import lifecycle

    run = lifecycle.start_run(trigger=Trigger.PERSON, actor=person("bench"), now=timezone.now())
    command = [sys.executable, "-m", "tests.benchmarks.drain_worker", str(run.pk)]
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(options.workers)
    ]
    told = [worker.communicate()[0] for worker in workers]
    run.refresh_from_db()
    assert run.state == "completed", run.state
    assert run.started_at is not None
    assert run.finished_at is not None
    seconds = (run.finished_at - run.started_at).total_seconds()
    return seconds, sum(float(text) for text in told)


def _report(
    options: argparse.Namespace,
    *,
    captured: float,
    bare: float,
    seconds: float,
    cpu: float,
    port: int,
) -> None:
    seen: dict[str, Any] = requests.get(f"http://127.0.0.1:{port}/seen", timeout=5).json()
    bound = options.orders * options.delay / 1000 / options.at_once
    rate = options.orders / seconds
    print(
        f"orders {options.orders}, OCI {options.delay:g} ms, {options.at_once} at once,"
        f" workers {options.workers} (captured in {captured:.0f} s)"
    )
    print(f"drained in {seconds:.1f} s: {rate:.0f} orders/s, {cpu / options.orders * 1000:.2f} ms")
    if bound:
        print(f"bound {bound:.1f} s: {seconds / bound:.2f} times the bound")
    print(f"bare loop {bare:.0f} PUT/s: {rate / bare:.2f} of it; most at once {seen['most']}")


if __name__ == "__main__":
    main()
