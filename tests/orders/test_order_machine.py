"""An order's states beside a model of a few lines, by Hypothesis: every verb, in whatever order.

Three orders: live, captured offline, and one that is left alone and must stay as it is. `make fuzz`
plays more of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
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

from orders import cancellation, exports, outcomes, settlement
from orders.actors import job, person
from orders.capture import Claim
from orders.errors import CannotCancel, CannotSettle, ExportRefused
from orders.models import ExportStatus, InventoryRecord, Order, OrderEvent, OrderItem
from orders.models.inventory import OPEN_HOLDS
from tests import factories
from tests.factories import START, capture, make_site
from tests.fuzzing import fuzz

pytestmark = [pytest.mark.django_db, pytest.mark.fuzz]

MIA, JOB = person("mia"), job("machine")
ORDERED = (Decimal(2), Decimal(1))
SHORT = ("PARTIALLY_RESERVED", "NOTHING_RESERVED")
CLAIM = timedelta(seconds=60)
holders = st.sampled_from(["w1", "w2"])
shares = st.tuples(st.integers(0, 2), st.integers(0, 1))


@dataclass
class Model:
    """Where an order should stand."""

    status: str = "new"
    state: str = "RESERVATION_MISSING"
    reserved: tuple[int, int] = (0, 0)
    resolution: str = ""
    export: str = "not_exported"
    review: bool = False
    claim: str = ""
    until: int = 0  # seconds from the start
    events: list[str] = field(default_factory=list)

    def open_to(self, holder: str, now: int) -> bool:
        return not self.claim or self.until <= now or self.claim == holder

    def free(self, now: int) -> bool:
        return not self.claim or self.until <= now

    def judge(self, reserved: tuple[int, int]) -> None:
        self.reserved = reserved
        full = reserved == (2, 1)
        self.state = "COMPLETELY_RESERVED" if full else SHORT[0] if any(reserved) else SHORT[1]

    def let_go(self, *events: str) -> None:
        self.claim, self.until = "", 0
        self.events += events


class OrderMachine(RuleBasedStateMachine):
    """Workers, people and order management at one order, with claims that run out."""

    @initialize(live=st.booleans())
    def begin(self, live: bool) -> None:
        self._rollback = transaction.atomic()
        self._rollback.__enter__()
        self.second = 0
        self.given_back = False
        site = make_site(stock={"A": 50, "B": 50})
        claim = Claim("w1", START + CLAIM) if live else None
        self.order = capture(site, "A1", [("A", 2), ("B", 1)], claim=claim)
        self.other = capture(site, "A2", [("A", 2), ("B", 1)])
        self.model = Model(events=["captured" if live else "captured_offline"])
        if live:
            self.model.status, self.model.claim, self.model.until = "created", "w1", 60
        rows = OrderItem.objects.filter(order=self.order).order_by("position")
        self.items = list(rows.values_list("pk", flat=True))

    def teardown(self) -> None:
        if hasattr(self, "_rollback"):
            transaction.set_rollback(True)
            self._rollback.__exit__(None, None, None)

    @property
    def now(self):  # type: ignore[no-untyped-def]
        return START + timedelta(seconds=self.second)

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def time_passes(self, seconds: int) -> None:
        self.second += seconds

    @rule(holder=holders)
    def take_claim(self, holder: str) -> None:
        won = outcomes.take_claim(
            order_id=self.order.pk, holder=holder, until=self.now + CLAIM, now=self.now
        )
        assert won == (self.model.status == "new" and self.model.open_to(holder, self.second))
        if won:
            self.model.claim, self.model.until = holder, self.second + 60

    @rule(holder=holders)
    def drop_claim(self, holder: str) -> None:
        outcomes.drop_claim(order_id=self.order.pk, holder=holder)
        if self.model.claim == holder:
            self.model.let_go()

    @rule(holder=holders, got=shares)
    def oci_answers(self, holder: str, got: tuple[int, int]) -> None:
        """Full, partial or nothing; the first time and again."""
        settled = factories.settle(
            self.order,
            {pk: Decimal(n) for pk, n in zip(self.items, got, strict=True)},
            holder=holder,
            actor=JOB,
            reason="answered",
            now=self.now,
        )
        model = self.model
        due = model.claim == holder and model.status in ("new", "created")
        assert (settled is not None) == (due and model.state == "RESERVATION_MISSING")
        if settled is not None:
            model.judge(got)
            model.status, model.export, model.review = "new", "ready", False
            model.let_go("settled")

    @rule(holder=holders, got=shares)
    def oci_answers_a_rerun(self, holder: str, got: tuple[int, int]) -> None:
        model = self.model
        open_ = (2 - model.reserved[0], 1 - model.reserved[1])
        more = (min(got[0], open_[0]), min(got[1], open_[1]))
        added = outcomes.add_reserved(
            order_id=self.order.pk,
            holder=holder,
            added={pk: Decimal(n) for pk, n in zip(self.items, more, strict=True)},
            actor=JOB,
            reason="answered",
            now=self.now,
        )
        due = model.claim == holder and model.status == "new" and model.state in SHORT
        assert (added is not None) == due
        if added is not None:
            model.judge((model.reserved[0] + more[0], model.reserved[1] + more[1]))
            complete = model.state == "COMPLETELY_RESERVED"
            model.resolution = "reserved_again" if complete else model.resolution
            model.let_go("resolved" if complete else "settled")

    @rule(holder=holders)
    def accept_offline(self, holder: str) -> None:
        won = outcomes.accept_offline(
            order_id=self.order.pk, holder=holder, actor=JOB, reason="away", now=self.now
        )
        assert won == (self.model.status == "created" and self.model.claim == holder)
        if won:
            self.model.status = "new"
            self.model.let_go("captured_offline")

    @rule(holder=holders)
    def fail_live(self, holder: str) -> None:
        won = outcomes.fail_live(
            order_id=self.order.pk, holder=holder, actor=JOB, reason="short", now=self.now
        )
        assert won == (self.model.status == "created" and self.model.claim == holder)
        if won:
            self.model.status = "failed"
            self.model.let_go("failed")

    @rule()
    def give_back_failed(self) -> None:
        """Whoever has undone at OCI what a failed order may hold there."""
        won = outcomes.give_back_failed(order_id=self.order.pk, now=self.now)
        assert won == (self.model.status == "failed")
        self.given_back = self.given_back or won

    @rule()
    def resume_abandoned(self) -> None:
        adopted = outcomes.resume_abandoned(actor=JOB, now=self.now)
        due = self.model.status == "created" and self.model.free(self.second)
        assert adopted == due
        if adopted:
            self.model.status = "new"
            self.model.let_go("captured_offline")

    @rule(holder=holders)
    def review(self, holder: str) -> None:
        model = self.model
        won = outcomes.put_to_review(
            order_id=self.order.pk, holder=holder, actor=JOB, reason="odd", now=self.now
        )
        assert won == (model.claim == holder and not model.review)
        if won:
            live = model.status == "created"
            model.review, model.status = True, "new" if live else model.status
            model.let_go(*["captured_offline"] * live, "needs_review")

    @rule()
    def end_review(self) -> None:
        won = outcomes.end_review(order_id=self.order.pk, actor=MIA, reason="ok", now=self.now)
        assert won == self.model.review
        if won:
            self.model.review = False
            self.model.events.append("reviewed")

    @rule()
    def cancel(self) -> None:
        model = self.model
        try:
            cancellation.request_cancellation(
                order_id=self.order.pk, actor=MIA, reason="no", now=self.now
            )
        except CannotCancel:
            exported = model.export == "exported" and model.status == "new"
            outside = model.resolution == "settled_outside" and model.status == "new"
            assert model.status == "failed" or exported or outside
            return
        assert model.status != "failed"
        if model.status in ("new", "created"):
            assert (model.export, model.resolution) != ("exported", "settled_outside")
            model.status, model.export, model.review = "cancelling", "not_exported", False
            model.resolution = "cancelled"
            model.events.append("cancel_requested")

    @rule()
    def finish_cancelling(self) -> None:
        """The release at OCI waits for the claim, as in `reconciliation.reservation.release`."""
        model = self.model
        claimed = cancellation.take_release_claim(
            order_id=self.order.pk, holder="cancel", until=self.now + CLAIM, now=self.now
        )
        due = model.status == "cancelling" and model.open_to("cancel", self.second)
        assert claimed == due
        finished = cancellation.finish_cancellation(
            order_id=self.order.pk, holder="cancel", actor=JOB, reason="undone", now=self.now
        )
        assert finished == due
        if finished:
            model.status, model.reserved, model.review = "cancelled", (0, 0), False
            model.let_go("cancelled")

    @rule(note=st.sampled_from(["PO 1", "PO 2"]))
    def settle_outside(self, note: str) -> None:
        model, before = self.model, self._row()
        try:
            settlement.settle_outside(
                order_id=self.order.pk, reference=note, actor=MIA, reason="", now=self.now
            )
        except CannotSettle:
            assert self._row() == before
            short = model.status == "new" and model.state in SHORT and not model.resolution
            assert not short or not model.free(self.second)
            return
        if self._row() != before:
            assert model.status == "new"
            assert model.state in SHORT
            assert model.resolution == ""
            assert model.free(self.second)
            model.resolution = "settled_outside"
            model.let_go("resolved")

    @rule()
    def open_again(self) -> None:
        model, before = self.model, self._row()
        try:
            settlement.reopen(order_id=self.order.pk, actor=MIA, reason="", now=self.now)
        except CannotSettle:
            assert self._row() == before
            outside = model.resolution == "settled_outside" and model.status == "new"
            assert model.resolution
            assert not (outside and model.free(self.second))
            return
        if self._row() != before:
            assert model.resolution == "settled_outside"
            model.resolution = ""
            model.let_go("reopened")

    @rule(to=st.sampled_from([ExportStatus.READY, ExportStatus.EXPORTED, ExportStatus.FAILED]))
    def export(self, to: ExportStatus) -> None:
        model = self.model
        try:
            exports.change_export_status(order_id=self.order.pk, to=to, actor=MIA, now=self.now)
        except ExportRefused:
            steps = {("ready", "exported"), ("ready", "failed"), ("failed", "ready")}
            steps |= {("failed", "exported")}
            settled = model.status == "new" and model.state != "RESERVATION_MISSING"
            assert not (settled and (model.export, str(to)) in steps)
            return
        if model.export != str(to):
            assert model.status == "new"
            assert model.state != "RESERVATION_MISSING"
            model.export = str(to)
            model.events.append("export")

    def _row(self) -> tuple[object, ...]:
        return Order.objects.filter(pk=self.order.pk).values_list()[0]

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        model, order = self.model, Order.objects.get(pk=self.order.pk)
        rows = OrderItem.objects.filter(order=order).order_by("position")
        found = Model(
            status=order.status,
            state=order.reservation_state,
            reserved=tuple(int(n) for n in rows.values_list("reserved_quantity", flat=True)),  # type: ignore[arg-type]
            resolution=order.resolution,
            export=order.export_status,
            review=order.needs_review_since is not None,
            claim=order.claim,
            until=int((order.claimed_until - START).total_seconds()) if order.claimed_until else 0,
            events=list(OrderEvent.objects.filter(order=order).values_list("kind", flat=True)),
        )
        assert found == model
        self._holds_agree(order)

    def _holds_agree(self, order: Order) -> None:
        kept = order.holds.filter(state__in=OPEN_HOLDS)
        waits = order.status in ("new", "created") and order.reservation_state.endswith("MISSING")
        if waits or (order.status == "failed" and not self.given_back):
            assert sorted(kept.values_list("quantity", "state")) == [
                (Decimal(1), "waiting"),
                (Decimal(2), "waiting"),
            ]
        elif order.status in ("cancelled", "failed"):
            assert not kept.exists()
        for record in InventoryRecord.objects.all():
            held = sum(h.quantity for h in record.holds.filter(state__in=OPEN_HOLDS))
            assert (record.held, record.ato) == (held, 50 - held)
        left_alone = Order.objects.get(pk=self.other.pk)
        assert (left_alone.status, left_alone.reservation_state) == ("new", "RESERVATION_MISSING")


def test_an_order_stands_where_the_model_says() -> None:
    run_state_machine_as_test(OrderMachine, settings=settings(fuzz(8), stateful_step_count=40))
