"""Workers, people and jobs at the same orders and runs at once, on PostgreSQL.

Each guard has a control: the same race with the guard taken away, which must go wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orders import cancellation, outcomes
from orders.actors import job
from orders.models import Order, OrderEvent, OrderItem, OrderStatus, ReservationState
from reconciliation import reservation
from reconciliation.models import (
    Batch,
    BatchState,
    Purpose,
    ReservationDocument,
    Run,
    RunState,
    Trigger,
)
from reconciliation.queue import leases as named_leases
from reconciliation.runs import lifecycle
from reconciliation.runs.batch_leases import BatchLeases, claim_batches, others_work_on
from reconciliation.runs.lifecycle import RunRefused
from tests import factories
from tests.concurrency.together import at_once, barrier, while_uncommitted
from tests.engine import MIA, D
from tests.factories import START, capture, make_site

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NOW = START + timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
WORKERS = 8
JOB = job("race")


def waiting_orders(count: int) -> list[Order]:
    site = make_site(stock={"MUG": 1000})
    return [capture(site, f"A{number}", [("MUG", 1)]) for number in range(count)]


def make_run(**fields: Any) -> Run:
    return Run.objects.create(
        trigger=Trigger.PERSON, actor="mia", state=RunState.RUNNING, created_at=NOW, **fields
    )


# Claims on orders


def test_one_of_many_workers_gets_the_claim() -> None:
    (order,) = waiting_orders(1)

    def take(number: int) -> str:
        won = outcomes.take_claim(
            order_id=order.pk, holder=f"w{number}", until=NOW + MINUTE, now=NOW
        )
        return "won" if won else "lost"

    assert at_once(WORKERS, take) == ["lost"] * (WORKERS - 1) + ["won"]


def test_control_without_the_condition_all_get_the_claim() -> None:
    (order,) = waiting_orders(1)
    looked = barrier(WORKERS)

    def take(number: int) -> str:
        free = Order.objects.get(pk=order.pk).claimed_until is None
        looked.wait()
        if free:
            Order.objects.filter(pk=order.pk).update(claim=f"w{number}", claimed_until=NOW)
        return "won" if free else "lost"

    assert at_once(WORKERS, take) == ["won"] * WORKERS


# Settling and cancelling


def settle(order: Order) -> str:
    settled = factories.settle(
        order, {OrderItem.objects.get(order=order).pk: D(1)}, actor=JOB, now=NOW
    )
    return "settled" if settled else "lost"


def cancel_settled(order: Order) -> str:
    """What `request_cancellation` does not do: it may come after settling, and undoes it then."""
    cancellation.request_cancellation(order_id=order.pk, actor=MIA, reason="race", now=NOW)
    return "cancelling"


def test_an_order_is_settled_once_by_many_who_have_its_answer() -> None:
    (order,) = waiting_orders(1)
    outcomes.take_claim(order_id=order.pk, holder="w", until=NOW + MINUTE, now=NOW)
    assert at_once(WORKERS, lambda _: settle(order)) == ["lost"] * (WORKERS - 1) + ["settled"]
    assert OrderEvent.objects.filter(order=order, kind="settled").count() == 1


def test_cancelling_and_settling_at_once_never_lose_a_reservation() -> None:
    """Either it is settled first and then cancelled, or cancelled and then not settled."""
    orders = waiting_orders(WORKERS)
    for order in orders:
        outcomes.take_claim(order_id=order.pk, holder="w", until=NOW + MINUTE, now=NOW)
    results = at_once(
        2 * WORKERS,
        lambda n: (settle if n % 2 else cancel_settled)(orders[n // 2]),
    )
    assert results.count("cancelling") == WORKERS
    for order in orders:
        order.refresh_from_db()
        assert order.status == OrderStatus.CANCELLING
        settled = order.reservation_state == ReservationState.COMPLETE
        assert OrderItem.objects.get(order=order).reserved_quantity == int(settled)
        kinds = list(order.events.order_by("id").values_list("kind", flat=True))
        assert kinds == ["captured_offline", *["settled"] * settled, "cancel_requested"]


def test_control_settling_without_looking_again_brings_a_cancelled_order_back() -> None:
    orders = waiting_orders(WORKERS)
    looked = barrier(WORKERS)

    def unguarded(number: int) -> str:
        order = Order.objects.get(pk=orders[number].pk)
        looked.wait()
        cancellation.request_cancellation(order_id=order.pk, actor=MIA, reason="race", now=NOW)
        if order.status == OrderStatus.NEW:
            Order.objects.filter(pk=order.pk).update(
                status=OrderStatus.NEW, reservation_state=ReservationState.COMPLETE
            )
        return Order.objects.get(pk=order.pk).status

    assert at_once(WORKERS, unguarded) == ["new"] * WORKERS


# Documents


def test_many_prepare_one_document() -> None:
    (order,) = waiting_orders(1)
    outcomes.take_claim(order_id=order.pk, holder="w", until=NOW + MINUTE, now=NOW)

    def prepare(_: int) -> str:
        found = reservation.prepare(order_id=order.pk, holder="w", purpose=Purpose.ORDER)
        return str(found and found[0].reservation_id)

    results = at_once(WORKERS, prepare)
    document = ReservationDocument.objects.get()
    assert results == [str(document.reservation_id)] * WORKERS


def test_a_document_is_not_prepared_behind_a_cancellation() -> None:
    """The worker lost its claim to a cancellation that it has to wait for."""
    (order,) = waiting_orders(1)
    outcomes.take_claim(order_id=order.pk, holder="w", until=NOW, now=NOW)
    results = while_uncommitted(
        lambda: cancellation.request_cancellation(
            order_id=order.pk, actor=MIA, reason="race", now=NOW
        ),
        lambda: reservation.prepare(order_id=order.pk, holder="w", purpose=Purpose.ORDER),
    )
    assert results == [None]
    assert ReservationDocument.objects.count() == 0


# Runs and batches


def test_of_many_who_start_a_run_one_does() -> None:
    waiting_orders(1)

    def start(_: int) -> str:
        try:
            lifecycle.start_run(trigger=Trigger.PERSON, actor=MIA, now=NOW)
        except RunRefused as refused:
            return "refused" if refused.active_run else "refused for another reason"
        return "started"

    assert at_once(WORKERS, start) == ["refused"] * (WORKERS - 1) + ["started"]
    assert Run.objects.count() == 1


def test_control_looking_for_an_active_run_first_is_not_enough() -> None:
    looked = barrier(WORKERS)

    def start(_: int) -> str:
        free = lifecycle.active_run() is None
        looked.wait()
        # Without the constraint: a run that is not marked active is not held back by it.
        if free:
            make_run(is_active=False)
        return "started" if free else "refused"

    assert at_once(WORKERS, start) == ["started"] * WORKERS


def test_of_many_who_plan_a_round_one_does() -> None:
    waiting_orders(5)
    run = lifecycle.start_run(trigger=Trigger.PERSON, actor=MIA, now=NOW)
    results = at_once(
        WORKERS, lambda _: str(lifecycle.plan_round(Run.objects.get(pk=run.pk), now=NOW))
    )
    assert sorted(results) == sorted(["5"] + ["None"] * (WORKERS - 1))
    assert run.entries.count() == 5


def batches_of(run: Run, count: int) -> None:
    for sequence in range(count):
        Batch.objects.create(run=run, lane=0, sequence=sequence)


def test_the_batches_of_a_run_go_to_one_worker() -> None:
    """Oldest first holds across batches: two workers at one run would not know of each other."""
    run = make_run()
    batches_of(run, 3)

    def take(number: int) -> str:
        taken = claim_batches(run, holder=f"w{number}", now=NOW, most=number % 2 + 1)
        return str(len(taken))

    results = at_once(WORKERS, take)
    assert results[:-1] == ["0"] * (WORKERS - 1)
    assert results[-1] in ("1", "2")
    running = Batch.objects.filter(state=BatchState.RUNNING, starts=1)
    assert running.count() == int(results[-1])
    assert running.values("holder").distinct().count() == 1


def test_control_without_the_row_of_the_run_workers_take_different_batches() -> None:
    run = make_run()
    batches_of(run, WORKERS)
    looked = barrier(WORKERS)

    def take(number: int) -> str:
        busy = others_work_on(run, holder=f"w{number}", now=NOW)
        looked.wait()
        if busy:
            return "none"
        mine = Batch.objects.filter(run=run, sequence=number, state=BatchState.READY)
        return str(mine.update(state=BatchState.RUNNING, holder=f"w{number}", leased_until=NOW))

    assert at_once(WORKERS, take) == ["1"] * WORKERS


def test_control_without_the_condition_a_batch_goes_to_all() -> None:
    run = make_run()
    Batch.objects.create(run=run, lane=0, sequence=0)
    looked = barrier(WORKERS)

    def take(number: int) -> str:
        batch = Batch.objects.get(run=run)
        looked.wait()
        if batch.state == BatchState.READY:
            Batch.objects.filter(pk=batch.pk).update(state=BatchState.RUNNING, holder=f"w{number}")
            return "won"
        return "none"

    assert at_once(WORKERS, take) == ["won"] * WORKERS


def overtaken(run: Run) -> Callable[[], object]:
    """Return a function that takes the expired batch of `run` over from its holder."""
    Batch.objects.create(
        run=run, lane=0, sequence=0, state=BatchState.RUNNING, holder="slow", leased_until=NOW
    )
    return lambda: claim_batches(run, holder="quick", now=NOW, most=1)


def test_a_lease_is_not_renewed_behind_the_one_who_took_over() -> None:
    run = make_run()
    take_over = overtaken(run)
    slow = BatchLeases(run, holder="slow", clock=lambda: NOW)
    slow._held = {Batch.objects.get().pk: 1}
    assert while_uncommitted(take_over, slow.keep) == [False]
    assert Batch.objects.get().holder == "quick"


def test_control_a_renewal_with_a_join_believes_what_it_saw_before() -> None:
    """Why conditional updates are of one table: the subquery of a join is not looked at again."""
    run = make_run()
    take_over = overtaken(run)

    def keep() -> int:
        mine = Batch.objects.filter(holder="slow", run__is_active=True)
        return mine.update(leased_until=NOW + MINUTE)

    assert while_uncommitted(take_over, keep) == [1]
    assert Batch.objects.get().holder == "quick"


def test_one_of_many_has_a_named_lease() -> None:
    def take(number: int) -> str:
        return str(named_leases.take(name="one", holder=f"h{number}", seconds=5, now=NOW))

    assert at_once(WORKERS, take) == ["False"] * (WORKERS - 1) + ["True"]


def test_ending_a_run_and_a_batch_at_once_does_not_deadlock(settings: Any) -> None:
    waiting_orders(30)
    settings.COC_BATCH_SIZE = 3
    for _ in range(5):
        run = lifecycle.start_run(trigger=Trigger.PERSON, actor=MIA, now=NOW)
        lifecycle.plan_round(run, now=NOW)
        leases = BatchLeases(run, holder="w", clock=lambda: NOW)
        taken = [batch.pk for batch in leases.claim(9)]
        assert taken

        def end(number: int, run: Run = run, leases: Any = leases, taken: Any = taken) -> str:
            if number:
                lifecycle.end_run(run.pk, state=RunState.OCI_OFFLINE, now=NOW)
            else:
                leases.close(taken)
            return "done"

        assert at_once(2, end) == ["done", "done"]
        assert set(run.entries.values_list("state", flat=True)) == {"OCI_OFFLINE"}
