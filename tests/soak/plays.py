"""The long forms by command: played on each database asked for, with figures or what disagrees."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
from typing import Any, Protocol

import pytest

from tests.soak.postgres import NoPostgres


class Play(Protocol):
    """Something that plays for a while and must agree afterwards."""

    figures: dict[str, Any]

    def run(self) -> dict[str, Any]:
        """Play it; return the figures. Raises AssertionError when anything disagrees."""


class Kind(Protocol):
    """Makes a play; without `on_postgres` (one of its own) it is on SQLite."""

    def __call__(
        self, *, seconds: float, seed: int, on_postgres: bool, per_second: float
    ) -> Play: ...


def arguments(description: str | None, *, minutes: float, seed: str) -> argparse.Namespace:
    """Parse the command line; `minutes` is the default, `seed` says what it decides."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--minutes", type=float, default=minutes, help="how long (each)")
    parser.add_argument("--seed", type=int, default=1, help=seed)
    parser.add_argument("--per-second", type=float, default=8.0, help="orders a second, about")
    parser.add_argument(
        "--database", choices=["postgres", "sqlite", "both"], default="both", help="on what"
    )
    return parser.parse_args()


def play_on_each(kind: Kind, chosen: argparse.Namespace) -> int:
    """Play on each database; 0 when everything agreed, else 1, or 2 without PostgreSQL."""
    databases = ["postgres", "sqlite"] if chosen.database == "both" else [chosen.database]
    with tempfile.TemporaryDirectory() as folder:
        # For what a run of the tests makes once (tests/migrated.py): this is none.
        os.environ["COC_TEST_FOLDER"] = folder
        for database in databases:
            play = kind(
                seconds=60 * chosen.minutes,
                seed=chosen.seed,
                on_postgres=database == "postgres",
                per_second=chosen.per_second,
            )
            code = _play(play, f"{database}, seed {chosen.seed}")
            if code:
                return code
    return 0


def _play(play: Play, name: str) -> int:
    try:
        figures = play.run()
    except NoPostgres as problem:
        print(problem, file=sys.stderr)
        return 2
    except (AssertionError, pytest.fail.Exception) as disagreement:
        traceback.print_exc()
        print(f"{name}: {disagreement}\n{play.figures}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=1), flush=True)
    return 0
