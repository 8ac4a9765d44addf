"""Pages during an outage in a large shop: `python -m tests.benchmarks.pages [--orders N]`.

DATABASE_URL names a PostgreSQL server; the command makes a database beside the one named, fills it
(`large_shop`), opens every page of the console, `/metrics` and `/api/v1/status` as a person who
sees every site, and drops it. The limit is the page that asks only what is around every page;
PostgreSQL is the processor time of the process that serves us.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.benchmarks.drain import configure, own_database

FRAME = "/me/password/"
# A file of all there is, and a forecast over all that waits.
NOT_LIMITED = {"/settings/audit.csv", "/runs/new/"}
LIMIT_MS = 200


@dataclass(frozen=True, slots=True)
class Cost:
    """What one page costs, in milliseconds; `queries` is their number."""

    queries: int
    times: list[float]
    cpu: float
    postgresql: float

    @property
    def p95(self) -> float:
        """The time that 19 of 20 openings take at most."""
        return quantiles(self.times, n=20, method="inclusive")[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pages", default="", help="a regular expression of the pages to open")
    options = parser.parse_args()
    with own_database("pages") as url, tempfile.TemporaryDirectory() as folder:
        _configure(url, folder)
        _fill(options)
        _measure(options)


def _configure(url: str, folder: str) -> None:
    configure(url, COC_VAR_DIR=folder, COC_HTTPS="false", ALLOWED_HOSTS="testserver")
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("collectstatic", interactive=False, verbosity=0)


def _fill(options: argparse.Namespace) -> None:
    from django.utils import timezone

    from tests.benchmarks import large_shop

    began = time.monotonic()
    large_shop.fill(
        orders=options.orders,
        skus=5_000,
        now=timezone.now(),
        waiting=options.waiting,
        audited=options.orders // 10,
    )
    print(
        f"{options.orders} orders, {options.waiting} waiting, in {time.monotonic() - began:.0f} s"
    )


def _measure(options: argparse.Namespace) -> None:
    from django.test import Client

    from coc_admin.accounts.tokens import make
    from coc_admin.models import TokenScope
    from tests.benchmarks.test_console_speed import addresses, only_posted, person

    secret = make(name="bench", scopes=[TokenScope.STATUS_READ], every_site=True)
    api = Client(headers={"Authorization": f"Bearer {secret}"})
    op = person("op")
    wanted = re.compile(options.pages)
    frame = _cost(op, FRAME, options.repeats)
    print(f"limit: {FRAME} {median(frame.times):.0f} ms\n")
    print("| page | queries | median | p95 | times the limit | CPU | PostgreSQL |")
    slow = []
    for page in ["/metrics", "/api/v1/status", *addresses()]:
        client = api if page.startswith("/api/") else op
        if not wanted.search(page) or only_posted(client, page):
            continue
        cost = _cost(client, page, options.repeats)
        ratio = median(cost.times) / median(frame.times)
        print(
            f"| `{page}` | {cost.queries} | {median(cost.times):.0f} | {cost.p95:.0f} |"
            f" {ratio:.1f} | {cost.cpu:.0f} | {cost.postgresql:.0f} |",
            flush=True,
        )
        if cost.p95 > LIMIT_MS and page not in NOT_LIMITED:
            slow.append(page)
    print(f"\nover {LIMIT_MS} ms at p95: {', '.join(slow) or 'none'}")


def _cost(client: Any, page: str, repeats: int) -> Cost:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as asked:
        _read(client, page)
    queries = len(asked)  # the next request empties the log that it looks at
    times, cpu, server = [], [], _server_ms()
    for _ in range(repeats):
        began, spent = time.perf_counter(), time.process_time()
        _read(client, page)
        times.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - spent))
    return Cost(queries, times, median(cpu), (_server_ms() - server) / repeats)


def _read(client: Any, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code in (200, 302), f"{page}: {answer.status_code}"
    for _ in getattr(answer, "streaming_content", ()):
        pass


def _server_ms() -> float:
    """Return the processor time of the PostgreSQL process that serves us so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # on another host
    ticks = os.sysconf("SC_CLK_TCK")
    return 1000 * (int(fields[11]) + int(fields[12])) / ticks


if __name__ == "__main__":
    main()
