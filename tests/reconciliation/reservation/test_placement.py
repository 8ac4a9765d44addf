"""A live order from capture to answer, over a real OCI (design 4)."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database

from orders import outcomes
from orders.actors import job
from orders.capture import Claim
from orders.errors import (
    OfflineCaptureRefused,
    OrderFailedBefore,
    OrderInProgress,
    OrderNoTaken,
    ShortAtOci,
    Shortfall,
    ShortOnAto,
)
from orders.models import (
    Hold,
    InventoryRecord,
    Order,
    OrderEvent,
)
from reconciliation.maintenance import sweep
from reconciliation.models import (
    Attempt,
    DocumentState,
    ReservationDocument,
)
from reconciliation.reservation import placement, release
from reconciliation.runs.lifecycle import RunRefused
from tests import factories
from tests.engine import (
    D,
    Engine,
    ato,
    kinds,
    quantities,
    reserved_by_items,
    set_connection,
    standing,
)
from tests.processes.product import wait_for
from tests.reconciliation.reservation.calls import COMPLETE, MISSING

pytestmark = pytest.mark.django_db


# Live


def test_a_live_order_is_reserved_while_the_shopper_waits(engine: Engine) -> None:
    site = engine.site({"MUG": 5, "CUP": 3})
    placed = engine.place(site, "A1", [("MUG", 2), ("CUP", 1)])
    assert placed.created is True
    assert standing(placed.order) == ("new", COMPLETE, False)
    assert (placed.order.export_status, placed.order.claim) == ("ready", "")
    assert placed.order.reconciled_at == engine.clock()
    assert quantities(placed.order) == [("MUG", D(2), D(2)), ("CUP", D(1), D(1))]
    assert engine.documents("A1") == [("OPEN", {"MUG": D(2), "CUP": D(1)})]
    assert ato("MUG") == (D(3), D(2))
    assert kinds(placed.order) == ["captured", "settled"]
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.status, attempt.operation) == (COMPLETE, 200, "reserve")
    assert attempt.correlation_id


def test_items_of_one_sku_are_reserved_as_one_line_and_shared_out(engine: Engine) -> None:
    site = engine.site({"MUG": "3.375"})
    placed = engine.place(site, "A1", [("MUG", 1.125), ("MUG", 2.25)])
    assert engine.documents("A1") == [("OPEN", {"MUG": D("3.375")})]
    assert quantities(placed.order) == [
        ("MUG", D("1.125"), D("1.125")),
        ("MUG", D("2.25"), D("2.25")),
    ]
    assert ato("MUG") == (D(0), D("3.375"))


def test_a_location_is_asked_as_a_location(engine: Engine) -> None:
    engine.at_oci({"MUG": 2}, location="store")
    site = factories.make_site(
        "store-site", list_id="store", stock={"MUG": 2}, list_fields={"list_type": "location"}
    )
    engine.place(site, "A1", [("MUG", 2)])
    assert engine.oci.books()["reserved"] == [{"location": "store", "sku": "MUG", "reserved": 2}]


def test_an_order_of_more_than_a_hundred_lines_is_split(engine: Engine) -> None:
    skus = [f"S{number:03}" for number in range(205)]
    site = engine.site(dict.fromkeys(skus, 4))
    placed = engine.place(site, "BIG", [(sku, 2) for sku in skus])
    assert standing(placed.order) == ("new", COMPLETE, False)
    assert sorted(len(held) for _, held in engine.documents("BIG")) == [5, 100, 100]
    assert engine.held() == dict.fromkeys(skus, D(2)) == reserved_by_items()
    parts = ReservationDocument.objects.values_list("generation", "part", "state")
    assert list(parts) == [(0, 0, "counted"), (0, 1, "counted"), (0, 2, "counted")]


def test_short_on_ato_keeps_nothing_and_asks_nobody(engine: Engine) -> None:
    site = engine.site({"MUG": 1})
    with pytest.raises(ShortOnAto) as refused:
        engine.place(site, "A1", [("MUG", 1), ("MUG", 1)])
    assert refused.value.shortfalls == [Shortfall("MUG", "web", D(2), D(1))]
    assert Order.objects.count() == Hold.objects.count() == 0
    assert engine.puts() == []


@pytest.mark.parametrize("style", ["silent", "errors"])
def test_short_at_oci_is_told_and_nothing_stays_held(engine: Engine, style: str) -> None:
    site = engine.site({"MUG": 5, "CUP": 3, "JUG": 1})
    engine.oci.settings(partialStyle=style)
    engine.at_oci({"MUG": 2, "CUP": 0})
    engine.clock.go(60)
    with pytest.raises(ShortAtOci) as refused:
        engine.place(site, "A1", [("MUG", 3), ("CUP", 1), ("JUG", 1)])
    assert refused.value.shortfalls == [
        Shortfall("CUP", "web", D(1), D(0)),
        Shortfall("MUG", "web", D(3), D(2)),
    ]
    order = Order.objects.get()
    assert standing(order) == ("failed", MISSING, False)
    assert (order.export_status, order.claim) == ("not_exported", "")
    assert engine.documents("A1") == [("CANCELLED", {})]
    # The figures that were wrong are right now; the one that was right was not asked for.
    assert (ato("MUG"), ato("CUP"), ato("JUG")) == ((D(2), D(0)), (D(0), D(0)), (D(1), D(0)))
    renewed = InventoryRecord.objects.filter(snapshot_at=engine.clock())
    assert sorted(renewed.values_list("sku", flat=True)) == ["CUP", "MUG"]
    assert kinds(order) == ["captured", "failed"]


def test_a_failed_order_stays_failed_when_it_is_sent_again(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    engine.at_oci({"MUG": 0})
    engine.clock.go(60)
    with pytest.raises(ShortAtOci):
        engine.place(site, "A1", [("MUG", 1)])
    engine.at_oci({"MUG": 9})
    calls = len(engine.puts())
    with pytest.raises(OrderFailedBefore):
        engine.place(site, "A1", [("MUG", 1)])
    assert (len(engine.puts()), Order.objects.count()) == (calls, 1)


def test_what_could_not_be_given_back_to_oci_is_given_back_later(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    engine.at_oci({"MUG": 2})
    engine.oci.fault("5xx", operations=["patch"])
    with pytest.raises(ShortAtOci):
        engine.place(site, "A1", [("MUG", 3)])
    assert engine.held() == {"MUG": D(2)}
    assert ReservationDocument.objects.get().state == DocumentState.CANCELLING
    # OCI did not answer, so it was not asked for figures either, and nothing is given back yet.
    assert ato("MUG") == (D(2), D(3))
    assert release.something_to_undo() is True
    engine.oci.fault("none")
    assert sweep.sweep(clock=engine.clock) == ["cancellations"]
    release.finish_cancellations(clock=engine.clock)
    assert engine.held() == {}
    assert ReservationDocument.objects.get().state == DocumentState.CANCELLED
    assert ato("MUG") == (D(5), D(0))
    assert release.something_to_undo() is False


# The same order again


def test_the_same_order_again_is_the_stored_one_in_every_state(engine: Engine) -> None:
    site = engine.site({"MUG": 50})
    engine.place(site, "LIVE", [("MUG", 1)])
    set_connection("OFFLINE")
    for number in ("WAITS", "GONE"):
        engine.place(site, number, [("MUG", 1)])
    gone = Order.objects.get(order_no="GONE")
    release.cancel_order(order_id=gone.pk, actor=job("test"), reason="test", now=engine.clock())
    set_connection("ONLINE")
    calls = len(engine.oci.requests())
    before = list(Order.objects.order_by("pk").values())
    rows = Hold.objects.count(), OrderEvent.objects.count(), ReservationDocument.objects.count()
    for number, status in (("LIVE", "new"), ("WAITS", "new"), ("GONE", "cancelled")):
        again = engine.place(site, number, [("MUG", 1)])
        assert (again.created, again.order.order_no, again.order.status) == (False, number, status)
        with pytest.raises(OrderNoTaken):
            engine.place(site, number, [("MUG", 2)])
    assert list(Order.objects.order_by("pk").values()) == before
    assert rows == (
        Hold.objects.count(),
        OrderEvent.objects.count(),
        ReservationDocument.objects.count(),
    )
    assert len(engine.oci.requests()) == calls


@pytest.mark.parametrize("known", ["ONLINE", "OFFLINE"])
def test_the_same_order_while_the_first_is_on_its_way_is_not_answered_yet(
    engine: Engine, settings: Any, known: str
) -> None:
    settings.COC_OCI_LIVE_TIMEOUT = 0.05
    site = engine.site({"MUG": 5})
    claim = Claim("live:other", engine.clock() + timedelta(seconds=20))
    factories.capture(site, "A1", [("MUG", 1)], at=engine.clock(), claim=claim)
    set_connection(known)
    with pytest.raises(OrderInProgress):
        engine.place(site, "A1", [("MUG", 1)])
    assert (Order.objects.count(), engine.oci.requests()) == (1, [])
    assert ato("MUG") == (D(4), D(1))


def test_an_order_that_was_left_on_its_way_holds_no_thread(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request died or lost the database; nobody knows before the claim ends."""
    site = engine.site({"MUG": 5})
    claim = Claim("live:other", engine.clock() + timedelta(seconds=13))
    left_at = engine.clock() - timedelta(seconds=10)
    factories.capture(site, "A1", [("MUG", 1)], at=left_at, claim=claim)
    monkeypatch.setattr(placement.time, "sleep", lambda _: pytest.fail("it waits"))
    with pytest.raises(OrderInProgress):
        engine.place(site, "A1", [("MUG", 1)])
    assert (Order.objects.count(), engine.oci.requests()) == (1, [])
    assert ato("MUG") == (D(4), D(1))


def test_the_same_order_captured_a_moment_before_offline_capture_is_waited_for(
    engine: Engine, settings: Any
) -> None:
    settings.COC_OCI_LIVE_TIMEOUT = 0.05
    site = engine.site({"MUG": 5})
    claim = Claim("live:other", engine.clock() + timedelta(seconds=20))
    factories.capture(site, "A1", [("MUG", 1)], at=engine.clock(), claim=claim)
    set_connection("OFFLINE")
    with pytest.raises(OrderInProgress):
        engine.place(site, "A1", [("MUG", 1)])


# Refused by OCI


def test_a_place_that_oci_does_not_know_needs_review(engine: Engine) -> None:
    site = factories.make_site("lost", list_id="nowhere", stock={"MUG": 5})
    placed = engine.place(site, "A1", [("MUG", 1)])
    assert standing(placed.order) == ("new", MISSING, True)
    reason = (
        "OCI refused the reservation: GroupDoesNotExist (nowhere). "
        "Group nowhere is not in the location graph"
    )
    assert placed.order.needs_review_reason == reason
    assert kinds(placed.order) == ["captured", "captured_offline", "needs_review"]
    assert list(Order.objects.waiting()) == []
    with pytest.raises(RunRefused):
        engine.start()
    # A person has had the place made, and says so.
    engine.oci.set_graph(locations=["dc", "dc2", "store"], groups={"nowhere": ["dc"]})
    engine.at_oci({"MUG": 5})
    outcomes.end_review(
        order_id=placed.order.pk, actor=job("test"), reason="made", now=engine.clock()
    )
    assert engine.reconcile().state == "completed"
    assert standing(placed.order) == ("new", COMPLETE, True)
    assert engine.documents("A1") == [("OPEN", {"MUG": D(1)})]


def test_a_place_that_oci_does_not_know_refuses_where_offline_capture_is_off(
    engine: Engine,
) -> None:
    site = factories.make_site("lost", list_id="nowhere", stock={"MUG": 5}, offline_capture=False)
    with pytest.raises(OfflineCaptureRefused, match="GroupDoesNotExist"):
        engine.place(site, "A1", [("MUG", 1)])
    assert standing(Order.objects.get()) == ("failed", MISSING, False)
    assert ato("MUG", "nowhere") == (D(4), D(1))
    engine.clock.go(61)
    release.finish_cancellations(clock=engine.clock)
    assert ato("MUG", "nowhere") == (D(5), D(0))
    assert release.something_to_undo() is False


def test_a_live_order_is_reserved_in_few_statements_and_two_commits(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside capture: its document before the call, its outcome after it, as sets of one."""
    site = engine.site({"MUG": 5, "CUP": 5})
    engine.place(site, "A0", [("MUG", 1)])  # The token and the connection's row are there.
    statements: list[str] = []
    capture_order = placement.capture.capture_order

    def captured(**arguments: Any) -> Any:
        made = capture_order(**arguments)
        statements.clear()
        return made

    monkeypatch.setattr(placement.capture, "capture_order", captured)

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with database.execute_wrapper(note):
        placed = engine.place(site, "A1", [("MUG", 2), ("CUP", 1)])
    assert standing(placed.order) == ("new", COMPLETE, False)
    ends = [sql for sql in statements if sql.startswith("RELEASE")]
    others = [sql for sql in statements if not sql.startswith(("SAVEPOINT", "RELEASE"))]
    # In a test a transaction of ours is a savepoint.
    assert len(ends) == 2, statements
    assert len(others) <= 11, others


@pytest.mark.parametrize(
    "faults",
    [
        [{"mode": "slow", "delayMs": 1000, "operations": ["put", "patch", "availability"]}],
        [
            {"mode": "slow", "delayMs": 1000, "operations": ["put"]},
            {"mode": "hang", "operations": ["patch", "availability"]},
        ],
        [{"mode": "hang", "operations": ["token"]}],
        [{"mode": "hang", "operations": ["put"]}],
    ],
    ids=["all slow", "giving back hangs", "the token hangs", "reserving hangs"],
)
def test_no_shopper_waits_longer_than_the_limit_whatever_calls_an_order_needs(
    engine: Engine, settings: Any, faults: list[dict[str, Any]]
) -> None:
    """What cannot be given back in time is given back by the worker."""
    settings.COC_OCI_LIVE_TIMEOUT = 1.5
    site = engine.site({"MUG": 5})
    engine.at_oci({"MUG": 2})
    set_connection("ONLINE")
    engine.oci.faults(faults)
    began = time.monotonic()
    with suppress(ShortAtOci):
        engine.place(site, "A1", [("MUG", 3)])
    # One call more would take a second more; the machine may be busy.
    assert time.monotonic() - began < 1.5 + 0.9
    engine.oci.fault("none")
    engine.clock.go(61)
    set_connection("ONLINE")
    if Order.objects.get().status != "failed":
        return

    def has_given_back() -> bool:
        release.finish_cancellations(clock=engine.clock)
        return not engine.held()

    # A call that was given up may still be under way at OCI.
    wait_for(has_given_back, "everything to be given back")
