"""How old the figures of many SKUs are while OCI's stock changes all the time.

    DATABASE_URL=postgres://... python -m tests.benchmarks.stock_mirror [--skus N] [--lists N] ...

Makes a database of its own beside the one named, starts the simulator with `--skus` SKUs in each of
`--lists` lists, and changes `--rate` of them a second from then on. Phases:

1. the first full export of every list, one after the other;
2. catching up: until every list has been within 5 seconds once;
3. the steady state, in which the age of all figures is measured twice a second;
4. a full export of every list again;
5. once more, while `--captures` orders a second are captured.

`age of lists that follow` is that of the lists that are past their own first export, so it shows
whether the export of one holds up another. Beside each export stands the processor time of all that
went on meanwhile, deltas included, and last what PostgreSQL alone needs for as many figures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.benchmarks.drain import own_database

GOAL_SECONDS = 5.0


def main() -> None:
    options = _options()
    with own_database("stock_mirror") as url:
        os.environ["DATABASE_URL"] = url
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        _measure(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--skus", type=int, default=100_000, help="SKUs of each list")
    parser.add_argument("--lists", type=int, default=5)
    parser.add_argument("--rate", type=int, default=100, help="changes a second")
    parser.add_argument("--captures", type=float, default=20, help="orders a second")
    parser.add_argument("--seconds", type=float, default=30, help="of the steady state")
    return parser.parse_args()


@dataclass
class Bench:
    """The mirror that is measured, and OCI, whose stock goes on changing."""

    oci: Any
    lists: list[str]
    skus: int
    rate: int
    poller: threading.Thread
    stop: threading.Event = field(default_factory=threading.Event)
    sent: int = 0
    # Processor time of threads that are not the product, and of each session of the database.
    others: float = 0.0
    sessions: dict[int, float] = field(default_factory=dict)

    def change(self) -> None:
        """Change the stock of random SKUs at an even rate until `stop` is set."""
        dice, began = random.Random(2), time.monotonic()
        while not self.stop.wait(0.5):
            wanted = int((time.monotonic() - began) * self.rate) - self.sent
            self.oci.set_stock(
                _row(dice.choice(self.lists), dice.randrange(self.skus), dice.randrange(1, 500))
                for _ in range(wanted)
            )
            self.sent += wanted
            self.others = time.thread_time()

    def cpu(self) -> tuple[float, float]:
        """Return the processor time of the mirror and of PostgreSQL so far."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend'"
            )
            for (pid,) in cursor.fetchall():
                self.sessions[pid] = server_cpu(pid) or self.sessions.get(pid, 0.0)
        mirror = time.process_time() - time.thread_time() - self.others
        return mirror, sum(self.sessions.values())

    def watch(self, is_done: Callable[[], bool]) -> tuple[float, float]:
        """Wait for `is_done`; return the seconds, and the greatest age of lists that follow."""
        began, greatest = time.monotonic(), 0.0
        while not is_done():
            greatest = max([greatest, *_ages_of_followers()])
            self.cpu()
            time.sleep(0.25)
        return time.monotonic() - began, greatest

    def export(self, name: str, is_done: Callable[[], bool]) -> None:
        """Wait until every list is exported, and print what that cost."""
        before = self.cpu()
        seconds, age = self.watch(is_done)
        figures = len(self.lists) * self.skus
        mirror, postgresql = (b - a for a, b in zip(before, self.cpu(), strict=True))
        print(
            f"{name}: {figures:,} figures in {seconds:.1f} s, {figures / seconds:,.0f} a second;"
            f" {1e6 * mirror / figures:.0f} µs of Python and"
            f" {1e6 * postgresql / figures:.0f} µs of PostgreSQL each;"
            f" age of lists that follow at most {age:.2f} s",
            flush=True,
        )


def _measure(options: argparse.Namespace) -> None:
    from django.utils import timezone

    from orders.models import InventoryList
    from reconciliation.oci.feeds import FeedClient
    from reconciliation.stock_mirror import StockMirror
    from tests.reconciliation.oci.simulator_process import SimulatorProcess
    from tests.reconciliation.stock_mirror.conftest import FEED_SCOPE

    lists = [f"list-{number}" for number in range(options.lists)]
    graph = {"locations": [], "groups": {name: [f"dc-{name}"] for name in lists}, "stock": []}
    for name in lists:
        InventoryList.objects.create(pk=name)
    with SimulatorProcess(stock=graph) as oci:
        for name in lists:
            for start in range(0, options.skus, 20_000):
                numbers = range(start, min(options.skus, start + 20_000))
                oci.set_stock(_row(name, number, 100) for number in numbers)
        client = FeedClient(oci.config(scope=FEED_SCOPE))
        mirror = StockMirror(holder="benchmark", client=client, clock=timezone.now)
        stop = threading.Event()
        thread = threading.Thread(target=mirror.run, args=(stop,), daemon=True)
        bench = Bench(oci, lists, options.skus, options.rate, thread)
        changing = threading.Thread(target=bench.change, daemon=True)
        thread.start()
        changing.start()
        _phases(bench, options)
        bench.stop.set()
        changing.join(10)
        stop.set()
        thread.join(30)
        client.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory of the poller at most {memory:.0f} MB")
    from tests.benchmarks import mirror_limit

    mirror_limit.measure(lists, options.skus, server_cpu)


def _phases(bench: Bench, options: argparse.Namespace) -> None:
    from django.utils import timezone

    from orders.models import InventoryRecord
    from reconciliation.models import FeedState, StockFeed

    follows = StockFeed.objects.filter(state=FeedState.FOLLOWING)
    bench.export("first full export", lambda: follows.count() == len(bench.lists))
    behind = max(_ages())
    seconds, _ = bench.watch(lambda: max(_ages()) < GOAL_SECONDS)
    print(f"catching up: the last list was {behind:.1f} s behind; {seconds:.1f} s later none was")
    _steady(bench, options.seconds)
    new = time.monotonic()
    bench.oci.set_stock([_row(bench.lists[-1], options.skus, 7)])
    bench.watch(lambda: InventoryRecord.objects.filter(sku=f"SKU-{options.skus}", ato=7).exists())
    print(f"a new SKU can be sold after {time.monotonic() - new:.2f} s", flush=True)
    _captures(bench, options, "nothing", lambda: time.sleep(10))

    def export_again(name: str) -> None:
        due = StockFeed.objects.filter(imported_at__lt=timezone.now())
        StockFeed.objects.update(exported_at=timezone.now() - timedelta(days=30))
        bench.export(name, lambda: not due.exists())

    export_again("full export again")
    _captures(bench, options, "an export", lambda: export_again("beside captures"))


def _steady(bench: Bench, seconds: float) -> None:
    from django.utils import timezone

    from reconciliation.models import StockFeed
    from reconciliation.stock_mirror import age

    p95, oldest, before = [], [], bench.sent
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        for feed in StockFeed.objects.all():
            age.measure(feed)
        ages = age.ages(timezone.now())
        p95.append(max(one.p95.total_seconds() for one in ages))
        oldest.append(max(one.oldest.total_seconds() for one in ages))
        time.sleep(0.5)
    print(f"steady state: {bench.sent - before:,} changes in {seconds:.0f} s")
    print(f"age: p95 at most {max(p95):.2f} s, oldest at most {max(oldest):.2f} s", flush=True)


def _captures(
    bench: Bench, options: argparse.Namespace, beside: str, work: Callable[[], object]
) -> None:
    """Let orders come while `work` goes on; print how long the captures took."""
    if not options.captures:
        work()
        return
    command = [sys.executable, "-m", "tests.benchmarks.mirror_captures"]
    command += [str(options.captures), str(options.skus), *bench.lists]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        work()
        took = sorted(json.loads(process.communicate()[0]))
    middle, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    print(
        f"captures beside {beside}: {len(took)}, median {middle:.0f} ms, p99 {p99:.0f} ms,"
        f" longest {took[-1]:.0f} ms",
        flush=True,
    )


def _ages_of_followers() -> list[float]:
    """Return how old the figures of each list are that has had a delta since its first export."""
    from django.db.models import F

    from reconciliation.models import StockFeed

    return _ages(StockFeed.objects.filter(current_at__gt=F("exported_at")))


def _ages(feeds: Any = None) -> list[float]:
    from django.utils import timezone

    from reconciliation.models import StockFeed

    rows = StockFeed.objects.all() if feeds is None else feeds
    now = timezone.now()
    moments = rows.values_list("current_at", flat=True)
    return [(now - at).total_seconds() for at in moments if at is not None]


def server_cpu(pid: int) -> float:
    """Return the processor time of a session of the database so far; 0 where it is gone."""
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _row(name: str, number: int, units: int) -> dict[str, Any]:
    return {"location": f"dc-{name}", "sku": f"SKU-{number}", "onHand": units}


if __name__ == "__main__":
    main()
