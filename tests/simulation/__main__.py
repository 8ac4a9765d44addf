"""The long form: `python -m tests.simulation --first 1 --seeds 1000 --jobs 2` (`make simulate`)."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.simulation.plays import Result, played

_FIGURES = {
    "orders": "order ",
    "outages": "outages",
    "outages noticed": "outages noticed",
    "captured offline": "event captured_offline",
    "calls to OCI": "calls to OCI",
    "deaths": "deaths",
    "processes overtaken": "processes overtaken",
    "runs": "run ",
}


def main() -> int:
    """Play the seeds; 0 if none broke a promise, else 1."""
    chosen = _arguments()
    began = time.monotonic()
    results = played(range(chosen.first, chosen.first + chosen.seeds), chosen.jobs)
    summary = _followed(results, chosen, began)
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(summary, indent=1) + "\n")
    return 1 if summary["failed"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds")
    parser.add_argument("--jobs", type=int, default=1, help="in so many processes at a time")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failure")
    parser.add_argument("--log", action="store_true", help="print a line about each seed")
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file as well")
    return parser.parse_args()


def _followed(results: Iterable[Result], chosen: argparse.Namespace, began: float) -> Any:
    """Print the progress and the final result; return the figures."""
    failed: dict[int, str] = {}
    seen: Counter[str] = Counter()
    number, busy = 0, 0.0
    for number, result in enumerate(results, start=1):
        if result.what:
            failed[result.seed] = result.what
            told = f"seed {result.seed}: {result.what}" if chosen.keep_going else result.story
            print(told, flush=True)
            if not chosen.keep_going:
                break
        seen += result.seen
        busy += result.seconds
        if chosen.log and not result.what:
            print(result.seed, result.digest, sorted(result.seen.items()))
        if number % 100 == 0:
            print(f"{number} seeds, {number / (time.monotonic() - began):.1f}/s", flush=True)
    return _told(chosen.first, number, seen, failed, time.monotonic() - began, busy)


def _told(
    first: int, seeds: int, seen: Counter[str], failed: dict[int, str], spent: float, busy: float
) -> dict[str, Any]:
    figures = {
        name: sum(count for what, count in seen.items() if _counts_as(what, begins))
        for name, begins in _FIGURES.items()
    }
    print(*(f"  {count:8} {name}" for name, count in sorted(seen.items())), sep="\n")
    for seed, what in failed.items():
        print(f"failed: seed {seed}: {what}")
    print(
        f"{seeds} seeds from {first}:",
        ", ".join(f"{count:,} {name}" for name, count in figures.items()),
        f"in {spent:.0f} s, {seeds / spent:.2f} seeds/s;",
        f"{busy:.0f} s of processors, {figures['outages'] / max(busy, 0.001):.1f} outages/s each;",
        f"{len(failed)} failed",
    )
    return {
        "first": first,
        "seeds": seeds,
        **figures,
        "seconds": round(spent, 1),
        "processorSeconds": round(busy, 1),
        "seedsPerSecond": round(seeds / spent, 2),
        "failed": failed,
        "seen": dict(sorted(seen.items())),
    }


def _counts_as(what: str, begins: str) -> bool:
    return what.startswith(begins) if begins.endswith(" ") else what == begins


if __name__ == "__main__":
    sys.exit(main())
