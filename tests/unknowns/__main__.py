"""The long form: `python -m tests.unknowns --minutes 3` (see `make unknowns`)."""

from __future__ import annotations

import argparse
import json
import sys
import traceback

import pytest

from tests.soak.postgres import NoPostgres
from tests.unknowns.unknowns import Unknowns


def main() -> int:
    """Play on each database asked for; 0 when everything healed and agreed, else 1, or 2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="of unknown outcomes (each)")
    parser.add_argument("--seed", type=int, default=1, help="what shoppers and people do")
    parser.add_argument("--per-second", type=float, default=8.0, help="orders a second, about")
    parser.add_argument(
        "--database", choices=["postgres", "sqlite", "both"], default="both", help="on what"
    )
    chosen = parser.parse_args()
    databases = ["postgres", "sqlite"] if chosen.database == "both" else [chosen.database]
    for database in databases:
        play = Unknowns(
            seconds=60 * chosen.minutes,
            seed=chosen.seed,
            on_postgres=database == "postgres",
            per_second=chosen.per_second,
        )
        try:
            figures = play.run()
        except NoPostgres as problem:
            print(problem, file=sys.stderr)
            return 2
        except (AssertionError, pytest.fail.Exception) as disagreement:
            traceback.print_exc()
            print(f"{database}: {disagreement}\n{play.figures}", file=sys.stderr)
            return 1
        print(json.dumps(figures, indent=1), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
