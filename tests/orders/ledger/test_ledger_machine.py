"""The ledger beside a model of ten lines, by Hypothesis: whatever happens, in whatever order.

`make fuzz` plays more of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from orders import ledger
from orders.errors import ShortOnAto
from orders.ledger import Figure, repair
from orders.models import Hold, InventoryRecord, Movement, MovementReason, Order
from orders.models.inventory import OPEN_HOLDS
from tests.factories import START, capture, make_site
from tests.fuzzing import fuzz

pytestmark = [pytest.mark.django_db, pytest.mark.fuzz]

LAG = timedelta(seconds=3)
HEARD = timedelta(seconds=40)
SKUS = ["A", "B", "C"]
units = st.integers(1, 4000).map(lambda n: Decimal(n).scaleb(-3))
figures = st.integers(0, 9000).map(lambda n: Decimal(n).scaleb(-3))


@dataclass
class ModelHold:
    order: int
    sku: str
    units: Decimal
    answered_at: datetime | None = None


class Model:
    """What the ledger should say; the rule of design 4 in a few lines."""

    def __init__(self) -> None:
        self.figure: dict[str, tuple[Decimal, datetime]] = {}
        self.holds: list[ModelHold] = []

    def held(self, sku: str) -> Decimal:
        return sum((hold.units for hold in self.holds if hold.sku == sku), Decimal(0))

    def ato(self, sku: str) -> Decimal:
        return max(Decimal(0), self.figure[sku][0] - self.held(sku))

    def ask_again(self, order: int, sku: str, n: Decimal, *, until: datetime) -> None:
        """Hold what a rerun asks for; nothing of these orders has been reserved yet."""
        for hold in self.holds:
            if (hold.order, hold.sku) == (order, sku):
                hold.units = max(hold.units, n)
                hold.answered_at = until
                return
        self.holds.append(ModelHold(order, sku, n, until))

    def snapshot(self, sku: str, new: Decimal, taken_at: datetime) -> None:
        known, at = self.figure[sku]
        if at >= taken_at:
            return
        answered = [h for h in self.holds if h.sku == sku and h.answered_at is not None]
        counted = [h for h in answered if h.answered_at <= taken_at - LAG]  # type: ignore[operator]
        settling = sum((h.units for h in answered if h not in counted), Decimal(0))
        expected = known - sum((h.units for h in counted), Decimal(0))
        explained = settling and Decimal(0) <= expected - new <= settling
        self.figure[sku] = (expected if explained else new, taken_at)
        self.holds = [h for h in self.holds if h not in counted]


class LedgerMachine(RuleBasedStateMachine):
    """Captures, answers, reruns, releases, snapshots of every age, imports and repairs."""

    @initialize(stock=st.tuples(*[figures] * 3))
    def begin(self, stock: tuple[Decimal, ...]) -> None:
        self._rollback = transaction.atomic()
        self._rollback.__enter__()
        self.now = START
        self.model = Model()
        self.site = make_site(stock=dict(zip(SKUS, stock, strict=True)), at=START)
        self.model.figure = {s: (n, START) for s, n in zip(SKUS, stock, strict=True)}
        self.orders: list[Order] = []

    def teardown(self) -> None:
        if hasattr(self, "_rollback"):
            transaction.set_rollback(True)
            self._rollback.__exit__(None, None, None)

    @rule(wanted=st.dictionaries(st.sampled_from(SKUS), units, min_size=1))
    def capture(self, wanted: dict[str, Decimal]) -> None:
        short = {sku for sku, n in wanted.items() if self.model.ato(sku) < n}
        before = InventoryRecord.objects.count(), Hold.objects.count(), Order.objects.count()
        number = f"O{len(self.orders)}"
        items = [(sku, float(n)) for sku, n in wanted.items()]
        if short:
            with pytest.raises(ShortOnAto) as refused:
                capture(self.site, number, items, at=self.now)
            assert {one.sku for one in refused.value.shortfalls} == short
            after = InventoryRecord.objects.count(), Hold.objects.count(), Order.objects.count()
            assert after == before
            return
        order = capture(self.site, number, items, at=self.now)
        self.orders.append(order)
        self.model.holds += [ModelHold(order.pk, sku, n) for sku, n in wanted.items()]

    @rule(pick=st.integers(0, 99))
    def oci_answers(self, pick: int) -> None:
        if self.orders:
            order = self.orders[pick % len(self.orders)]
            ledger.mark_answered(order=order, now=self.now)
            for hold in self.model.holds:
                if hold.order == order.pk:
                    hold.answered_at = self.now

    @rule(pick=st.integers(0, 99))
    def give_back(self, pick: int) -> None:
        if self.orders:
            order = self.orders[pick % len(self.orders)]
            ledger.release(order=order, now=self.now)
            self.model.holds = [h for h in self.model.holds if h.order != order.pk]

    @rule(pick=st.integers(0, 99), sku=st.sampled_from(SKUS), n=units, again=st.booleans())
    def a_rerun_asks(self, pick: int, sku: str, n: Decimal, again: bool) -> None:
        """Of an order that OCI has answered."""
        waiting = {hold.order for hold in self.model.holds if hold.answered_at is None}
        answered = [order for order in self.orders if order.pk not in waiting]
        if answered:
            order = answered[pick % len(answered)]
            until = self.now + HEARD
            ledger.hold_shortfall(
                order=order, asked={("web", sku): n}, again=again, until=until, now=self.now
            )
            self.model.ask_again(order.pk, sku, n, until=until)

    @rule(sku=st.sampled_from(SKUS), new=figures, age=st.sampled_from([0, 1, 4, 30, 600]))
    def snapshot(self, sku: str, new: Decimal, age: int) -> None:
        """Fresh, lagging, or older than the one known."""
        taken_at = self.now - timedelta(seconds=age)
        self._apply(sku, new, taken_at)
        self.model.snapshot(sku, new, taken_at)

    @rule(sku=st.sampled_from(SKUS), share=st.integers(0, 2), age=st.sampled_from([0, 2, 4]))
    def snapshot_that_counts_some(self, sku: str, share: int, age: int) -> None:
        """OCI counts what it has answered, or half of it, or none yet."""
        taken_at = self.now - timedelta(seconds=age)
        answered = [h for h in self.model.holds if h.sku == sku and h.answered_at]
        counted = sum((h.units for h in answered[: len(answered) * share // 2]), Decimal(0))
        new = max(Decimal(0), self.model.figure[sku][0] - counted)
        self._apply(sku, new, taken_at)
        self.model.snapshot(sku, new, taken_at)

    @rule(sku=st.sampled_from(SKUS), new=figures)
    def import_a_file(self, sku: str, new: Decimal) -> None:
        """A figure from a file counts no order of ours."""
        self.now += timedelta(seconds=1)
        self._apply(sku, new, self.now, MovementReason.IMPORTED)
        self.model.figure[sku] = (new, self.now)

    @rule(sku=st.sampled_from(SKUS))
    def repair(self, sku: str) -> None:
        """A repair of what is right changes nothing."""
        before = Movement.objects.count()
        repair.recompute(keys=[("web", sku)], now=self.now)
        assert Movement.objects.count() == before

    @rule(seconds=st.sampled_from([1, 2, 5, 60]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def _apply(
        self,
        sku: str,
        new: Decimal,
        taken_at: datetime,
        reason: MovementReason = MovementReason.SNAPSHOT,
    ) -> None:
        figure = Figure("web", sku, new)
        ledger.apply_snapshot(
            figures=[figure], taken_at=taken_at, lag=LAG, now=self.now, reason=reason
        )

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        for record in InventoryRecord.objects.all():
            sums = repair.sums_of(record)
            assert sums.add_up, (record.sku, sums)
            assert record.ato >= 0
            assert record.snapshot_ato == self.model.figure[record.sku][0]
            assert (record.ato, record.held) == (
                self.model.ato(record.sku),
                self.model.held(record.sku),
            )
        kept = Hold.objects.filter(state__in=OPEN_HOLDS).values_list("order", "record__sku")
        assert sorted(kept) == sorted((h.order, h.sku) for h in self.model.holds)


def test_the_ledger_is_what_the_model_says() -> None:
    run_state_machine_as_test(LedgerMachine, settings=settings(fuzz(6), stateful_step_count=30))
