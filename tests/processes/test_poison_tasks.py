"""Tasks that fail, take their worker with them or hang, in a real cluster on the database's queue.

The tasks behind them are done, the cluster lives, and a task that fails is given up in the end.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import migrated
from tests.processes.product import ROOT, Running, environment, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.own_sqlite]


def manage(env: dict[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, check=True, timeout=120
    )


def enqueue(env: dict[str, str], *tasks: str) -> None:
    lines = [f"async_task('{task}')" for task in tasks]
    code = "; ".join(["from django_q.tasks import async_task", *lines])
    manage(env, "shell", "--no-imports", "-c", code)


def ask(folder: Path, sql: str) -> list[tuple[str, ...]]:
    with sqlite3.connect(folder / "coc.sqlite3") as database:
        return list(database.execute(sql))


def test_poison_delays_the_tasks_behind_it_and_does_nothing_else(tmp_path: Path) -> None:
    env = environment(tmp_path, DJANGO_SETTINGS_MODULE="tests.processes.queue_settings")
    migrated.copy_sqlite(tmp_path / "coc.sqlite3")
    poison = [f"tests.processes.poison.{name}" for name in ("leaves", "hangs", "raises")]
    enqueue(env, *poison, "reconciliation.tasks.sweep", "gone.away", "reconciliation.tasks.sweep")
    cluster = Running([sys.executable, "manage.py", "qcluster"], env)
    begun = tmp_path / "poison.txt"

    def times() -> Counter[str]:
        return Counter(begun.read_text().split()) if begun.exists() else Counter()

    try:
        beats = "SELECT beat_at FROM reconciliation_heartbeat WHERE component = 'worker'"
        wait_for(lambda: ask(tmp_path, beats), "the sweep behind the poison")
        # What failed comes again, three times in all; what took the worker along comes again too.
        wait_for(lambda: times()["raises"] == 3 and times()["leaves"] > 1, "the second helping")
        before = ask(tmp_path, beats)
        enqueue(env, "reconciliation.tasks.sweep")
        wait_for(lambda: ask(tmp_path, beats) > before, "a sweep after all that")
        assert cluster.process.poll() is None
        failed = ask(tmp_path, "SELECT DISTINCT func FROM django_q_task WHERE NOT success")
        assert {"tests.processes.poison.raises", "gone.away"} <= {func for (func,) in failed}
        assert times()["raises"] == 3
    finally:
        cluster.stop()
