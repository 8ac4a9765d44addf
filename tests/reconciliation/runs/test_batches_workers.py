"""Workers that are slow, overtaken or killed, and orders that change under them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders.models import InventoryRecord, Order, OrderEvent
from reconciliation.models import (
    Attempt,
    Batch,
    Run,
    Scope,
)
from reconciliation.reservation import release, sets
from reconciliation.runs import batches, lifecycle
from reconciliation.runs.batch_leases import claim_batches
from tests.engine import MIA, D, Engine, quantities, reserved_by_items, set_connection
from tests.reconciliation.backlogs import (
    COMPLETE,
    MISSING,
    NOTHING,
    OFFLINE,
    PARTIAL,
    Items,
    backlog,
    entries,
    one_after_the_other,
    order,
    reserved,
    states,
)

pytestmark = pytest.mark.django_db

# Time, leases and death of workers


def test_a_batch_that_takes_longer_than_a_task_goes_on_in_the_next(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[tuple[str, Items]] = [(f"A{number}", [("MUG", 1)]) for number in range(5)]
    backlog(engine, {"MUG": 9}, orders)
    engine.between(monkeypatch, before=lambda _: engine.clock.go(12))
    run = engine.start()
    done = []
    more = True
    while more:
        more = batches.work_run(
            run_id=run.pk, clock=engine.clock, budget=timedelta(seconds=20), pause=engine.clock.go
        )
        done.append(lifecycle.progress(run).complete)
    assert done == [2, 4, 5]
    run.refresh_from_db()
    assert (run.state, run.batches.get().starts) == ("completed", 1)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lease_that_ends_while_the_worker_lives_loses_and_doubles_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    orders: list[tuple[str, Items]] = [(f"A{number}", [("MUG", 1)]) for number in range(4)]
    backlog(engine, {"MUG": 3}, orders)
    taken_over: list[str] = []
    run = engine.start()

    def another_takes_over(number: str) -> None:
        if number == "A1" and not taken_over:
            taken_over.append(number)
            engine.clock.go(61)
            engine.work(run)

    engine.between(monkeypatch, **{moment: another_takes_over})
    assert engine.work(run).state == "completed_with_shortages"
    assert entries(run) == {"A0": COMPLETE, "A1": COMPLETE, "A2": COMPLETE, "A3": NOTHING}
    assert taken_over == ["A1"]
    assert engine.held() == reserved_by_items() == {"MUG": D(3)}
    assert [len(engine.documents(number)) for number, _ in orders] == [1, 1, 1, 1]
    settled = OrderEvent.objects.filter(kind="settled").values_list("order__order_no", flat=True)
    assert sorted(settled) == ["A0", "A1", "A2", "A3"]


def test_a_worker_that_lost_its_batch_leaves_the_entries_to_the_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has taken the batch and the order, and is not through with it yet."""
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)]), ("A2", [("MUG", 1)])])
    run = engine.start()

    def another_begins(_: str) -> None:
        engine.clock.go(61)
        now = engine.clock()
        assert len(claim_batches(run, holder="other", now=now, most=1)) == 1
        Order.objects.filter(order_no="A1").update(
            claim="other", claimed_until=now + timedelta(seconds=60)
        )

    engine.between(monkeypatch, after=another_begins)
    assert (
        batches.work_run(
            run_id=run.pk, clock=engine.clock, budget=timedelta(seconds=90), pause=engine.clock.go
        )
        is False
    )
    assert entries(run) == {"A1": "pending", "A2": "pending"}
    assert states() == {"A1": MISSING, "A2": MISSING}
    assert (run.batches.get().holder, run.batches.get().state) == ("other", "running")
    assert order("A1").claim == "other"
    monkeypatch.undo()
    engine.clock.go(61)
    assert engine.work(run).state == "completed"
    assert engine.held() == reserved_by_items() == {"MUG": D(2)}
    assert len(engine.puts()) == 2


def test_an_answer_after_another_worker_ended_the_run_is_told_by_its_entry(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)]), ("A2", [("MUG", 1)])])
    run = engine.start()

    def ends(_: str) -> None:
        assert (
            lifecycle.end_run(run.pk, state=lifecycle.RunState.OCI_OFFLINE, now=engine.clock())
            is True
        )

    engine.between(monkeypatch, after=ends)
    assert engine.work(run).state == "oci_offline"
    assert states() == {"A1": COMPLETE, "A2": MISSING}
    assert entries(run) == {"A1": COMPLETE, "A2": OFFLINE}
    assert len(engine.puts()) == 1


def test_what_another_worker_is_through_with_is_not_asked_for_again(engine: Engine) -> None:
    """A short order stays short: only the entry tells that the run is through with it."""
    backlog(engine, {"MUG": 1}, [("A1", [("MUG", 2)])])
    engine.reconcile()
    run = engine.start(Scope.OVERSOLD)
    calls = len(engine.puts())
    until = engine.clock() + timedelta(minutes=5)
    Order.objects.update(claim="other", claimed_until=until)

    def the_other_ends(_: float) -> None:
        Order.objects.update(claim="", claimed_until=None)
        lifecycle.finish_entry(
            run_id=run.pk, order_id=order("A1").pk, state=PARTIAL, now=engine.clock()
        )

    batches.work_run(
        run_id=run.pk, clock=engine.clock, budget=timedelta(seconds=20), pause=the_other_ends
    )
    run.refresh_from_db()
    assert (run.state, entries(run)) == ("completed_with_shortages", {"A1": PARTIAL})
    assert (len(engine.puts()), order("A1").claim) == (calls, "")


def test_lease_and_claim_are_renewed_while_a_worker_waits(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 2)])])
    left: list[tuple[timedelta, timedelta]] = []

    def look(number: str) -> None:
        engine.oci.fault("none" if left else "5xx", operations=["put"])
        lease, claim = Batch.objects.get().leased_until, order(number).claimed_until
        assert lease is not None
        assert claim is not None
        left.append((lease - engine.clock(), claim - engine.clock()))

    engine.between(monkeypatch, before=look)
    assert engine.reconcile().state == "completed"
    assert left == [(timedelta(seconds=60), timedelta(seconds=60))] * 2


class Killed(BaseException):
    """The worker's process is killed here."""


@pytest.mark.parametrize("moment", ["before the call", "after the call", "before counting"])
@pytest.mark.parametrize("replay", ["same", "exists"])
def test_a_worker_that_is_killed_anywhere_loses_and_doubles_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, moment: str, replay: str
) -> None:
    orders: list[tuple[str, Items]] = [(f"A{number}", [("MUG", 1.5)]) for number in range(4)]
    backlog(engine, {"MUG": 4}, orders)
    engine.oci.settings(replay=replay)
    killed = []

    def kill(*_: Any, **arguments: Any) -> None:
        killed.append(1)
        if len(killed) == 2:
            raise Killed

    if moment == "before counting":
        count = sets.count

        def count_or_die(*answers: Any, **arguments: Any) -> Any:
            kill()
            return count(*answers, **arguments)

        monkeypatch.setattr(sets, "count", count_or_die)
    else:
        engine.between(monkeypatch, **{moment.split()[0]: kill})
    run = engine.start()
    with pytest.raises(Killed):
        engine.work(run)
    assert list(entries(run).values()) == [COMPLETE, "pending", "pending", "pending"]
    # The lease has not ended: nobody takes over yet.
    assert (
        batches.work_run(run_id=run.pk, clock=engine.clock, budget=timedelta(seconds=20)) is False
    )
    engine.clock.go(61)
    assert engine.work(run).state == "completed_with_shortages"
    assert reserved() == one_after_the_other({"MUG": 4}, orders)
    assert engine.held() == reserved_by_items() == {"MUG": D(4)}
    open_documents = [state for n, _ in orders for state, _ in engine.documents(n)]
    assert open_documents.count("OPEN") == 4


def test_a_batch_that_kills_its_workers_is_given_up_and_the_run_ends(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)]), ("A2", [("MUG", 1)])])

    def kill(_: str) -> None:
        raise Killed

    engine.between(monkeypatch, before=kill)
    run = engine.start()
    deaths = 0
    while Run.objects.get(pk=run.pk).is_active:
        try:
            engine.work(run)
        except Killed:
            deaths += 1
        engine.clock.go(61)
    assert deaths == 10
    run.refresh_from_db()
    assert (run.state, entries(run)) == ("oci_offline", {"A1": OFFLINE, "A2": OFFLINE})
    monkeypatch.undo()
    assert engine.reconcile().state == "completed"
    assert engine.held() == reserved_by_items() == {"MUG": D(2)}


# Orders that change while the run is under way


def test_an_order_cancelled_before_its_turn_is_skipped(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)]), ("A2", [("MUG", 1)])])

    def cancel(_: str) -> None:
        release.cancel_order(order_id=order("A2").pk, actor=MIA, reason="test", now=engine.clock())

    engine.between(monkeypatch, before=cancel)
    run = engine.reconcile()
    assert (run.state, entries(run)) == ("completed", {"A1": COMPLETE, "A2": "SKIPPED"})
    assert order("A2").status == "cancelled"
    assert engine.held() == reserved_by_items() == {"MUG": D(1)}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_order_cancelled_in_flight_is_skipped_and_undone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)])])

    def cancel(_: str) -> None:
        found = release.cancel_order(
            order_id=order("A1").pk, actor=MIA, reason="test", now=engine.clock()
        )
        assert found.status == "cancelling"
        # While the call is under way nobody may undo it.
        assert release.finish_cancellations(clock=engine.clock) == 0

    engine.between(monkeypatch, **{moment: cancel})
    run = engine.reconcile()
    assert (run.state, entries(run)) == ("completed", {"A1": "SKIPPED"})
    assert (order("A1").status, engine.held()) == ("cancelling", {"MUG": D(1)})
    assert release.finish_cancellations(clock=engine.clock) == 1
    assert (order("A1").status, engine.held()) == ("cancelled", {})
    assert InventoryRecord.objects.get().ato == 1000


def test_an_order_for_review_is_counted_apart(engine: Engine) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)])])
    engine.oci.set_graph(locations=["dc"])
    run = engine.reconcile()
    assert (run.state, entries(run)) == ("completed_with_shortages", {"A1": "NEEDS_REVIEW"})
    progress = lifecycle.progress(run)
    assert (progress.review, progress.short, progress.offline) == (1, 0, 0)
    found = order("A1")
    assert (found.needs_review_since, found.claim) == (engine.clock(), "")
    assert Attempt.objects.get().outcome == "NEEDS_REVIEW"


def test_an_order_that_someone_else_has_is_left_for_the_next_cycle(engine: Engine) -> None:
    backlog(engine, {"MUG": 9}, [("A1", [("MUG", 1)]), ("A2", [("MUG", 1)])])
    until = engine.clock() + timedelta(minutes=5)
    Order.objects.filter(order_no="A1").update(claim="someone", claimed_until=until)
    run = engine.reconcile()
    assert (run.state, entries(run)) == ("oci_offline", {"A1": OFFLINE, "A2": OFFLINE})
    assert (order("A1").claim, engine.puts()) == ("someone", [])


def test_a_run_waits_for_counts_that_follow_a_cancel(engine: Engine) -> None:
    backlog(engine, {"MUG": 2}, [("A1", [("MUG", 2)])])
    engine.oci.fault("drop", operations=["put"])
    set_connection("ONLINE")
    run = engine.reconcile()
    assert run.state == "oci_offline"
    engine.oci.fault("none")
    engine.oci.settings(replay="finalized", cancelStyle="202", cancelDelayMs=0)
    set_connection("ONLINE")
    assert engine.reconcile().state == "completed"
    assert quantities(order("A1")) == [("MUG", D(2), D(2))]
    assert engine.held() == {"MUG": D(2)}
