"""Every row of docs/performance.md beside its limit, in one run: `python -m tests.benchmarks`.

The small form takes some minutes; `--full` measures the sizes of the tables and takes an hour.
`--only WORD` chooses rows. DATABASE_URL names a PostgreSQL database; rows that need one of their
own make it beside that one and drop it. A row that fails is named at the end and stops no other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the module that measures it, and its arguments in the small and in the full form."""

    name: str
    module: str
    small: str = ""
    full: str = ""
    # Measured on SQLite as well.
    sqlite: bool = False


ROWS = (
    Row("capture", "capture", "--clients 8 --seconds 2 --rounds 1", "--half --rounds 3", True),
    Row(
        "capture of one hot SKU",
        "capture",
        "--hot --clients 16 --seconds 2 --rounds 1",
        "--hot --clients 64 --rounds 3",
    ),
    Row("drain", "drain", "--orders 1000", "--orders 10000"),
    Row("reports of a long day", "merge", "--orders 20000", "--orders 1000000"),
    Row("pages of the console", "pages", "--orders 20000 --waiting 2000", "--waiting 100000"),
    Row(
        "age of the stock mirror",
        "stock_mirror",
        "--skus 2000 --seconds 10",
        "--skus 100000 --lists 5 --seconds 60",
    ),
    Row("idle", "idle", "--seconds 20", "--seconds 60", True),
)


def main() -> int:
    """Run the rows; returns how many failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--full", action="store_true", help="the sizes of docs/performance.md")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args()
    failed = []
    for row in ROWS:
        if options.only not in row.name:
            continue
        for on_sqlite in (False, True) if row.sqlite else (False,):
            if not run(row, full=options.full, on_sqlite=on_sqlite):
                failed.append(row.name)
    print(f"\n{len(failed)} rows failed: {', '.join(failed)}" if failed else "\nEvery row ran.")
    return len(failed)


def run(row: Row, *, full: bool, on_sqlite: bool) -> bool:
    """Run one row, its output as it comes; False if it failed."""
    environment = dict(os.environ)
    if on_sqlite:
        environment.pop("DATABASE_URL", None)
    elif "DATABASE_URL" not in environment:
        print(f"\n== {row.name}: needs DATABASE_URL, left out", flush=True)
        return True
    where = "SQLite" if on_sqlite else "PostgreSQL"
    print(f"\n== {row.name}, {where}, load {os.getloadavg()[0]:.1f}", flush=True)
    arguments = (row.full if full else row.small).split()
    began = time.monotonic()
    command = [sys.executable, "-m", f"tests.benchmarks.{row.module}", *arguments]
    done = subprocess.run(command, env=environment, check=False)
    print(f"   ({time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f})", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    raise SystemExit(min(1, main()))
