"""The long form: `python -m tests.simulation --first 1 --seeds 1000` (see `make simulate`)."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import time
from collections import Counter


def main() -> int:
    """Play the seeds one after the other; 0 if none broke a promise, else 1 with the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failure")
    parser.add_argument("--log", action="store_true", help="print what happens in each seed")
    chosen = parser.parse_args()
    in_tests = "COC_TEST_FOLDER" in os.environ
    os.environ["DATABASE_URL"] = "sqlite:///:memory:"
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from tests import migrated

    logging.disable(logging.CRITICAL)
    if in_tests:
        migrated.fill_memory()
    else:
        call_command("migrate", verbosity=0)
    return play(range(chosen.first, chosen.first + chosen.seeds), chosen)


def play(seeds: range, chosen: argparse.Namespace) -> int:
    """Play `seeds`, telling how far it is; returns the exit code."""
    from tests.simulation.story import Failure, simulate

    # Collecting garbage as it comes costs a tenth of the time.
    gc.disable()
    began = time.monotonic()
    failed: list[int] = []
    seen: Counter[str] = Counter()
    for number, seed in enumerate(seeds, start=1):
        try:
            told = simulate(seed)
        except Failure as failure:
            failed.append(seed)
            print(failure if not chosen.keep_going else f"seed {seed}: {failure.what}", flush=True)
            if not chosen.keep_going:
                break
            continue
        seen += told.seen
        if chosen.log:
            print(seed, told.digest, sorted(told.seen.items()))
        if number % 25 == 0:
            gc.collect()
            spent = time.monotonic() - began
            print(f"{number} seeds, {number / spent:.1f}/s", flush=True)
    spent = time.monotonic() - began
    print(
        f"{number} seeds from {seeds.start} in {spent:.0f} s; failed: {failed or 'none'}",
        *(f"  {count:8} {name}" for name, count in sorted(seen.items())),
        sep="\n",
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
