"""Play many seeds, in this process or in several."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

# Seeds per chunk for a process.
_HANDFUL = 5


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a seed: `what` is the broken promise, if any, `story` the full log."""

    seed: int
    seen: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    what: str = ""
    story: str = ""
    seconds: float = 0.0


def played(seeds: range, jobs: int) -> Iterator[Result]:
    """Yield the result of each seed, in order."""
    if jobs == 1:
        _make_ready()
        yield from map(_play, seeds)
        return
    # Each process has its own in-memory database, which forks must not share.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, initializer=_make_ready) as processes:
        try:
            yield from processes.map(_play, seeds, chunksize=_HANDFUL)
        finally:
            processes.shutdown(cancel_futures=True)


def _make_ready() -> None:
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
    # Automatic garbage collection takes a tenth of the time.
    gc.disable()


def _play(seed: int) -> Result:
    from tests.simulation.story import Failure, simulate

    began = time.process_time()
    try:
        told = simulate(seed)
    except Failure as failure:
        return Result(seed, what=failure.what, story=str(failure))
    if seed % 25 == 0:
        gc.collect()
    return Result(seed, told.seen, told.digest, seconds=time.process_time() - began)
