"""The planner: oldest first per scarce SKU, whatever is under way at once and however it ends."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.runs.planner import Demand, Key, Schedule, ample, forecast, popular
from tests import fuzzing

D = Decimal


def key(sku: str) -> Key:
    return ("list", sku)


def demand(order_id: int, *skus: str) -> Demand:
    return Demand(order_id, {key(sku): D(1) for sku in skus})


def test_an_order_is_ready_when_no_earlier_one_wants_its_skus() -> None:
    schedule = Schedule([demand(1, "A"), demand(2, "A", "B"), demand(3, "B"), demand(4, "C")])
    assert schedule.take(9) == [1, 4]
    schedule.done(4, settled=True)
    assert schedule.take(9) == []
    schedule.done(1, settled=True)
    assert schedule.take(9) == [2]
    schedule.done(2, settled=True)
    assert schedule.take(9) == [3]
    schedule.done(3, settled=True)
    assert (len(schedule), schedule.left()) == (0, [])


def test_orders_that_share_stock_through_others_only_go_side_by_side() -> None:
    """1 and 4 share nothing, although a chain of orders joins them."""
    schedule = Schedule([demand(1, "A"), demand(2, "A", "B"), demand(3, "B", "C"), demand(4, "D")])
    assert schedule.take(9) == [1, 4]


def test_the_same_sku_of_two_lists_is_not_shared() -> None:
    here, there = Demand(1, {("here", "A"): D(1)}), Demand(2, {("there", "A"): D(1)})
    assert Schedule([here, there]).take(9) == [1, 2]


def test_ready_orders_come_oldest_first_and_no_more_than_wanted() -> None:
    schedule = Schedule([demand(n, f"S{n}") for n in (7, 3, 5)])
    assert [schedule.take(2), schedule.take(2), schedule.take(2)] == [[7, 3], [5], []]


def test_an_order_that_lacks_nothing_is_ready() -> None:
    assert Schedule([demand(1), demand(2)]).take(9) == [1, 2]


def test_ample_skus_make_nobody_wait_until_they_run_short() -> None:
    schedule = Schedule(demand(n, "A") for n in range(6))
    assert schedule.take(9) == [0]
    schedule.set_ample(frozenset({key("A")}))
    assert schedule.take(2) == [1, 2]
    # OCI is short for one of them: from here on one after the other, behind those under way.
    schedule.note_short(1)
    schedule.done(1, settled=True)
    assert schedule.take(9) == []
    schedule.done(0, settled=True)
    assert schedule.take(9) == []
    schedule.done(2, settled=True)
    assert schedule.take(9) == [3]


def test_an_order_that_stays_unsettled_withholds_those_behind_it_and_no_others() -> None:
    schedule = Schedule([demand(1, "A"), demand(2, "A", "B"), demand(3, "B"), demand(4, "C")])
    assert schedule.take(1) == [1]
    schedule.done(1, settled=False)
    assert schedule.take(9) == [4]
    schedule.done(4, settled=True)
    assert (schedule.take(9), schedule.left()) == ([], [1, 2, 3])
    assert (schedule.newly_withheld(), schedule.newly_withheld()) == ([1, 2, 3], [])


def test_an_unsettled_order_withholds_nobody_at_an_ample_sku() -> None:
    schedule = Schedule([demand(1, "A", "B"), demand(2, "A"), demand(3, "B")])
    schedule.set_ample(frozenset({key("A")}))
    assert schedule.take(9) == [1, 2]
    schedule.done(1, settled=False)
    assert schedule.take(9) == []
    assert schedule.left() == [1, 2, 3]
    assert schedule.newly_withheld() == [1, 3]


def test_blocked_skus_withhold_from_the_start() -> None:
    schedule = Schedule([demand(1, "A"), demand(2, "B")], blocked=frozenset({key("A")}))
    assert (schedule.take(9), schedule.newly_withheld()) == ([2], [1])


def test_orders_that_are_added_come_behind_those_before() -> None:
    schedule = Schedule([demand(1, "A")])
    schedule.add([demand(2, "A"), demand(3, "B")])
    assert schedule.take(9) == [1, 3]


def test_popular_skus_are_those_that_would_hold_up_the_run() -> None:
    demands = [demand(n, "HOT", f"S{n}") for n in range(100)]
    assert popular(demands, at_once=16) == {key("HOT")}
    assert popular(demands, at_once=1) == frozenset()
    assert popular(demands[:10], at_once=16) == frozenset()


def test_ample_is_twice_what_all_want_together() -> None:
    demands = [demand(n, "A", "B") for n in range(5)]
    stock = {key("A"): D(10), key("B"): D("9.999"), key("C"): D(0)}
    assert ample(demands, stock) == {key("A"), key("C")}


def test_a_forecast_serves_the_oldest_first_and_in_part() -> None:
    a = ("list", "A")
    demands = [Demand(n, {a: D(2)}) for n in (1, 2, 3)]
    assert forecast(demands, {a: D(3)}) == {1: {a: D(2)}, 2: {a: D(1)}, 3: {a: D(0)}}


# The dispatcher's reading and the serial one


Got = dict[int, dict[Key, Decimal]]


def dispatched(
    demands: list[Demand],
    stock: Mapping[Key, Decimal],
    *,
    fails: set[int],
    at_once: int,
    rng: random.Random,
) -> tuple[Got, list[int]]:
    """Reserve as a run does, `at_once` calls under way; OCI serves them in any order.

    `fails` never get an answer. Returns what each order got, and which were withheld.
    """
    left = dict(stock)
    got: Got = {}
    schedule = Schedule(demands[: len(demands) // 2])
    added = False
    under_way: list[int] = []
    by_id = {one.order_id: one for one in demands}
    while True:
        schedule.set_ample(ample(schedule.demands, left) if rng.random() < 0.5 else frozenset())
        if (not added and rng.random() < 0.3) or (not len(schedule) and not added):
            schedule.add(demands[len(demands) // 2 :])
            added = True
        under_way += schedule.take(at_once - len(under_way))
        if not under_way:
            if added and not len(schedule):
                return got, schedule.left()
            continue
        order_id = under_way.pop(rng.randrange(len(under_way)))
        if order_id not in fails:
            wanted = by_id[order_id].units
            got[order_id] = {k: min(u, left[k]) for k, u in wanted.items()}
            for k, units in got[order_id].items():
                left[k] -= units
            if got[order_id] != wanted:
                schedule.note_short(order_id)
        schedule.done(order_id, settled=order_id not in fails)


def one_after_the_other(
    demands: list[Demand], stock: Mapping[Key, Decimal], *, fails: set[int]
) -> tuple[Got, list[int]]:
    """Serve the orders by hand: a key that an unsettled order wants stays for that order."""
    left, kept = dict(stock), set[Key]()
    got: Got = {}
    withheld = []
    for one in demands:
        if one.order_id in fails or kept & one.units.keys():
            withheld.append(one.order_id)
            kept |= one.units.keys()
            continue
        got[one.order_id] = forecast([one], left)[one.order_id]
        for k, units in got[one.order_id].items():
            left[k] -= units
    return got, withheld


SKUS = "ABCDEF"
orders = st.lists(
    st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1, max_size=3),
    min_size=1,
    max_size=25,
)


@fuzzing.fuzz(200)
@given(
    wanted=orders,
    units=st.tuples(*[st.integers(0, 12) for _ in SKUS]),
    at_once=st.integers(1, 8),
    seed=st.integers(0, 2**32),
)
def test_a_run_comes_to_what_serving_one_after_the_other_comes_to(
    wanted: list[dict[str, int]], units: tuple[int, ...], at_once: int, seed: int
) -> None:
    demands = [Demand(n, {key(s): D(u) for s, u in one.items()}) for n, one in enumerate(wanted)]
    stock = {key(sku): D(n) for sku, n in zip(SKUS, units, strict=True)}
    serial, _ = one_after_the_other(demands, stock, fails=set())
    got, withheld = dispatched(
        demands, stock, fails=set(), at_once=at_once, rng=random.Random(seed)
    )
    assert (got, withheld) == (serial, [])


@fuzzing.fuzz(200)
@given(
    wanted=orders,
    units=st.tuples(*[st.integers(0, 12) for _ in SKUS]),
    at_once=st.integers(2, 8),
    fails=st.sets(st.integers(0, 24), max_size=3),
    seed=st.integers(0, 2**32),
)
def test_orders_that_fail_take_nobody_with_them_who_shares_nothing(
    wanted: list[dict[str, int]],
    units: tuple[int, ...],
    at_once: int,
    fails: set[int],
    seed: int,
) -> None:
    """And nobody who shares a scarce SKU goes ahead of one that failed."""
    demands = [Demand(n, {key(s): D(u) for s, u in one.items()}) for n, one in enumerate(wanted)]
    stock = {key(sku): D(n) for sku, n in zip(SKUS, units, strict=True)}
    serial, left = one_after_the_other(demands, stock, fails=fails)
    got, withheld = dispatched(
        demands, stock, fails=fails, at_once=at_once, rng=random.Random(seed)
    )
    # At an ample SKU nobody is withheld: more orders may be served, and each in full.
    assert got.keys() >= serial.keys()
    assert set(withheld) <= set(left)
    for order_id, served in got.items():
        if order_id not in serial:
            assert served.keys() <= set(stock)
    taken: dict[Key, Decimal] = defaultdict(Decimal)
    for served in got.values():
        for k, n in served.items():
            taken[k] += n
    assert all(taken[k] <= stock[k] for k in stock)


@pytest.mark.parametrize("seed", range(5))
def test_without_ample_skus_failures_too_come_to_the_same(seed: int) -> None:
    rng = random.Random(seed)
    demands = [demand(n, *rng.sample("ABCDEFGHIJKL", rng.randint(1, 3))) for n in range(60)]
    stock = {key(sku): D(rng.randint(0, 9)) for sku in "ABCDEFGHIJKL"}
    fails = set(rng.sample(range(60), 3))
    serial = one_after_the_other(demands, stock, fails=fails)
    schedule = Schedule(demands)
    left, got, under_way, most = dict(stock), {}, [], 0
    while under_way or len(schedule):
        under_way += schedule.take(8 - len(under_way))
        most = max(most, len(under_way))
        if not under_way:
            break
        order_id = under_way.pop(rng.randrange(len(under_way)))
        if order_id not in fails:
            got[order_id] = forecast([demands[order_id]], left)[order_id]
            for k, units in got[order_id].items():
                left[k] -= units
        schedule.done(order_id, settled=order_id not in fails)
    assert (got, schedule.left()) == serial
    assert most > 1


def test_a_backlog_of_many_skus_keeps_all_calls_busy() -> None:
    """Three items an order, 500 SKUs: sharing stock through others must hold nobody up."""
    rng = random.Random(3)
    demands = [demand(n, *rng.sample([f"S{m}" for m in range(500)], 3)) for n in range(1_000)]
    schedule = Schedule(demands)
    rounds = 0
    while len(schedule):
        taken = schedule.take(32)
        rounds += 1
        for order_id in taken:
            schedule.done(order_id, settled=True)
    assert rounds <= 1.2 * 1_000 / 32
