"""Trials with real work, and what waits after a moment's trouble, over a real simulator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders.models import Order
from reconciliation import connection
from reconciliation.connection import StateObserver, trials
from reconciliation.models import CallKind, HeldFigures, Outage, ReservationDocument, Run
from reconciliation.monitor import Prober, recovery
from reconciliation.monitor import trials as monitor_trials
from reconciliation.oci.client import OciClient
from tests.engine import D, Engine, set_connection
from tests.reconciliation.oci.clients import config_of

pytestmark = pytest.mark.django_db


def client_of(engine: Engine) -> OciClient:
    config = config_of(
        engine.oci.base_url,
        tenant_group_id=engine.oci.tenant_group_id,
        client_id=engine.oci.client_id,
        client_secret=engine.oci.client_secret,
        token_url=engine.oci.token_url,
        read_timeout=0.5,
    )
    return OciClient(config, observer=StateObserver(engine.clock))


def prober_of(engine: Engine) -> Prober:
    return Prober(client=client_of(engine), clock=engine.clock)


def lost_by_writes(engine: Engine) -> None:
    set_connection("ONLINE")
    connection.note_good(engine.clock())
    for number in range(3):
        engine.clock.go(0.1)
        connection.note_failure(
            sent_at=engine.clock(),
            now=engine.clock(),
            message="OCI did not answer in time.",
            kind=CallKind.RESERVE,
            subject=f"other-{number}",
        )
    assert connection.current().state == "OFFLINE"


def seconds_until(engine: Engine, prober: Prober, state: str, most: int = 12) -> int:
    for second in range(1, most + 1):
        engine.clock.go(1)
        prober.probe_and_try()
        if connection.current().state == state:
            return second
    raise AssertionError(f"{connection.current()} after {most} seconds")


def test_the_oldest_order_s_own_document_shows_that_oci_is_back(engine: Engine) -> None:
    site = engine.site({"MUG": 5, "CUP": 5})
    order = engine.capture(site, "A1", [("MUG", 1)])
    engine.capture(site, "A2", [("CUP", 1)])
    lost_by_writes(engine)
    engine.oci.fault("5xx", operations=["put"])
    prober = prober_of(engine)
    with pytest.raises(AssertionError, match="after 9 seconds"):
        seconds_until(engine, prober, "RECOVERING", most=9)
    puts = engine.puts()
    # After 0, 1, 3 and 7 seconds: not each second, whatever probes say.
    assert 3 <= len(puts) <= 4
    assert connection.current().good_probes >= 3
    engine.oci.fault("none")
    assert seconds_until(engine, prober, "RECOVERING") <= 5
    # Tried, not counted: the reconciliation counts what OCI answered, without another call.
    order.refresh_from_db()
    assert (order.reservation_state, order.claim) == ("RESERVATION_MISSING", "")
    made = len(engine.puts())
    run = recovery.start_if_due(engine.clock())
    assert run is not None
    assert engine.work(run).state == "completed"
    assert len(engine.puts()) - made <= 1
    assert engine.held() == {"MUG": D(1), "CUP": D(1)}
    assert ReservationDocument.objects.filter(order=order).count() == 1
    assert Outage.objects.count() == 1


def test_one_document_that_oci_cannot_take_keeps_nobody_offline(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = engine.site({"MUG": 5, "CUP": 5, "JUG": 5})
    poison = engine.capture(site, "POISON", [("MUG", 1)])
    engine.capture(site, "BEHIND", [("MUG", 1), ("CUP", 1)])
    engine.capture(site, "FREE", [("JUG", 1)])
    lost_by_writes(engine)
    real = OciClient.put_reservation

    def put(self: OciClient, *, reservation_id: Any, **arguments: Any) -> Any:
        of = ReservationDocument.objects.get(reservation_id=reservation_id).order
        engine.oci.fault("5xx" if of == poison else "none", operations=["put"])
        return real(self, reservation_id=reservation_id, **arguments)

    monkeypatch.setattr(OciClient, "put_reservation", put)
    assert seconds_until(engine, prober_of(engine), "RECOVERING") <= 6
    # Nobody has overtaken the one that waits for the same stock.
    assert engine.documents("BEHIND") == []
    assert engine.held() == {"JUG": D(1)}


def test_a_trial_is_one_process_s_and_due_now_and_then(engine: Engine) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    lost_by_writes(engine)
    now = engine.clock()
    taken = [trials.take(now + timedelta(seconds=s)) for s in (0, 0, 0.9, 1, 2.9, 3, 6.9, 7, 10.9)]
    assert taken == [0, None, None, 1, None, 2, None, 3, None]


def test_while_online_a_failed_reservation_is_tried_again_to_see_whether_more_fail(
    engine: Engine,
) -> None:
    engine.capture(engine.site({"MUG": 5}), "A1", [("MUG", 1)])
    set_connection("ONLINE")
    assert trials.take(engine.clock()) is None
    connection.note_failure(
        sent_at=engine.clock(),
        now=engine.clock(),
        message="timeout",
        kind=CallKind.RESERVE,
        subject="a",
    )
    assert recovery.start_if_due(engine.clock()) is None
    assert monitor_trials.try_one(client=client_of(engine), clock=engine.clock) is True
    assert connection.healths()["reserve"].failures == 0
    run = recovery.start_if_due(engine.clock())
    assert run is not None
    assert engine.work(run).state == "completed"
    assert engine.held() == {"MUG": D(1)}
    # Once, not each second.
    engine.capture(Order.objects.get().site, "A2", [("MUG", 1)])
    assert recovery.start_if_due(engine.clock()) is None


def test_who_was_throttled_is_retried_when_the_pause_ends(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    set_connection("ONLINE")
    engine.oci.fault("429", operations=["put"], retryAfter=5)
    order = engine.place(site, "A1", [("MUG", 1)]).order
    assert (order.captured_offline, order.reservation_state) == (True, "RESERVATION_MISSING")
    engine.oci.fault("none")
    throttled_at = connection.current().wait_until
    assert throttled_at is not None
    before = throttled_at - timedelta(seconds=0.1)
    assert recovery.start_if_due(before) is None
    run = recovery.start_if_due(throttled_at)
    assert run is not None
    engine.clock.go(6)
    assert engine.work(run).state == "completed"
    assert engine.held() == {"MUG": D(1)}
    assert Run.objects.count() == 1
    assert Outage.objects.count() == 0


def test_a_list_that_oci_does_not_know_any_more_keeps_its_figures(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    set_connection("ONLINE")
    engine.oci.fault("empty", style="noplaces", operations=["availability"])
    prober_of(engine).probe()
    held = HeldFigures.objects.get()
    assert (held.list_id, held.why) == (site.inventory_list_id, "vanished")
    engine.oci.fault("none")
    engine.clock.go(61)
    prober_of(engine).probe()
    assert not HeldFigures.objects.exists()
