"""How old the figures of many SKUs are while OCI's stock changes all the time.

    DATABASE_URL=postgres://... python -m tests.benchmarks.stock_mirror [--skus N] [--lists N] ...

Makes a database of its own beside the one named, starts the simulator with `--skus` SKUs in each of
`--lists` lists, brings them in by full exports, then follows `--rate` changes a second and measures
each second how old the figures are. In the end every figure is compared, and the database dropped.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.drain import own_database


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
    parser.add_argument("--seconds", type=float, default=30, help="of the steady state")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    from django.utils import timezone

    from orders.models import InventoryList, InventoryRecord
    from reconciliation.models import FeedState, StockFeed
    from reconciliation.oci.feeds import FeedClient
    from reconciliation.stock_mirror import StockMirror, age
    from tests.reconciliation.oci.simulator_process import SimulatorProcess
    from tests.reconciliation.stock_mirror.conftest import FEED_SCOPE, config_of

    lists = [f"list-{number}" for number in range(options.lists)]
    graph = {"locations": [], "groups": {name: [f"dc-{name}"] for name in lists}, "stock": []}
    for name in lists:
        InventoryList.objects.create(pk=name)
    with SimulatorProcess(stock=graph) as oci:
        for name in lists:
            for start in range(0, options.skus, 20_000):
                numbers = range(start, min(options.skus, start + 20_000))
                oci.set_stock(_row(name, number, 100) for number in numbers)
        client = FeedClient(config_of(oci, FEED_SCOPE))
        stop = threading.Event()
        poller = StockMirror(holder="benchmark", client=client, clock=timezone.now)
        thread = threading.Thread(target=poller.run, args=(stop,), daemon=True)
        began = time.monotonic()
        thread.start()
        follows = StockFeed.objects.filter(state=FeedState.FOLLOWING)
        _wait(lambda: follows.count() == options.lists)
        seconds, total = time.monotonic() - began, InventoryRecord.objects.count()
        print(f"full export: {total:,} figures in {seconds:.1f} s, {total / seconds:,.0f} a second")
        p95, oldest, sent = [], [], 0
        began = time.monotonic()
        while (passed := time.monotonic() - began) < options.seconds:
            wanted = int(passed * options.rate)
            sent += _change(oci, lists, options.skus, wanted - sent)
            for feed in StockFeed.objects.all():
                age.measure(feed)
            ages = age.ages(timezone.now())
            p95.append(max(one.p95.total_seconds() for one in ages))
            oldest.append(max(one.oldest.total_seconds() for one in ages))
            time.sleep(0.5)
        print(f"steady state: {sent:,} changes in {options.seconds:.0f} s")
        print(f"age: p95 at most {max(p95):.2f} s, oldest at most {max(oldest):.2f} s")
        new = time.monotonic()
        oci.set_stock([_row(lists[-1], options.skus, 7)])
        _wait(lambda: InventoryRecord.objects.filter(sku=f"SKU-{options.skus}", ato=7).exists())
        print(f"a new SKU can be sold after {time.monotonic() - new:.2f} s")
        stop.set()
        thread.join(30)
        client.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory of the poller at most {memory:.0f} MB")


def _row(name: str, number: int, units: int) -> dict[str, Any]:
    return {"location": f"dc-{name}", "sku": f"SKU-{number}", "onHand": units}


def _change(oci: Any, lists: list[str], skus: int, number: int) -> int:
    dice = random.Random()
    rows = [
        _row(dice.choice(lists), dice.randrange(skus), dice.randrange(1, 500))
        for _ in range(number)
    ]
    if rows:
        oci.set_stock(rows)
    return number


def _wait(is_so: Callable[[], bool]) -> None:
    while not is_so():
        time.sleep(0.1)


if __name__ == "__main__":
    main()
