"""People who begin a practice at the same moment, on PostgreSQL; a control without the guards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from orders.actors import person
from orders.models import Site
from reconciliation import connection
from reconciliation.maintenance import practice
from reconciliation.maintenance.practice import PracticeRefused, Refusal
from reconciliation.models import ConnectionChange, Outage, PlannedOutage
from reconciliation.outages import planned
from reconciliation.queue import heartbeats
from tests.concurrency.together import Meeting, at_once
from tests.factories import make_site
from tests.reconciliation.maintenance.test_practice import NOW, at

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PEOPLE = 4


@pytest.fixture
def shop(transactional_db: None) -> Site:
    connection.current()
    heartbeats.beat(component=heartbeats.MONITOR, now=NOW)
    return make_site(stock={"A": 10}, at=at(-1))


@pytest.fixture
def slow_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each person wait for the others between the check and the new window."""
    checked, check = Meeting(PEOPLE), practice.refusals

    def check_and_wait(**asked: object) -> Sequence[Refusal]:
        found = check(**asked)  # type: ignore[arg-type]
        checked.wait()
        return found

    monkeypatch.setattr(practice, "refusals", check_and_wait)


def begin(number: int) -> str:
    try:
        practice.begin(minutes=10, actor=person(f"p{number}"), now=NOW)
    except PracticeRefused:
        return "refused"
    return "begun"


def windows() -> tuple[int, int, int]:
    forced = ConnectionChange.objects.filter(new_state="FORCED_OFFLINE")
    return PlannedOutage.objects.count(), Outage.objects.count(), forced.count()


def test_of_people_who_begin_at_once_one_does(shop: Site, slow_check: None) -> None:
    assert at_once(PEOPLE, begin) == ["begun"] + ["refused"] * (PEOPLE - 1)
    assert windows() == (1, 1, 1)


def test_without_the_lock_the_change_of_the_connection_decides(
    shop: Site, slow_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(practice, "_lock", lambda: None)
    assert at_once(PEOPLE, begin) == ["begun"] + ["refused"] * (PEOPLE - 1)
    assert windows() == (1, 1, 1)


def test_control_without_both_each_begins_a_window(
    shop: Site, slow_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    force = connection.force_offline

    def force_unchecked(**how: object) -> bool:
        force(**how)  # type: ignore[arg-type]
        return True

    monkeypatch.setattr(practice, "_lock", lambda: None)
    monkeypatch.setattr(connection, "force_offline", force_unchecked)
    assert at_once(PEOPLE, begin) == ["begun"] * PEOPLE
    assert windows() == (PEOPLE, 1, 1)


def test_a_practice_that_monitor_and_people_end_at_once_ends_once(shop: Site) -> None:
    begin(0)
    acts: list[Callable[[], object]] = [
        lambda: planned.keep_times(at(10)),
        lambda: practice.end(actor=person("anna"), now=at(10)),
        lambda: practice.end(actor=person("otto"), now=at(10)),
    ]

    def act(number: int) -> str:
        acts[number]()
        return "done"

    assert at_once(len(acts), act) == ["done"] * 3
    assert ConnectionChange.objects.filter(old_state="FORCED_OFFLINE").count() == 1
