"""A request that takes too long is interrupted, whatever it does; nothing of it is kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import connection, transaction

from coc_admin.web_server.time_limits import TimeLimits
from orders.models import InventoryList
from tests.processes.product import wait_for

Work = Callable[[], None]


class Asked:
    """One request after the other in a thread of its own, as in the console process."""

    def __init__(self, *works: Work, path: str = "/slow", **limits: Any) -> None:
        self.answers: list[tuple[str, dict[str, str], bytes]] = []
        self.faults: list[BaseException] = []
        self._works = works
        self._path = path
        self._limits = TimeLimits(
            self._application, **({"cpu_seconds": 60.0, "seconds": 60.0} | limits)
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["work"]()
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    def _run(self) -> None:
        for work in self._works:
            told: list[Any] = []

            def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
                told[:] = [status, dict(headers)]  # noqa: B023 - called within this turn

            try:
                body = self._limits({"PATH_INFO": self._path, "work": work}, start_response)
                self.answers.append((told[0], told[1], b"".join(body)))
            except BaseException as error:
                self.faults.append(error)
        connection.close()

    def done(self) -> list[str]:
        self.thread.join(40)
        assert not self.thread.is_alive()
        assert self.faults == []
        return [status for status, _, _ in self.answers]


def nothing() -> None:
    """Take no time."""


def compute() -> None:
    while True:
        sum(range(1000))


def sleep() -> None:
    while True:
        time.sleep(0.01)


def test_processor_time_is_limited_and_the_next_request_is_not_struck() -> None:
    asked = Asked(compute, nothing, nothing, cpu_seconds=0.2)
    assert asked.done() == ["503 Service Unavailable", "200 OK", "200 OK"]
    _, headers, body = asked.answers[0]
    assert headers["Retry-After"] == "5"
    assert b"took too much time" in body


def test_time_is_limited_and_the_api_is_told_so_as_ever() -> None:
    asked = Asked(sleep, seconds=0.2, path="/api/v1/reports")
    assert asked.done() == ["503 Service Unavailable"]
    _, headers, body = asked.answers[0]
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["type"] == "unavailable"


def test_waiting_costs_no_processor_time() -> None:
    def wait() -> None:
        time.sleep(1.5)

    assert Asked(wait, cpu_seconds=0.2).done() == ["200 OK"]


def test_code_that_catches_every_exception_catches_this_one_not() -> None:
    def stubborn() -> None:
        while True:
            try:
                compute()
            except Exception:
                continue

    assert Asked(stubborn, cpu_seconds=0.2).done() == ["503 Service Unavailable"]


def test_what_cannot_be_interrupted_ends_the_process() -> None:
    ended = threading.Event()
    let_go = threading.Event()

    def stuck() -> None:
        # As code that is not Python's: an exception is raised when it comes back, not before.
        let_go.wait(30)

    asked = Asked(stuck, seconds=0.2, grace_seconds=0.2, end_process=ended.set)
    assert ended.wait(20)
    let_go.set()
    assert asked.done() == ["503 Service Unavailable"]


@pytest.mark.django_db(transaction=True)
def test_a_statement_is_cancelled_and_its_transaction_rolled_back() -> None:
    begun = threading.Event()

    def write_and_ask_for_ever() -> None:
        with transaction.atomic():
            InventoryList.objects.create(id="half")
            begun.set()
            with connection.cursor() as cursor:
                if connection.vendor == "sqlite":
                    cursor.execute(
                        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
                        "SELECT count(*) FROM n"
                    )
                else:
                    cursor.execute("SELECT pg_sleep(60)")

    def write() -> None:
        InventoryList.objects.create(id="whole")

    asked = Asked(write_and_ask_for_ever, write, seconds=3.0)
    assert begun.wait(20)
    assert asked.done() == ["503 Service Unavailable", "200 OK"]
    assert list(InventoryList.objects.values_list("id", flat=True)) == ["whole"]
    wait_for(lambda: not asked.thread.is_alive(), "the thread to end")
