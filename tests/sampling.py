"""Which part of a long list a run plays: the short form takes turns, the long form plays all.

`make test` plays a part of what is large and alike (pages times looks, orders times addresses). The
part depends on a seed, which is the day: what is left out today has its turn within a week. The
first line of a run names the seed, and COC_TEST_SEED plays it again. `make test-long` plays all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")

LONG = os.environ.get("COC_TEST_LONG", "0") not in ("", "0")


def _seed() -> int:
    """Return the seed of the run; every process of a run has that of the first."""
    # A run on each database, one after the other, plays two parts.
    on_postgres = os.environ.get("DATABASE_URL", "").startswith("postgres")
    today = datetime.now(UTC).toordinal() + on_postgres
    return int(os.environ.setdefault("COC_TEST_SEED", str(today)))


SEED = _seed()


def part(items: Iterable[T], *, one_in: int) -> list[T]:
    """Return every `one_in`-th item, beginning where the seed says; all of them in the long form.

    `one_in` seeds in a row play everything. Something is returned if there is anything.
    """
    every = list(items)
    if LONG or not every:
        return every
    return every[SEED % min(one_in, len(every)) :: one_in]


def short_or_long(short: T, long: T) -> T:
    """Return the first in the short form, the second in the long one."""
    return long if LONG else short


def described() -> str:
    """Return the line about the form that a run begins with."""
    if LONG:
        return "long form: everything is played"
    return f"short form, part {SEED} of long lists (COC_TEST_SEED={SEED}); `make test-long`: all"
