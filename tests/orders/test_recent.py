"""Values that are read anew before they are too old, by one thread at a time."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from orders.recent import Recent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    now = [100.0]
    monkeypatch.setattr("orders.recent.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def values_of(seconds: float) -> Recent[str, str]:
    found: Recent[str, str] = Recent()
    found.seconds = seconds
    return found


def test_a_value_is_read_again_near_its_end(clock: list[float]) -> None:
    values = values_of(10)
    assert values.get("a", lambda: "old") == "old"
    clock[0] += 7.9
    assert values.get("a", lambda: "new") == "old"
    clock[0] += 0.2
    assert values.get("a", lambda: "new") == "new"


@pytest.mark.parametrize(("passed", "seen"), [(8.5, "old"), (10.5, "read by another")])
def test_while_one_thread_reads_again_the_others_keep_the_value_until_it_is_too_old(
    clock: list[float], passed: float, seen: str
) -> None:
    values = values_of(10)
    values.get("a", lambda: "old")
    clock[0] += passed
    is_reading, may_go_on = threading.Event(), threading.Event()

    def read_slowly() -> str:
        is_reading.set()
        assert may_go_on.wait(10)
        return "new"

    answers: list[str | None] = []
    thread = threading.Thread(target=lambda: answers.append(values.get("a", read_slowly)))
    thread.start()
    assert is_reading.wait(10)
    assert values.get("a", lambda: "read by another") == seen
    may_go_on.set()
    thread.join(10)
    assert answers == ["new"]
    assert values.get("a", lambda: "read once more") == "new"


def test_threads_that_find_a_value_too_old_wait_for_the_one_that_reads(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.recent._PATIENCE", 10)
    values = values_of(10)
    values.get("a", lambda: "old")
    clock[0] += 11
    is_reading, may_go_on, readings = threading.Event(), threading.Event(), []

    def read_slowly() -> str:
        readings.append(threading.get_ident())
        is_reading.set()
        assert may_go_on.wait(10)
        return "new"

    answers: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: answers.append(values.get("a", read_slowly)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert is_reading.wait(10)
    may_go_on.set()
    for thread in threads:
        thread.join(10)
    assert answers == ["new"] * 4
    assert len(readings) == 1


def test_a_reading_that_fails_leaves_the_value_to_nobody_else(clock: list[float]) -> None:
    def fail() -> str:
        raise OSError("gone")

    values = values_of(10)
    values.get("a", lambda: "old")
    clock[0] += 9
    with pytest.raises(OSError, match="gone"):
        values.get("a", fail)
    assert values.get("a", lambda: "new") == "new"


def test_what_is_not_known_waits_for_no_reading(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.recent._PATIENCE", 10)
    values = values_of(10)
    values.get("a", lambda: "old")
    clock[0] += 11
    is_reading, may_go_on = threading.Event(), threading.Event()

    def read_slowly() -> str:
        is_reading.set()
        assert may_go_on.wait(10)
        return "new"

    reader = threading.Thread(target=lambda: values.get("a", read_slowly))
    reader.start()
    assert is_reading.wait(10)
    answers: list[str | None] = []
    other = threading.Thread(target=lambda: answers.append(values.get("made up", lambda: None)))
    other.start()
    other.join(5)
    assert answers == [None]
    may_go_on.set()
    reader.join(10)
