"""What the monitor asks of the database in a minute in which nothing happens."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from orders.models import Order, OrderStatus, ReservationState
from reconciliation import connection
from reconciliation.connection import StateObserver
from reconciliation.models import ConnectionState, Heartbeat
from reconciliation.monitor import Monitor, Prober
from reconciliation.oci.client import OciClient
from reconciliation.queue import heartbeats
from reconciliation.stock_mirror import age
from tests.factories import capture, make_site
from tests.reconciliation.stock_mirror.conftest import Mirror

pytestmark = pytest.mark.django_db

SECONDS = 60
# A tick: one look. A probe: a look, two notes of a good answer.
EACH_SECOND = 1 + 3
# The lease and the beat of the monitor. A turn of the mirror: a look, its feeds, two new tokens.
EACH_OTHER_SECOND = 2 + 4
# Alerts, minute figures, schedules, retry cycles, ages of figures, and figures in their turn.
IN_A_MINUTE = 120
# A probe each second, and each other second the changes of two lists.
CALLS = SECONDS + SECONDS + 6


@dataclasses.dataclass
class AtOnce:
    """Probes in the thread of the monitor, which the database of a test can see."""

    prober: Prober

    def start(self) -> bool:
        self.prober.probe_and_try()
        return True


@pytest.fixture
def probing(mirror: Mirror) -> Any:
    client = OciClient(mirror.oci.config(), observer=StateObserver(mirror.clock))
    yield client
    client.close()


def test_an_idle_minute_asks_little(mirror: Mirror, probing: OciClient) -> None:
    prober = Prober(client=probing, clock=mirror.clock)
    monitor = Monitor(holder="one", prober=AtOnce(prober), clock=mirror.clock)  # type: ignore[arg-type]
    mirror.stock(**{f"SKU-{number}": 10 for number in range(100)})
    mirror.export()
    site = make_site(list_id="web", at=mirror.clock())
    connection.current()
    done = capture(site, "1", [("SKU-1", 1)], at=mirror.clock())
    Order.objects.filter(pk=done.pk).update(
        status=OrderStatus.NEW, reservation_state=ReservationState.COMPLETE
    )
    done.events.update(projected=True)

    next_turn = mirror.clock()

    def second() -> None:
        nonlocal next_turn
        # A little less than a second after the last answer, as when an answer takes its time.
        mirror.clock.go(0.99)
        heartbeats.beat(component=heartbeats.WORKER, now=mirror.clock())
        monitor.tick()
        if mirror.clock() >= next_turn:
            mirror.poller.turn()
            next_turn = mirror.clock() + timedelta(seconds=mirror.poller.pause() - 0.1)

    # Past what the first tick does once, and the minute in which an order came.
    for _ in range(130):
        second()
    assert connection.current().state == ConnectionState.ONLINE
    calls = len(mirror.oci.requests())
    with CaptureQueriesContext(database) as asked:
        for _ in range(SECONDS):
            second()
    calls = len(mirror.oci.requests()) - calls
    statements = [query["sql"] for query in asked.captured_queries]
    beats_of_worker = SECONDS
    number = len(statements) - beats_of_worker
    kinds = Counter(sql.split("WHERE")[0][:150] for sql in statements)
    most = SECONDS * EACH_SECOND + SECONDS // 2 * EACH_OTHER_SECOND + IN_A_MINUTE
    assert number <= most, kinds.most_common(40)
    assert calls <= CALLS
    # Silence is an alert after ten seconds; figures are promised to be five seconds old at most.
    beat_at = Heartbeat.objects.get(component=heartbeats.MONITOR).beat_at
    assert mirror.clock() - beat_at < timedelta(seconds=2)
    assert all(one.p95 < timedelta(seconds=2.1) for one in age.ages(mirror.clock()))
