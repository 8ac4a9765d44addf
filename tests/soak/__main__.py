"""The long form: `python -m tests.soak --minutes 5` (see `make soak`)."""

from __future__ import annotations

import argparse
import json
import sys
import traceback

import pytest

from tests.soak.postgres import NoPostgres
from tests.soak.shop import DATA, real_orders
from tests.soak.soak import Soak


def main() -> int:
    """Play one soak on each database asked for; 0 when everything agreed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to do harm (each)")
    parser.add_argument("--seed", type=int, default=1, help="what goes wrong, and when")
    parser.add_argument("--per-second", type=float, default=8.0, help="orders a second")
    parser.add_argument(
        "--database", choices=["postgres", "sqlite", "both"], default="both", help="on what"
    )
    chosen = parser.parse_args()
    if not real_orders():
        print(f"The real orders are missing: no *.csv.gz in a folder {DATA.name}.", file=sys.stderr)
        return 2
    databases = ["postgres", "sqlite"] if chosen.database == "both" else [chosen.database]
    for database in databases:
        soak = Soak(
            seconds=60 * chosen.minutes,
            seed=chosen.seed,
            on_postgres=database == "postgres",
            per_second=chosen.per_second,
        )
        try:
            figures = soak.run()
        except NoPostgres as problem:
            print(problem, file=sys.stderr)
            return 2
        except (AssertionError, pytest.fail.Exception) as disagreement:
            traceback.print_exc()
            print(f"{database}, seed {chosen.seed}: {disagreement}", file=sys.stderr)
            return 1
        print(json.dumps(figures, indent=1), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
