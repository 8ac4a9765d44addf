"""The monitor, tick by tick, with probes that are told what to find."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from orders.actors import job
from orders.events import record
from orders.models import EventKind, InventoryList, Order, OrderStatus, Site
from reconciliation import connection
from reconciliation.models import Connection, Lease, Outage, Run
from reconciliation.monitor import Monitor, recovery
from reconciliation.queue import heartbeats
from tests.factories import Clock

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Probes:
    """Stands in for the prober: counts, and does what the test says."""

    does: Callable[[], object] = lambda: None
    started: list[datetime] = field(default_factory=list)
    clock: Clock = field(default_factory=lambda: Clock(NOW))

    def start(self) -> bool:
        self.started.append(self.clock())
        self.does()
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


def monitor(clock: Clock, holder: str = "one", does: Callable[[], object] = lambda: None) -> Any:
    return Monitor(holder=holder, prober=Probes(does, clock=clock), clock=clock)  # type: ignore[arg-type]


def waiting_order(no: str = "1", **values: Any) -> Order:
    stock = InventoryList.objects.get_or_create(pk="shop")[0]
    site = Site.objects.get_or_create(pk="shop", defaults={"inventory_list": stock})[0]
    fields: dict[str, Any] = {
        "status": OrderStatus.NEW,
        "captured_at": NOW,
        "currency": "EUR",
        "order_total": 10,
        "payload_hash": "x",
        "captured_offline": True,
    }
    return Order.objects.create(site=site, order_no=no, **{**fields, **values})


def set_state(state: str, since: datetime = NOW) -> None:
    connection.current()
    Connection.objects.update(state=state, since=since)


def end(run: Run, now: datetime) -> None:
    Run.objects.filter(pk=run.pk).update(is_active=False, state="oci_offline", finished_at=now)


def queued() -> int:
    return OrmQ.objects.count()


def test_one_monitor_leads_and_the_other_takes_over_within_five_seconds(clock: Clock) -> None:
    one, two = monitor(clock, "one"), monitor(clock, "two")
    assert (one.tick(), two.tick()) == (True, False)
    assert (len(one.prober.started), len(two.prober.started)) == (1, 0)
    clock.go(4)
    assert two.tick() is False
    clock.go(1)
    assert two.tick() is True
    assert one.tick() is False
    assert Lease.objects.get().holder == "two"


def test_a_monitor_that_ends_hands_over_at_once(clock: Clock) -> None:
    one, two = monitor(clock, "one"), monitor(clock, "two")
    assert one.tick() is True
    stop = threading.Event()
    stop.set()
    one.run(stop)
    assert two.tick() is True


def test_only_the_leader_beats(clock: Clock) -> None:
    one, two = monitor(clock, "one"), monitor(clock, "two")
    one.tick()
    clock.go(2)
    two.tick()
    assert heartbeats.last_beat("monitor") == NOW


def test_probes_are_at_least_a_second_apart_and_obey_retry_after(clock: Clock) -> None:
    one = monitor(clock)
    for _ in range(8):
        one.tick()
        clock.go(0.5)
    assert one.prober.started == [NOW + timedelta(seconds=second) for second in range(4)]
    connection.note_throttled(retry_after=10, now=clock.now)
    for _ in range(10):
        one.tick()
        clock.go(1)
    assert len(one.prober.started) == 4
    one.tick()
    assert len(one.prober.started) == 5


def test_oci_is_left_alone_until_there_is_a_list(clock: Clock) -> None:
    """Each probe would be a refused call: OCI knows no place that we could ask for."""
    one = monitor(clock, does=lambda: connection.note_good(clock.now))
    for _ in range(60):
        one.tick()
        clock.go(1)
    assert len(one.prober.started) == 1
    for _ in range(2):
        one.tick()
        clock.go(1)
    assert len(one.prober.started) == 2
    # Trouble is looked into at once, and so is the first list.
    connection.note_sent(clock.now)
    one.tick()
    assert len(one.prober.started) == 3
    InventoryList.objects.create(pk="shop")
    for _ in range(3):
        clock.go(1)
        one.tick()
    assert len(one.prober.started) == 6


def test_calls_that_hang_are_noticed_by_a_tick(clock: Clock) -> None:
    one = monitor(clock, does=lambda: connection.note_sent(clock.now))
    connection.note_good(clock.now)
    seconds = 0
    while connection.current().state == "ONLINE" and seconds < 10:
        one.tick()
        clock.go(1)
        seconds += 1
    assert seconds == 3
    outage = Outage.objects.get()
    assert (outage.lost_at, outage.detected_at) == (NOW, NOW + timedelta(seconds=2))


def test_recovery_starts_one_run_for_what_waits(clock: Clock) -> None:
    waiting_order()
    set_state("RECOVERING")
    one = monitor(clock)
    one.tick()
    run = Run.objects.get()
    assert (run.trigger, run.actor, run.scope) == ("recovery", "monitor", "missing")
    clock.go(1)
    one.tick()
    assert Run.objects.count() == 1
    assert connection.current().state == "RECOVERING"


def test_a_run_that_left_something_is_followed_by_another_after_a_while(clock: Clock) -> None:
    waiting_order()
    set_state("RECOVERING")
    first = recovery.start_if_due(clock.now)
    assert first is not None
    clock.go(5)
    end(first, clock.now)
    clock.go(9)
    assert recovery.start_if_due(clock.now) is None
    clock.go(1)
    second = recovery.start_if_due(clock.now)
    assert second is not None
    # A new recovery does not wait for anything.
    end(second, clock.now)
    set_state("RECOVERING", since=clock.now + timedelta(seconds=1))
    clock.go(1)
    assert recovery.start_if_due(clock.now) is not None


@pytest.mark.parametrize("state", ["ONLINE", "OFFLINE", "FORCED_OFFLINE"])
def test_no_run_starts_in_other_states(clock: Clock, state: str) -> None:
    waiting_order()
    set_state(state)
    assert recovery.start_if_due(clock.now) is None
    assert Run.objects.count() == 0


def test_recovered_with_nothing_waiting_is_online_at_the_next_tick(clock: Clock) -> None:
    set_state("RECOVERING")
    monitor(clock).tick()
    assert connection.current().state == "ONLINE"
    assert Run.objects.count() == 0


def test_the_queue_is_woken_for_reports_and_cancellations_but_not_flooded(clock: Clock) -> None:
    waking = recovery.Wakes()
    assert waking.wake(clock.now) == []
    record(
        order=waiting_order(status=OrderStatus.CANCELLING),
        kind=EventKind.CAPTURED_OFFLINE,
        actor=job("test"),
        reason="test",
        now=NOW,
    )
    assert waking.wake(clock.now) == ["project_reports", "finish_cancellations"]
    assert queued() == 2
    clock.go(4.9)
    assert waking.wake(clock.now) == []
    clock.go(0.1)
    assert waking.wake(clock.now) == ["project_reports", "finish_cancellations"]
    OrmQ.objects.bulk_create(
        [OrmQ(key="coc", payload="x", lock=NOW) for _ in range(recovery.ENOUGH_QUEUED)]
    )
    clock.go(10)
    assert waking.wake(clock.now) == []


def test_alerts_are_kept_true(clock: Clock) -> None:
    from reconciliation.alerts.lifecycle import open_alerts

    set_state("FORCED_OFFLINE")
    one = monitor(clock)
    one.tick()
    assert [alert.descriptor for alert in open_alerts()] == ["oci_offline"]
    set_state("ONLINE")
    clock.go(60)
    one.tick()
    assert list(open_alerts()) == []


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), OperationalError("gone")])
def test_a_tick_that_fails_does_not_end_the_loop(
    clock: Clock, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciliation.monitor.loop.TICK_SECONDS", 0.001)
    monkeypatch.setattr("reconciliation.queue.loops.connections.close_all", lambda: None)
    stop = threading.Event()
    calls: list[int] = []

    def fail_twice() -> None:
        calls.append(1)
        clock.go(1)
        if len(calls) == 3:
            stop.set()
        else:
            raise error

    one = monitor(clock, does=fail_twice)
    one.run(stop)
    assert len(calls) == 3


def test_a_tick_without_work_asks_little(clock: Clock) -> None:
    one = monitor(clock)
    connection.note_good(clock.now)
    waiting_order(reservation_state="COMPLETELY_RESERVED")
    one.tick()
    clock.go(1)
    # Not the tick of the alerts, nor of the retry cycle, which come every few seconds.
    with CaptureQueriesContext(database) as asked:
        assert one.tick() is True
    statements = [query["sql"] for query in asked.captured_queries]
    # One look; the lease and the beat are not due each second.
    assert len(statements) == 1, "\n".join(statements)
    assert [sql for sql in statements if " JOIN " in sql] == []
    clock.go(1)
    with CaptureQueriesContext(database) as asked:
        assert one.tick() is True
    assert len(asked) == 3, [query["sql"] for query in asked.captured_queries]
