"""Calls of one process that are slow, cut off or in process: what the observer makes of them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from reconciliation import connection
from reconciliation.connection import StateObserver
from reconciliation.models import Connection, Outage
from reconciliation.oci.errors import Kind, OciNoAnswer, OciThrottled
from tests.reconciliation.connection.test_transitions import NOW, at

pytestmark = pytest.mark.django_db


class Calls:
    """Calls of one process that take as long as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
        self.now: datetime = NOW
        self.true = 0.0
        self.limit: float = settings.COC_OCI_LIVE_TIMEOUT
        self.observer = StateObserver(lambda: self.now)
        monkeypatch.setattr("reconciliation.connection.call_observer.time.monotonic", self._time)

    def _time(self) -> float:
        return self.true

    def put(self, seconds: float, *, answered: bool = True, kind: Kind = "timeout") -> None:
        self.observer.sent("put", str(uuid.uuid4()), self.limit)
        self.go(seconds)
        if answered:
            self.observer.answered()
        else:
            self.observer.failed(OciNoAnswer(operation="put", kind=kind))

    def put_in_process(self) -> None:
        self.observer.sent("put", str(uuid.uuid4()), self.limit)
        self.go(0.1)
        self.observer.undecided()

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.true += seconds


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> Calls:
    connection.current()
    Connection.objects.update(since=NOW)
    return Calls(monkeypatch, settings)


def test_one_call_of_ten_over_the_limit_is_too_slow(calls: Calls) -> None:
    for number in range(20):
        calls.put(2.0 if number % 10 == 9 else 0.1, answered=number % 10 != 9)
        if connection.current().state == "OFFLINE":
            break
    now = connection.current()
    assert (now.state, now.cause) == ("OFFLINE", "slow")
    assert connection.healths()["reserve"].p95_ms == 2000


def test_every_other_call_that_is_cut_off_a_little_before_the_limit_is_too_slow(
    calls: Calls,
) -> None:
    """As in the product: what was spent before the call leaves it less than the limit."""
    for number in range(4):
        calls.put(1.96 if number % 2 else 0.1, answered=not number % 2)
    now = connection.current()
    assert (now.state, now.cause) == ("OFFLINE", "slow")


def test_a_call_that_had_little_time_left_says_nothing_about_speed(calls: Calls) -> None:
    for number in range(8):
        calls.put(0.4 if number % 2 else 0.1, answered=not number % 2)
    assert connection.current().state == "ONLINE"


def test_one_call_of_forty_over_the_limit_is_not(calls: Calls) -> None:
    for number in range(120):
        calls.put(2.0 if number % 40 == 39 else 0.1, answered=number % 40 != 39)
    assert connection.current().state == "ONLINE"


def test_slow_calls_of_several_processes_add_up(calls: Calls) -> None:
    """Each process has seen one slow call only."""
    for observer in (calls.observer, StateObserver(lambda: calls.now)):
        calls.observer = observer
        assert connection.current().state == "ONLINE"
        calls.put(0.1)
        calls.put(2.0, answered=False)
    now = connection.current()
    assert (now.state, now.cause) == ("OFFLINE", "slow")


def test_one_slow_call_in_a_process_that_makes_few_is_not_enough(calls: Calls) -> None:
    """The many that another process makes count beside it."""
    for _ in range(39):
        calls.put(0.1)
    calls.put(2.0, answered=False)
    calls.put(0.1)
    calls.observer = StateObserver(lambda: calls.now)
    calls.put(2.0, answered=False)
    calls.put(0.1)
    assert connection.lose_if_unanswered(calls.now) is False
    assert connection.current().state == "ONLINE"


def test_slow_calls_long_apart_do_not_add_up(calls: Calls) -> None:
    for _ in range(3):
        calls.put(2.0, answered=False)
        calls.go(31)
        calls.put(0.1)
    assert connection.lose_if_unanswered(calls.now) is False
    assert connection.current().state == "ONLINE"


def test_calls_that_hung_in_an_outage_do_not_make_the_service_slow_that_is_back(
    calls: Calls,
) -> None:
    for _ in range(3):
        connection.note_good(calls.now)
        calls.put(2.0, answered=False)
    assert (connection.current().state, connection.current().cause) == ("OFFLINE", "reservations")
    for _ in range(3):
        calls.go(1.0)
        connection.note_good_probe(calls.now)
    assert connection.mark_online_if_drained(calls.now) is True
    for _ in range(3):
        calls.put(0.1)
    assert connection.current().state == "ONLINE"
    # Two that are late from now on are enough.
    for answered in (False, True, False, True):
        calls.put(0.1 if answered else 2.0, answered=answered)
    assert (connection.current().state, connection.current().cause) == ("OFFLINE", "slow")


def test_errors_that_come_late_are_errors_and_not_slowness(calls: Calls) -> None:
    for _ in range(5):
        calls.put(2.0, answered=False, kind="server_error")
        calls.put(0.1)
    assert connection.current().state == "ONLINE"
    for _ in range(3):
        connection.note_good(calls.now)
        calls.put(2.0, answered=False, kind="server_error")
    assert (connection.current().state, connection.current().cause) == ("OFFLINE", "reservations")


def test_an_answer_that_an_earlier_call_is_in_process_proves_nothing(calls: Calls) -> None:
    for _ in range(3):
        connection.note_good(calls.now)
        calls.put(2.0, answered=False)
    assert connection.current().state == "OFFLINE"
    for _ in range(4):
        calls.put_in_process()
    now = connection.current()
    assert (now.state, now.proved_at) == ("OFFLINE", None)
    calls.put(0.1)
    assert connection.current().proved_at == calls.now


def test_failures_count_on_whatever_earlier_calls_are_in_process(calls: Calls) -> None:
    for _ in range(3):
        connection.note_good(calls.now)
        calls.put(2.0, answered=False)
        calls.put_in_process()
    assert connection.current().state == "OFFLINE"


def test_calls_that_are_in_process_do_not_hang(calls: Calls) -> None:
    for _ in range(5):
        calls.put_in_process()
        calls.go(2.0)
    now = connection.healths()["reserve"]
    assert (connection.current().state, now.unanswered, now.unanswered_since) == ("ONLINE", 0, None)


def test_what_is_well_is_written_once_a_second(
    calls: Calls, django_assert_num_queries: Any
) -> None:
    calls.put(0.01)
    with django_assert_num_queries(0):
        for _ in range(90):
            calls.put(0.01)
    calls.go(0.1)
    with django_assert_num_queries(2):
        calls.put(0.01)


def test_failures_are_written_at_once_and_taken_back_by_the_next_answer(calls: Calls) -> None:
    calls.put(0.01)
    calls.put(0.01, answered=False)
    assert connection.healths()["reserve"].failures == 1
    calls.put(0.01)
    assert connection.healths()["reserve"].failures == 0


def test_sends_of_several_processes_add_up(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    """One order a second, each taken by another process, and none of them is answered."""
    processes = [Calls(monkeypatch, settings) for _ in range(3)]
    for second, process in enumerate(processes):
        process.now = at(second)
        process.observer.sent("put", str(uuid.uuid4()), 2.0)
    assert connection.current().state == "OFFLINE"
    assert Outage.objects.get().lost_at == NOW


def test_calls_do_not_hang_since_one_that_was_throttled(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    """A minute after a 429 three orders come at once, and are with OCI for a moment."""
    processes = [calls, *(Calls(monkeypatch, settings) for _ in range(2))]
    calls.observer.sent("put", str(uuid.uuid4()), 2.0)
    calls.observer.throttled(OciThrottled(operation="put", retry_after=2))
    for process in processes:
        process.now = at(60)
        process.observer.sent("put", str(uuid.uuid4()), 2.0)
    assert connection.current().state == "ONLINE"
    # They hang when they are there for as long as any others.
    assert connection.lose_if_unanswered(at(61.9)) is False
    assert connection.lose_if_unanswered(at(62)) is True
    assert Outage.objects.get().lost_at == at(60)


def test_a_call_under_way_hangs_since_it_was_sent_though_another_is_throttled(
    calls: Calls, settings: LazySettings
) -> None:
    settings.COC_FAILURES_TO_OFFLINE = 1
    calls.observer.sent("put", str(uuid.uuid4()), 2.0)
    calls.now = at(0.5)
    with ThreadPoolExecutor(1) as other_thread:
        other_thread.submit(calls.observer.sent, "put", str(uuid.uuid4()), 2.0).result()
    calls.now = at(0.6)
    calls.observer.throttled(OciThrottled(operation="put", retry_after=2))
    calls.now = at(2.4)
    calls.observer.sent("put", str(uuid.uuid4()), 2.0)
    assert connection.lose_if_unanswered(at(2.4)) is False
    assert connection.lose_if_unanswered(at(2.5)) is True
    assert Outage.objects.get().lost_at == at(0.5)
