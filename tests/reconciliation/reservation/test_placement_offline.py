"""Orders that OCI does not answer for: accepted within the limits of the site (design 4, 5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django_q.models import OrmQ

from orders.errors import OfflineCaptureRefused, OrderFailedBefore, ShortOnAto
from orders.ledger import statements
from orders.models import Hold, Order, OrderEvent
from reconciliation import reservation
from reconciliation.connection import clients
from reconciliation.maintenance import integrity_check
from reconciliation.models import Attempt, Connection, Outage, Purpose, ReservationDocument
from reconciliation.reservation import Asked, Verdict, release, sets
from tests import sampling
from tests.engine import D, Engine, ato, kinds, quantities, set_connection, standing
from tests.processes.product import wait_for
from tests.reconciliation.reservation.calls import COMPLETE, MISSING

pytestmark = pytest.mark.django_db


NOTHING_COMMITTED: list[dict[str, Any]] = [
    {"mode": "down"},
    {"mode": "hang"},
    {"mode": "5xx"},
    {"mode": "429", "retryAfter": 0},
    {"mode": "forbidden"},
]

# OCI holds it, and we do not know: what it answers to the same document again is up to it.
COMMITTED: list[dict[str, Any]] = [
    {"mode": "hang", "commit": True},
    {"mode": "5xx", "commit": True},
    {"mode": "garbage", "commit": True},
    {"mode": "drop"},
    {"mode": "cut"},
    {"mode": "wrongtype"},
    {"mode": "wrongquantities", "style": "more"},
    {"mode": "wrongquantities", "style": "other"},
    {"mode": "wrongquantities", "style": "negative"},
    {"mode": "empty"},
    {"mode": "empty", "style": "object"},
    {"mode": "empty", "style": "notime"},
    {"mode": "empty", "style": "noplaces"},
    {"mode": "empty", "style": "otherdocument"},
]


@pytest.mark.parametrize(
    ("fault", "replay"),
    # Always OCI that is down; the others take turns, with what it answers to the same again.
    sampling.part(
        [(fault, "same") for fault in NOTHING_COMMITTED]
        + [(fault, replay) for fault in COMMITTED for replay in ("same", "exists", "finalized")],
        one_in=4,
        always=1,
    ),
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_without_an_answer_the_order_waits_and_is_held_once_in_the_end(
    engine: Engine, settings: Any, fault: dict[str, Any], replay: str
) -> None:
    if fault["mode"] == "hang":
        settings.COC_OCI_LIVE_TIMEOUT = 1.0
    site = engine.site({"MUG": 5})
    engine.oci.settings(replay=replay)
    engine.oci.fault(operations=["put"], **fault)
    placed = engine.place(site, "A1", [("MUG", 2)])
    assert placed.created is True
    assert standing(placed.order) == ("new", MISSING, True)
    assert (placed.order.claim, placed.order.export_status) == ("", "not_exported")
    assert ato("MUG") == (D(3), D(2))
    assert kinds(placed.order) == ["captured", "captured_offline"]
    first = ReservationDocument.objects.get()
    assert (first.state, first.sends, first.generation) == ("prepared", 1, 0)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, bool(attempt.message)) == ("OCI_OFFLINE", True)

    engine.oci.fault("none")
    set_connection("ONLINE")
    committed = fault in COMMITTED
    assert engine.held() == ({"MUG": D(2)} if committed else {})
    run = engine.reconcile()
    assert run.state == "completed"
    assert standing(placed.order) == ("new", COMPLETE, True)
    assert quantities(placed.order) == [("MUG", D(2), D(2))]
    again = engine.puts()[-1]
    if committed and replay != "same":
        # Held under an id that cannot be read: cancelled, and reserved under the next.
        assert engine.documents("A1") == [("CANCELLED", {}), ("OPEN", {"MUG": D(2)})]
        assert kinds(placed.order)[2:] == ["generation", "settled"]
        second = ReservationDocument.objects.get(generation=1)
        assert (second.body, second.state) == (first.body, "counted")
    else:
        # The same id and the same body again.
        assert engine.documents("A1") == [("OPEN", {"MUG": D(2)})]
        assert again["path"].endswith(str(first.reservation_id))
        second = ReservationDocument.objects.get()
        assert (second.body, second.sends, second.state) == (first.body, 2, "counted")
    assert engine.held() == {"MUG": D(2)}
    assert ato("MUG") == (D(3), D(2))


def test_offline_capture_off_fails_a_live_order_without_an_answer(engine: Engine) -> None:
    site = engine.site({"MUG": 5}, offline_capture=False)
    engine.oci.fault("drop", operations=["put"])
    with pytest.raises(OfflineCaptureRefused, match="under a new number"):
        engine.place(site, "A1", [("MUG", 2)])
    order = Order.objects.get()
    assert standing(order) == ("failed", MISSING, False)
    assert kinds(order) == ["captured", "failed"]
    # OCI had committed it, so that nobody else is promised it until that is undone.
    assert engine.held() == {"MUG": D(2)}
    assert ato("MUG") == (D(3), D(2))
    assert list(integrity_check.check()) == []
    engine.oci.fault("none")
    release.finish_cancellations(clock=engine.clock)
    assert engine.held() == {}
    assert ato("MUG") == (D(5), D(0))
    assert Hold.objects.get().state == "released"
    with pytest.raises(OrderFailedBefore):
        engine.place(site, "A1", [("MUG", 2)])


def test_a_call_that_reaches_oci_after_the_refusal_takes_what_is_still_held(
    engine: Engine, settings: Any
) -> None:
    """OCI is slow and carries the call out in the end: meanwhile ATO promises none of it."""
    site = engine.site({"MUG": 5}, offline_capture=False)
    settings.COC_OCI_LIVE_TIMEOUT = 1.0
    engine.oci.fault("slow", operations=["put"], delayMs=60_000, when="before")
    with pytest.raises(OfflineCaptureRefused):
        engine.place(site, "A1", [("MUG", 4)])
    # The cancel comes before the reservation, and finds nothing: that proves nothing yet.
    release.finish_cancellations(clock=engine.clock)
    assert (engine.held(), ato("MUG")) == ({}, (D(1), D(4)))
    # Now OCI goes on with it.
    engine.oci.fault("none")
    wait_for(engine.held, "OCI to carry the call out")
    assert engine.held() == {"MUG": D(4)}
    assert ato("MUG") == (D(1), D(4))
    release.finish_cancellations(clock=engine.clock)
    assert (engine.held(), ato("MUG")) == ({}, (D(5), D(0)))
    assert release.something_to_undo() is False


def test_a_refused_order_whose_call_was_never_sent_gives_its_stock_back_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = engine.site({"MUG": 5}, offline_capture=False)

    def prepared(**arguments: Any) -> Asked:
        reservation.prepare(
            order_id=arguments["order_id"], holder=arguments["holder"], purpose=Purpose.ORDER
        )
        return Asked(Verdict.LATER, "Not sent.")

    # As for an order of more documents than one.
    monkeypatch.setattr(sets, "prepare", lambda *_, **__: [])
    monkeypatch.setattr(reservation, "ask", prepared)
    with pytest.raises(OfflineCaptureRefused):
        engine.place(site, "A1", [("MUG", 2)])
    assert ReservationDocument.objects.get().state == "cancelled"
    assert ato("MUG") == (D(5), D(0))
    assert (engine.oci.requests(), OrmQ.objects.count()) == ([], 0)


@pytest.mark.parametrize("known", ["OFFLINE", "FORCED_OFFLINE"])
def test_while_oci_is_away_orders_are_captured_without_asking(engine: Engine, known: str) -> None:
    site = engine.site({"MUG": 5})
    set_connection(known)
    placed = engine.place(site, "A1", [("MUG", 2)])
    assert standing(placed.order) == ("new", MISSING, True)
    assert kinds(placed.order) == ["captured_offline"]
    assert ato("MUG") == (D(3), D(2))
    assert engine.oci.requests() == []
    assert ReservationDocument.objects.count() == 0
    with pytest.raises(ShortOnAto):
        engine.place(site, "A2", [("MUG", 4)])
    assert Order.objects.count() == 1


@pytest.mark.parametrize("known", ["OFFLINE", "FORCED_OFFLINE"])
def test_offline_capture_off_refuses_and_keeps_nothing(engine: Engine, known: str) -> None:
    site = engine.site({"MUG": 5}, offline_capture=False)
    set_connection(known)
    with pytest.raises(OfflineCaptureRefused, match="Nothing was stored") as refused:
        engine.place(site, "A1", [("MUG", 2)])
    assert (refused.value.status, refused.value.type) == (503, "offline-capture-off")
    assert Order.objects.count() == Hold.objects.count() == 0
    assert ato("MUG") == (D(5), D(0))
    assert engine.oci.requests() == []


def test_a_long_retry_after_means_captured_offline_not_an_outage(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    set_connection("ONLINE")
    Connection.objects.update(wait_until=engine.clock() + timedelta(seconds=30))
    placed = engine.place(site, "A1", [("MUG", 2)])
    assert standing(placed.order) == ("new", MISSING, True)
    reason = OrderEvent.objects.get(kind="captured_offline").reason
    assert reason == "OCI asks us to slow down."
    assert (engine.oci.requests(), Outage.objects.count()) == ([], 0)


def test_a_product_that_was_never_told_of_oci_captures_offline(
    engine: Engine, settings: Any
) -> None:
    site = engine.site({"MUG-01": 5})
    settings.COC_OCI_CLIENT_SECRET = ""
    clients.close_clients()

    order = engine.place(site, "1", [("MUG-01", 2)]).order

    assert (order.status, order.captured_offline, order.claim) == ("new", True, "")
    assert OrderEvent.objects.get(order=order).reason == (
        "The connection to OCI is not set up: COC_OCI_CLIENT_SECRET is not set; "
        "docs/settings.md says what it must be."
    )
    assert not ReservationDocument.objects.exists()


def test_an_order_captured_offline_learns_of_promises_as_it_locks_its_stock(engine: Engine) -> None:
    """Building the rule of kept promises as SQL costs twice what capture itself costs."""
    site = engine.site({"MUG": 5, "CUP": 5})
    set_connection("OFFLINE")
    engine.place(site, "A0", [("MUG", 1)])
    executed: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        executed.append(sql)
        return execute(sql, params, many, context)

    with database.execute_wrapper(note):
        placed = engine.place(site, "A1", [("MUG", 2), ("CUP", 1)])
    assert standing(placed.order) == ("new", MISSING, True)
    asked = [sql for sql in executed if "orders_promise" in sql]
    assert asked in ([statements.LOCK_POSTGRESQL], [statements.LOCK_SQLITE])
    ends = ("SAVEPOINT", "RELEASE")
    others = [sql for sql in executed if not sql.startswith(ends)]
    # The connection, and those of tests/orders/capture/test_statements.py.
    assert len(others) <= (4 if database.vendor == "postgresql" else 12), others
