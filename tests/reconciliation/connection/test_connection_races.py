"""Several processes see the same thing at once: the row count decides who writes it down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from orders.actors import person
from reconciliation import connection
from reconciliation.models import CallHealth, Connection, ConnectionChange, Lease, Outage
from reconciliation.queue import leases

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MANY = 8


def at_once(act: Callable[[int], object], number: int = MANY) -> list[object]:
    """Run `act` in threads that start together; return what each returned, in order."""
    start = threading.Barrier(number)
    results: list[object] = [None] * number

    def work(index: int) -> None:
        try:
            start.wait()
            results[index] = act(index)
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_the_first_look_of_many_makes_one_row() -> None:
    states = at_once(lambda _: connection.current().state)
    assert states == ["ONLINE"] * MANY
    assert Connection.objects.count() == 1


def test_calls_sent_at_once_are_all_counted() -> None:
    connection.current()
    assert at_once(lambda _: connection.note_sent(NOW)) == [None] * MANY
    assert connection.healths()["read"].unanswered == MANY


def test_one_of_many_that_see_the_loss_opens_the_outage() -> None:
    connection.current()
    CallHealth.objects.create(pk="read", failures=3, unanswered=3, unanswered_since=NOW)
    won = at_once(lambda _: connection.lose_if_unanswered(NOW))
    assert sorted(won, key=bool) == [False] * (MANY - 1) + [True]
    assert Outage.objects.count() == 1
    assert ConnectionChange.objects.count() == 1


def test_failures_counted_at_once_open_one_outage() -> None:
    connection.current()
    at_once(lambda _: connection.note_failure(sent_at=NOW, now=NOW, message="timeout"))
    assert connection.healths()["read"].failures == MANY
    assert (Outage.objects.count(), ConnectionChange.objects.count()) == (1, 1)


def test_one_of_many_good_probes_begins_the_recovery() -> None:
    connection.current()
    CallHealth.objects.create(pk="read", failures=3, unanswered=3, unanswered_since=NOW)
    connection.lose_if_unanswered(NOW)
    won = at_once(lambda _: connection.note_good_probe(NOW + timedelta(seconds=5)))
    assert won.count(True) == 1
    assert connection.current().state == "RECOVERING"
    assert ConnectionChange.objects.filter(new_state="RECOVERING").count() == 1


def test_one_of_many_drained_looks_closes_the_outage() -> None:
    connection.current()
    Connection.objects.update(state="RECOVERING")
    Outage.objects.create(cause="unreachable", lost_at=NOW, detected_at=NOW)
    won = at_once(lambda _: connection.mark_online_if_drained(NOW))
    assert won.count(True) == 1
    assert ConnectionChange.objects.count() == 1
    assert Outage.objects.get().is_open is False


def test_one_of_many_operators_forces_and_one_releases() -> None:
    connection.current()
    forced = at_once(
        lambda n: connection.force_offline(actor=person(f"p{n}"), reason="drill", now=NOW)
    )
    assert forced.count(True) == 1
    assert forced.count(False) == MANY - 1
    assert connection.current().forced_by == f"p{forced.index(True)}"
    released = at_once(
        lambda n: connection.release_forced(actor=person(f"p{n}"), reason="done", now=NOW)
    )
    assert released.count(True) == 1
    assert (Outage.objects.count(), ConnectionChange.objects.count()) == (1, 2)


def test_forcing_wins_over_a_loss_seen_at_the_same_moment() -> None:
    connection.current()
    CallHealth.objects.create(pk="read", failures=3, unanswered=3, unanswered_since=NOW)

    def act(number: int) -> bool:
        if number % 2:
            return connection.lose_if_unanswered(NOW)
        return connection.force_offline(actor=person("ada"), reason="drill", now=NOW)

    won = at_once(act)
    assert won[0::2].count(True) == 1
    assert connection.current().state == "FORCED_OFFLINE"
    assert Outage.objects.count() == 1
    assert ConnectionChange.objects.count() == won.count(True)


def test_one_of_many_takes_a_lease() -> None:
    took = at_once(lambda n: leases.take(name="x", holder=str(n), seconds=5, now=NOW))
    assert took.count(True) == 1
    assert Lease.objects.get().holder == str(took.index(True))
    later = NOW + timedelta(seconds=5)
    took = at_once(lambda n: leases.take(name="x", holder=f"new{n}", seconds=5, now=later))
    assert took.count(True) == 1
