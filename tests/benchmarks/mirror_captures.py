"""Orders captured at an even rate while stock is brought in; a process of `stock_mirror`.

    python -m tests.benchmarks.mirror_captures RATE SKUS LIST...

Captures until its input ends, then prints the milliseconds of every capture as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time


def main() -> None:
    """Capture orders of three items, one after the other."""
    import django

    django.setup()
    from django.utils import timezone

    from orders.models import Site
    from tests import factories

    rate, skus, lists = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    sites = [
        Site.objects.get_or_create(pk=f"shop-{name}", defaults={"inventory_list_id": name})[0]
        for name in lists
    ]
    for site in sites:
        site.refresh_from_db()
    run = time.time_ns()
    ended = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(ended,), daemon=True).start()
    dice = random.Random(1)
    took: list[float] = []
    began = time.monotonic()
    while not ended.wait(max(0.0, began + len(took) / rate - time.monotonic())):
        items = [(f"SKU-{dice.randrange(skus)}", 1.0) for _ in range(3)]
        asked = time.monotonic()
        factories.capture(dice.choice(sites), f"C-{run}-{len(took)}", items, at=timezone.now())
        took.append(1000 * (time.monotonic() - asked))
    print(json.dumps(took))


def _wait_for_the_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
