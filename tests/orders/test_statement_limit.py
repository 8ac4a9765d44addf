"""How long a statement may take: by what the process is, and for a while by what a thread does."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django_q.signals import post_spawn
from pytest_django.fixtures import Settings

from orders import statement_limit
from orders.statement_limit import Kind
from tests.processes.product import ROOT, environment


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> Iterator[None]:
    settings.COC_DATABASE_SECONDS = 5.0
    settings.COC_DATABASE_WORK_SECONDS = 20.0
    settings.COC_DATABASE_COMMAND_SECONDS = 3600.0
    yield
    statement_limit.set_kind(Kind.SERVICE)


def test_a_process_is_impatient_unless_it_says_what_it_is() -> None:
    assert (statement_limit.kind(), statement_limit.seconds()) == (Kind.SERVICE, 5.0)
    statement_limit.set_kind(Kind.COMMAND)
    assert (statement_limit.kind(), statement_limit.seconds()) == (Kind.COMMAND, 3600.0)


def test_a_worker_of_the_queue_has_time() -> None:
    post_spawn.send(sender="django_q", proc_name="Process-1")
    assert statement_limit.seconds() == 20.0


@pytest.mark.processes
def test_a_command_has_the_time_that_it_needs(tmp_path: Path) -> None:
    code = "from orders import statement_limit; print(statement_limit.seconds())"
    told = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT,
        env=environment(tmp_path, COC_DATABASE_COMMAND_SECONDS="777"),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout == "777.0\n"


def test_a_thread_may_take_more_or_less_for_a_while() -> None:
    elsewhere: list[float] = []
    with statement_limit.for_work():
        assert statement_limit.seconds() == 20.0
        with statement_limit.at_most(2):
            assert statement_limit.seconds() == 2.0
        thread = threading.Thread(target=lambda: elsewhere.append(statement_limit.seconds()))
        thread.start()
        thread.join()
    with statement_limit.at_most(100):
        assert statement_limit.seconds() == 5.0
    assert (elsewhere, statement_limit.seconds()) == ([5.0], 5.0)


def test_work_in_a_command_keeps_the_time_of_the_command() -> None:
    with statement_limit.acting_as(Kind.COMMAND), statement_limit.for_work():
        assert statement_limit.seconds() == 3600.0
    assert statement_limit.seconds() == 5.0
