"""Which part of a long list a run plays: the short form takes turns, the long form plays all.

`make test` plays a part of what is large and alike (pages times looks, orders times addresses). The
part depends on a seed, which is the day: what is left out today has its turn within eight days. The
first line of a run names the seed, and COC_TEST_SEED plays it again. `make test-long` plays all.

Whole files take turns too, where they start the product, a browser or a world: `make test` plays a
sixth of them and CI plays all.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

LONG = os.environ.get("COC_TEST_LONG", "0") not in ("", "0")
# Whether files of the slow folders take turns, as `make test` wants it. Not in CI (`SLOW=all`), and
# not when pytest is called with a file.
SLOW_TAKE_TURNS = os.environ.get("COC_TEST_SLOW", "all") == "turns" and not LONG
# Folders of tests that start the product, a browser or a world: one in six of their files plays.
SLOW = ("processes", "browser", "simulation", "unknowns", "benchmarks", "upgrades")
_SLOW_ONE_IN = 6


def _seed() -> int:
    """Return the seed of the run; every process of a run has that of the first."""
    # A run on each database, one after the other, plays two parts.
    on_postgres = os.environ.get("DATABASE_URL", "").startswith("postgres")
    today = datetime.now(UTC).toordinal() + on_postgres
    return int(os.environ.setdefault("COC_TEST_SEED", str(today)))


SEED = _seed()


def part(items: Iterable[T], *, one_in: int, always: int = 0) -> list[T]:
    """Return every `one_in`-th item, beginning where the seed says; all of them in the long form.

    `one_in` seeds in a row play everything. Something is returned if there is anything. The first
    `always` items are in every part.
    """
    every = list(items)
    rest = every[always:]
    if LONG or not rest:
        return every
    return every[:always] + rest[SEED % min(one_in, len(rest)) :: one_in]


def has_turn(name: str, *, one_in: int) -> bool:
    """Whether something that is dear and alike in many tests is done in the one of this name."""
    return LONG or zlib.crc32(name.encode()) % one_in == SEED % one_in


def not_today(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests marked `in_turn(one_in)` that are not of the part that is played.

    Of the cases of one test the first always runs. Tests with the same `group` take turns, and
    none of them always runs. `make fuzz` plays everything, as the long form does.
    """
    cases: dict[object, list[pytest.Item]] = {}
    marked: dict[object, int] = {}
    for item in items:
        mark = item.get_closest_marker("in_turn")
        if mark is not None and not os.environ.get("COC_FUZZ"):
            test: object = mark.kwargs.get("group") or (
                item.path,
                getattr(item, "cls", None),
                getattr(item, "originalname", ""),
            )
            cases.setdefault(test, []).append(item)
            marked[test] = mark.args[0]
    left: list[pytest.Item] = []
    for test, every in cases.items():
        played = part(every, one_in=marked[test], always=0 if isinstance(test, str) else 1)
        left += [item for item in every if item not in played]
    return left


def slow_not_today(files: Iterable[Path], seconds: Mapping[Path, int]) -> set[Path]:
    """Return the files of the slow folders whose turn is on another day; none in CI.

    The files take turns in the order of their `seconds`, so that no day has all that are long.
    """
    slow = {file for file in files if file.parent.name in SLOW}
    if not SLOW_TAKE_TURNS:
        return set()
    every = sorted(slow, key=lambda file: (-seconds.get(file, 0), str(file)))
    return slow - set(part(every, one_in=_SLOW_ONE_IN))


def short_or_long(short: T, long: T) -> T:
    """Return the first in the short form, the second in the long one."""
    return long if LONG else short


def described() -> str:
    """Return the line about the form that a run begins with."""
    if LONG:
        return "long form: everything is played"
    slow = "" if not SLOW_TAKE_TURNS else f" and one in {_SLOW_ONE_IN} of the slow files"
    return (
        f"short form, part {SEED} of long lists{slow} (COC_TEST_SEED={SEED}); `make test-long`: all"
    )
