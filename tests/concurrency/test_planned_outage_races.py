"""People and the monitor at planned outages at once, on PostgreSQL; controls without the lock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orders.actors import person
from reconciliation import connection
from reconciliation.models import Connection, ConnectionChange, PlannedOutage
from reconciliation.outages import planned
from tests.concurrency.together import Meeting, at_once
from tests.reconciliation.outages.test_planned import ANNA, at, plan, state

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PLANNERS = 4


@pytest.fixture
def slow_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each planner wait for the others between the check and the new row."""
    checked, check = Meeting(PLANNERS), planned.check

    def check_and_wait(**window: object) -> None:
        check(**window)  # type: ignore[arg-type]
        checked.wait()

    monkeypatch.setattr(planned, "check", check_and_wait)


def plan_one(number: int) -> str:
    try:
        plan(start=10 + number, end=70 + number)
    except planned.WindowRefused as refused:
        return refused.why
    return "planned"


def test_of_windows_that_overlap_one_is_planned(slow_check: None) -> None:
    connection.current()
    assert at_once(PLANNERS, plan_one) == ["overlap"] * (PLANNERS - 1) + ["planned"]
    assert PlannedOutage.objects.count() == 1


def test_control_without_the_lock_all_are_planned(
    slow_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.current()
    monkeypatch.setattr(planned, "_lock", lambda: None)
    assert at_once(PLANNERS, plan_one) == ["planned"] * PLANNERS


def together_after_the_check(patch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Return acts of an extension and of a new window in its way, which meet after their checks."""
    window, met = plan(), Meeting(2)

    def slow(check: Callable[..., None]) -> Callable[..., None]:
        def check_and_wait(*args: object, **kwargs: object) -> None:
            check(*args, **kwargs)
            met.wait()

        return check_and_wait

    def act(number: int) -> str:
        try:
            if number:
                plan(start=75, end=95)
            else:
                planned.extend(window.pk, ends_at=at(80), seen=at(70), now=at(0))
        except planned.WindowRefused as refused:
            return refused.why
        return "done"

    for name in ("check", "check_extension"):
        patch.setattr(planned, name, slow(getattr(planned, name)))
    return act


def test_extension_and_a_new_window_in_its_way_do_not_both_succeed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.current()
    assert at_once(2, together_after_the_check(monkeypatch)) == ["done", "overlap"]


def test_control_without_the_lock_the_extension_overlaps(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.current()
    monkeypatch.setattr(planned, "_lock", lambda: None)
    assert at_once(2, together_after_the_check(monkeypatch)) == ["done", "done"]


def test_of_people_who_extend_a_window_at_once_one_succeeds() -> None:
    connection.current()
    window = plan()

    def extend(number: int) -> str:
        try:
            planned.extend(window.pk, ends_at=at(80 + number), seen=at(70), now=at(0))
        except planned.WindowRefused as refused:
            return refused.why
        return "done"

    assert at_once(PLANNERS, extend) == ["done"] + ["moved"] * (PLANNERS - 1)


def test_a_window_that_monitor_and_people_end_at_once_ends_once() -> None:
    window = plan()
    planned.keep_times(at(20))
    acts: list[Callable[[], object]] = [
        lambda: planned.keep_times(at(70)),
        lambda: planned.end(window.pk, actor=ANNA, reason="Done.", now=at(70)),
        lambda: planned.end(window.pk, actor=person("otto"), reason="Done.", now=at(70)),
    ]

    def act(number: int) -> str:
        acts[number]()
        return "done"

    at_once(len(acts), act)
    released = ConnectionChange.objects.filter(old_state="FORCED_OFFLINE")
    assert (released.count(), state()) == (1, "OFFLINE")
    window.refresh_from_db()
    assert (window.ended_at, Connection.objects.get().forced_by) == (at(70), "")


def test_release_at_the_moment_that_a_window_begins_leaves_none_that_holds_nothing() -> None:
    window = plan()
    connection.force_offline(actor=ANNA, reason="Trouble", now=at(5))

    def act(number: int) -> str:
        if number:
            planned.release(actor=ANNA, reason="Repaired.", now=at(10))
        else:
            planned.keep_times(at(10))
        return "done"

    assert at_once(2, act) == ["done"] * 2
    window.refresh_from_db()
    holds = Connection.objects.get().forced_by == str(window)
    assert (state() == "FORCED_OFFLINE", window.state == "running") == (holds, holds)


def test_a_window_that_is_released_and_ended_at_once_ends_once() -> None:
    window = plan()
    planned.keep_times(at(20))

    def act(number: int) -> str:
        if number:
            return str(planned.end(window.pk, actor=ANNA, reason="Done.", now=at(30)))
        return str(planned.release(actor=ANNA, reason="Done.", now=at(30)) == [window])

    assert at_once(2, act) == ["False", "True"]
    released = ConnectionChange.objects.filter(old_state="FORCED_OFFLINE")
    assert (released.count(), state()) == (1, "OFFLINE")
