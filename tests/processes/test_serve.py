"""Web, worker and monitor as real processes: they start, are watched, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
import requests

from tests import migrated, sampling
from tests.processes.product import Running, environment, serve, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.own_sqlite]

Start = Callable[..., Running]
WEB = "coc_admin.web_server"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts the product, on a migrated database."""
    running: list[Running] = []
    migrated.copy_sqlite(tmp_path / "coc.sqlite3")

    def begin(*arguments: str, env: dict[str, str] | None = None) -> Running:
        running.append(serve(env or environment(tmp_path), *arguments))
        return running[-1]

    yield begin
    for one in running:
        one.stop()


def beats(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "coc.sqlite3") as database:
        rows = database.execute(
            "SELECT beat_at FROM reconciliation_heartbeat WHERE component = 'worker'"
        )
        return sorted(row[0] for row in rows)


def test_a_signal_stops_everything_and_it_starts_again(start: Start, tmp_path: Path) -> None:
    env = environment(tmp_path)
    # It migrates by itself; an empty database takes ten times as long as one that lacks a table.
    if sampling.LONG:
        (tmp_path / "coc.sqlite3").unlink()
    else:
        lose_a_migration(tmp_path / "coc.sqlite3")
    for number in (signal.SIGINT, signal.SIGTERM):
        product = start(env=env)
        product.wait_until_it_answers()
        assert len(product.family()) >= 3 * 2

        product.process.send_signal(number)

        assert product.process.wait(30) == 0, product.output()
        assert product.everybody_is_gone()
        assert "Traceback" not in product.output()
    with closing(sqlite3.connect(tmp_path / "coc.sqlite3")) as database:
        assert database.execute("SELECT COUNT(*) FROM django_session").fetchone() == (0,)


def lose_a_migration(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE django_session")
        database.execute("DELETE FROM django_migrations WHERE app = 'sessions'")


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    # As make does: it starts the command and waits for it.
    migrated.copy_sqlite(tmp_path / "coc.sqlite3")
    waits = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    product = Running(
        [sys.executable, "-c", waits, sys.executable, "manage.py", "serve", "--with-parent"],
        environment(tmp_path),
    )
    try:
        product.wait_until_it_answers()
        product.family()

        product.process.kill()

        wait_for(product.everybody_is_gone, "every process to be gone")
    finally:
        product.stop()


def test_nobody_is_refused_while_the_web_process_is_started_again(start: Start) -> None:
    # The supervisor holds the socket: who comes meanwhile waits in its queue.
    product = start("--only", "web")
    product.wait_until_it_answers("/healthz")
    group = product.group_of(WEB)

    os.killpg(group, signal.SIGKILL)

    url = f"http://127.0.0.1:{product.port}/healthz"
    assert [requests.get(url, timeout=60).status_code for _ in range(3)] == [200, 200, 200]
    assert product.group_of(WEB) != group


def test_several_web_processes_share_the_port_and_one_that_dies_is_started_again(
    start: Start, tmp_path: Path
) -> None:
    product = start("--only", "web", env=environment(tmp_path, COC_WEB_WORKERS="2"))
    product.wait_until_it_answers("/healthz")
    groups = web_groups(product)
    assert len(groups) == 2

    os.killpg(min(groups), signal.SIGKILL)

    url = f"http://127.0.0.1:{product.port}/healthz"
    assert {requests.get(url, timeout=60).status_code for _ in range(20)} == {200}
    wait_for(
        lambda: re.search("web-[12]: ended with exit code", product.output()), "the line about it"
    )
    wait_for(lambda: len(web_groups(product)) == 2, "another one")


def test_what_dies_or_does_nothing_is_started_again_and_nobody_is_left(
    start: Start, tmp_path: Path
) -> None:
    # Silence does not count here, so that a worker is only known by the work that it does.
    env = environment(tmp_path, COC_WATCHDOG_SECONDS="6", COC_SILENT_SECONDS="3600")
    product = start(env=env)
    product.wait_until_it_answers()
    wait_for(lambda: beats(tmp_path), "the first beat")
    a_program_that_dies_is_started_again(product)
    a_worker_process_that_is_killed_does_not_stop_the_work(product, tmp_path)
    a_wedged_worker_is_noticed_and_replaced(product, tmp_path)
    nobody_is_left_when_the_supervisor_is_killed(product)


def a_program_that_dies_is_started_again(product: Running) -> None:
    group = product.group_of("watch_oci")

    os.killpg(group, signal.SIGKILL)

    wait_for(lambda: "monitor: ended with exit code" in product.output(), "the line about it")
    wait_for(lambda: started_anew(product, "watch_oci", group), "another monitor")


def a_worker_process_that_is_killed_does_not_stop_the_work(product: Running, folder: Path) -> None:
    leader = psutil.Process(product.group_of("qcluster"))

    # Any process of a cluster may hold a lock of its queues, an idle one too.
    for process in sorted(leader.children(recursive=True), key=lambda one: one.pid)[-3:]:
        process.kill()
    killed_at = beats(folder)

    wait_for(lambda: beats(folder) != killed_at, "work to go on")


def a_wedged_worker_is_noticed_and_replaced(product: Running, folder: Path) -> None:
    # Every process of the cluster lives and none does anything, as with a lock that is lost.
    wait_for(lambda: is_there(product, "qcluster"), "a worker")
    group = product.group_of("qcluster")
    halted = beats(folder)

    os.killpg(group, signal.SIGSTOP)

    wait_for(lambda: started_anew(product, "qcluster", group), "another worker")
    assert "serve    | worker: no sign of work for 6 s; starting it again" in product.lines
    wait_for(lambda: beats(folder) != halted, "a beat of the new worker")
    assert all(group != os.getpgid(process.pid) for process in product.family())


def nobody_is_left_when_the_supervisor_is_killed(product: Running) -> None:
    product.family()

    product.process.kill()

    wait_for(product.everybody_is_gone, "every process to be gone")
    assert not product.answers()


def web_groups(product: Running) -> set[int]:
    """Return the process groups of the processes that take orders, without the console's."""
    groups = set()
    for process in product.family():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if WEB in process.cmdline():
                groups.add(os.getpgid(process.pid))
    return groups


def is_there(product: Running, word: str) -> bool:
    return started_anew(product, word, 0)


def started_anew(product: Running, word: str, old_group: int) -> bool:
    try:
        return product.group_of(word) != old_group
    except LookupError:
        return False
