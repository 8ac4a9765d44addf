"""The planner: lanes share no SKU; oldest first per SKU whatever the number of threads."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from decimal import Decimal

import pytest

from reconciliation.runs.planner import Demand, Schedule, forecast, lanes


def demand(order_id: int, *skus: str) -> Demand:
    return Demand(order_id, {("list", sku): Decimal(1) for sku in skus})


@pytest.mark.parametrize(
    ("demands", "expected"),
    [
        ([], []),
        ([demand(1, "A")], [[1]]),
        ([demand(1, "A"), demand(2, "B")], [[1], [2]]),
        ([demand(1, "A"), demand(2, "A")], [[1, 2]]),
        ([demand(1, "A"), demand(2, "B"), demand(3, "A")], [[1, 3], [2]]),
        # Order 3 joins the lanes of 1 and 2.
        ([demand(1, "A"), demand(2, "B"), demand(3, "B", "A"), demand(4, "C")], [[1, 2, 3], [4]]),
        ([demand(1, "A", "B"), demand(2, "C", "D"), demand(3, "B", "C")], [[1, 2, 3]]),
        ([demand(1), demand(2)], [[1], [2]]),
    ],
)
def test_lanes(demands: list[Demand], expected: list[list[int]]) -> None:
    assert lanes(demands) == expected


def test_the_same_sku_of_two_lists_is_not_shared() -> None:
    one = Demand(1, {("here", "A"): Decimal(1)})
    two = Demand(2, {("there", "A"): Decimal(1)})
    assert lanes([one, two]) == [[1], [2]]


def test_a_forecast_serves_the_oldest_first_and_in_part() -> None:
    key = ("list", "A")
    demands = [Demand(n, {key: Decimal(2)}) for n in (1, 2, 3)]
    assert forecast(demands, {key: Decimal(3)}) == {
        1: {key: Decimal(2)},
        2: {key: Decimal(1)},
        3: {key: Decimal(0)},
    }


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("seed", range(10))
def test_no_order_starts_before_an_earlier_one_that_shares_a_sku_is_done(
    threads: int, seed: int
) -> None:
    rng = random.Random(seed)
    demands = [demand(n, *rng.sample("ABCDEFGHIJKL", rng.randint(1, 3))) for n in range(60)]
    schedule = Schedule(demands)
    running: set[int] = set()
    done: set[int] = set()
    wrong: list[tuple[int, int]] = []
    most = 0
    lock = threading.Lock()
    by_sku: dict[object, list[int]] = defaultdict(list)
    for each in demands:
        for key in each.units:
            by_sku[key].append(each.order_id)

    # Or, on a busy machine, the first would be through before the second has begun.
    together = threading.Barrier(threads)

    def work() -> None:
        nonlocal most
        together.wait(30)
        while (order_id := schedule.take()) is not None:
            with lock:
                for key in demands[order_id].units:
                    wrong.extend(
                        (order_id, other)
                        for other in by_sku[key]
                        if other < order_id and other not in done
                    )
                running.add(order_id)
                most = max(most, len(running))
            time.sleep(0.0005)
            with lock:
                running.discard(order_id)
                done.add(order_id)
            schedule.done(order_id, settled=True)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert wrong == []
    assert done == set(range(60))
    assert most == 1 if threads == 1 else most > 1


def test_an_unsettled_order_withholds_those_behind_it_and_no_others() -> None:
    schedule = Schedule([demand(1, "A"), demand(2, "A", "B"), demand(3, "B"), demand(4, "C")])
    assert schedule.take() == 1
    schedule.done(1, settled=False)
    assert schedule.take() == 4
    schedule.done(4, settled=True)
    assert schedule.take() is None
    assert schedule.left() == [1, 2, 3]


def test_blocked_skus_withhold_from_the_start() -> None:
    schedule = Schedule([demand(1, "A"), demand(2, "B")], blocked=frozenset({("list", "A")}))
    assert schedule.take() == 2
    schedule.done(2, settled=True)
    assert schedule.take() is None
    assert schedule.left() == [1]


def test_a_stopped_schedule_hands_out_nothing_more() -> None:
    schedule = Schedule([demand(1, "A"), demand(2, "B")])
    assert schedule.take() == 1
    schedule.stop()
    assert schedule.take() is None
    schedule.done(1, settled=True)
    assert schedule.left() == [2]
