"""Replacements that are begun in one request and finished by workers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.module_loading import import_string

from orders import outcomes
from orders.errors import CannotReplace, ReplacementShort
from orders.ledger import LedgerChanged
from orders.models import Hold, InventoryRecord, Movement, Order, OrderItem, Replacement
from reconciliation import remedies, tasks
from reconciliation.maintenance import sweep
from reconciliation.models import ReservationDocument, Scope
from reconciliation.remedies import replace, swap
from reconciliation.reservation import release
from tests.engine import MIA, D, Engine, ato, quantities, set_connection
from tests.reconciliation.remedies.test_replace import (
    Death,
    assert_replaced,
    documents,
    everything,
    finish,
)
from tests.reconciliation.remedies.test_replace import short as short

pytestmark = pytest.mark.django_db


def begin(order: Order, engine: Engine, sku: str = "CUP", **more: Any) -> Replacement:
    item = OrderItem.objects.filter(order=order).earliest("position")
    return remedies.begin_replacement(
        **{
            "item_id": item.pk,
            "sku": sku,
            "units": item.open_quantity or D(2),
            "unit_price": D("7.50"),
            "actor": MIA,
            "reason": "The shopper agreed.",
            "now": engine.clock(),
            **more,
        }
    )


def rows() -> list[Any]:
    return [*everything(), list(ReservationDocument.objects.order_by("pk").values())]


def die(*_: Any, **__: Any) -> Any:
    raise Death


def test_it_is_begun_without_oci_and_finished_by_a_worker(engine: Engine, short: Order) -> None:
    asked = len(engine.oci.requests())
    begun = begin(short, engine)
    assert len(engine.oci.requests()) == asked
    assert begun.state == "reserving"
    assert ato("CUP") == (D(3), D(2))
    assert documents(short) == [("order", "counted"), ("replace", "prepared")]
    assert quantities(short) == [("MUG", D(3), D(1))]
    short.refresh_from_db()
    assert (short.claim, short.claimed_until) == ("", None)
    # Nobody has to wait for the end of a claim.
    assert finish(engine) == 1
    assert_replaced(short, engine)


def test_beginning_twice_is_once(engine: Engine, short: Order) -> None:
    begun = begin(short, engine)
    before = rows()
    assert begin(short, engine) == begun
    assert rows() == before
    finish(engine)
    before = rows()
    assert begin(short, engine) == begun
    assert rows() == before


@pytest.mark.parametrize(
    "step",
    [
        "orders.replacements.ledger.take",
        "reconciliation.remedies.replace.reservation.write_replacement",
        "reconciliation.remedies.replace.outcomes.drop_claim",
    ],
)
def test_death_before_the_commit_leaves_nothing(
    engine: Engine, short: Order, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = rows()
    with monkeypatch.context() as patched:
        patched.setattr(step, die)
        with pytest.raises(Death):
            begin(short, engine)
    assert rows() == before
    begin(short, engine)
    finish(engine)
    assert_replaced(short, engine)


@pytest.mark.parametrize(
    "step",
    [
        "reconciliation.reservation.send.prepare",
        "reconciliation.remedies.swap._shortfalls",
        "reconciliation.remedies.swap._complete",
    ],
)
def test_death_of_the_worker_is_made_good_by_the_sweep(
    engine: Engine, short: Order, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    begin(short, engine)
    with monkeypatch.context() as patched:
        patched.setattr(step, die)
        with pytest.raises(Death):
            finish(engine)
    assert Replacement.objects.get().state == "reserving"
    engine.clock.go(61)
    assert "replacements" in sweep.sweep(clock=engine.clock)
    assert finish(engine) == 1
    assert_replaced(short, engine)


@pytest.mark.parametrize("step", ["_undo", "stock_refresh.fetch", "_refuse"])
def test_death_while_it_is_given_back_is_made_good(
    engine: Engine, short: Order, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    begin(short, engine)
    engine.at_oci({"CUP": 1})
    with monkeypatch.context() as patched:
        patched.setattr(f"reconciliation.remedies.swap.{step}", die)
        with pytest.raises(Death):
            finish(engine)
    engine.clock.go(61)
    assert finish(engine) == 1
    ended = Replacement.objects.get()
    assert (ended.state, ended.offered_quantity) == ("refused", D(1))
    assert engine.held() == {"MUG": D(1)}
    assert ato("CUP") == (D(1), D(0))


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_while_oci_is_away_nothing_is_begun(engine: Engine, short: Order, state: str) -> None:
    assert remedies.why_oci_is_away() == ""
    set_connection(state)
    before = rows()
    with pytest.raises(remedies.OciAway, match="cannot be called at the moment") as away:
        begin(short, engine)
    assert remedies.why_oci_is_away() == away.value.detail
    assert rows() == before


def test_what_is_begun_when_oci_is_lost_is_finished_when_it_is_back(
    engine: Engine, short: Order
) -> None:
    begin(short, engine)
    engine.oci.fault("down")
    assert finish(engine) == 0
    set_connection("OFFLINE")
    assert finish(engine) == 0
    assert Replacement.objects.get().state == "reserving"
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert finish(engine) == 1
    assert_replaced(short, engine)


def test_a_begun_one_goes_with_its_cancelled_order(engine: Engine, short: Order) -> None:
    begin(short, engine)
    release.cancel_order(order_id=short.pk, actor=MIA, reason="r", now=engine.clock())
    release.finish_cancellations(clock=engine.clock)
    assert finish(engine) == 0
    assert Replacement.objects.get().state == "cancelled"
    assert (engine.held(), ato("CUP")) == ({}, (D(5), D(0)))


def _others_wait(engine: Engine, order: Order) -> None:
    engine.capture(order.site, "B1", [("CUP", 1)])


def _figure_lags(engine: Engine, order: Order) -> None:
    record = InventoryRecord.objects.get(sku="CUP")
    hold = Hold.objects.create(order=order, record=record, quantity=D(1), state="answered")
    Movement.objects.create(
        record=record,
        reason="captured",
        hold=hold,
        ato_change=-1,
        held_change=1,
        at=engine.clock(),
    )
    InventoryRecord.objects.filter(pk=record.pk).update(ato=D(4), held=D(1))


def _not_counted(engine: Engine, order: Order) -> None:
    engine.at_oci({"MUG": 3})
    engine.oci.fault("drop", operations=["put"])
    engine.reconcile(Scope.ORDERS, orders=[order.pk])
    engine.oci.fault("none")
    set_connection("ONLINE")


def _short_itself(engine: Engine, order: Order) -> None:
    item = OrderItem.objects.get(order=order)
    item.pk, item.position, item.item_id, item.sku = None, 7, "item-7", "CUP"
    item.reserved_quantity = D(0)
    item.save(force_insert=True)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_others_wait, "Other orders wait for CUP. They are served first."),
        (_figure_lags, "OCI's figure of CUP does not count this order's earlier units yet"),
        (_not_counted, "the answer is not counted yet"),
        (_short_itself, "The order is short of CUP itself."),
    ],
)
def test_what_hinders_it_is_said_before_and_refused(
    engine: Engine,
    short: Order,
    prepare: Callable[[Engine, Order], None],
    words: str,
    django_assert_max_num_queries: Any,
) -> None:
    def hindrances() -> dict[int, str]:
        return remedies.hindrances([short.pk], inventory_list_id="web", sku="CUP")

    with django_assert_max_num_queries(6):
        assert hindrances() == {}
    prepare(engine, short)
    before = rows()
    said = hindrances()[short.pk]
    assert words in said
    with pytest.raises(CannotReplace) as refused:
        begin(short, engine)
    assert refused.value.detail == said
    assert rows() == before
    engine.keeps_promises = prepare not in (_short_itself, _figure_lags)


def test_too_little_ato_is_refused_with_the_figures(engine: Engine, short: Order) -> None:
    InventoryRecord.objects.filter(sku="CUP").update(snapshot_ato=D(1), ato=D(1))
    Movement.objects.filter(record__sku="CUP").update(ato_change=D(1))
    before = rows()
    with pytest.raises(ReplacementShort, match="1 of CUP are available"):
        begin(short, engine)
    assert rows() == before


# Finishing many


@pytest.fixture
def many(engine: Engine) -> list[Order]:
    """Three orders of 2 MUG, of which OCI had 1 each; 2 CUP are begun for each of 9."""
    site = engine.site({"MUG": 9, "CUP": 9})
    orders = [engine.capture(site, f"A{number}", [("MUG", 2)]) for number in range(3)]
    engine.at_oci({"MUG": 0})
    engine.reconcile()
    for order in orders:
        begin(order, engine)
    return orders


def states() -> list[str]:
    return list(Replacement.objects.order_by("pk").values_list("state", flat=True))


def test_what_another_worker_has_ended_is_not_asked_for_again(
    engine: Engine, many: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_claim, between = outcomes.take_claim, iter([True])

    def other_first(**arguments: Any) -> bool:
        if next(between, False):
            assert finish(engine) == 3
        return take_claim(**arguments)

    monkeypatch.setattr(outcomes, "take_claim", other_first)
    asked = len(engine.oci.requests())
    assert finish(engine) == 0
    assert states() == ["done"] * 3
    assert len(engine.oci.requests()) == asked + 3
    assert not Order.objects.exclude(claim="").exists()


def test_a_worker_stops_when_its_time_is_over_and_goes_on_later(
    engine: Engine, many: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = swap._complete

    def slowly(*args: Any, **more: Any) -> Any:
        engine.clock.go(8)
        return complete(*args, **more)

    monkeypatch.setattr(swap, "_complete", slowly)
    budget = timedelta(seconds=10)
    assert remedies.finish_replacements(clock=engine.clock, budget=budget) == 2
    assert states() == ["done", "done", "reserving"]
    assert remedies.finish_replacements(clock=engine.clock, budget=budget) == 1


@pytest.mark.parametrize(("ended", "left", "wakes"), [(2, True, 1), (0, True, 0), (3, False, 0)])
@pytest.mark.parametrize(
    ("task", "under_way"),
    [
        ("finish_replacements", "has_open_replacements"),
        ("finish_adjustments", "has_open_adjustments"),
    ],
)
def test_the_task_wakes_itself_while_it_gets_on(
    monkeypatch: pytest.MonkeyPatch, task: str, under_way: str, ended: int, left: bool, wakes: int
) -> None:
    woken: list[str] = []
    monkeypatch.setattr(tasks.remedies, task, lambda **_: ended)
    monkeypatch.setattr(tasks.remedies, under_way, lambda: left)
    monkeypatch.setattr(tasks.enqueue, "soon", woken.append)
    getattr(tasks, task)()
    assert woken == [task] * wakes


def test_a_task_that_the_version_before_has_queued_is_found() -> None:
    assert import_string("reconciliation.tasks.finish_rearrangements") is tasks.finish_adjustments


def test_one_that_was_asked_for_lately_lets_the_others_pass(
    engine: Engine, many: list[Order]
) -> None:
    def finish_one() -> tuple[int, list[str]]:
        return remedies.finish_replacements(clock=engine.clock, limit=1), states()

    engine.oci.fault("drop", operations=["put"])
    assert finish_one() == (0, ["reserving", "reserving", "reserving"])
    engine.oci.fault("none")
    assert finish_one() == (1, ["reserving", "done", "reserving"])
    engine.clock.go(61)
    # A minute later it is the oldest again.
    assert finish_one() == (1, ["done", "done", "reserving"])
    assert finish_one() == (1, ["done", "done", "done"])


def test_one_that_resists_does_not_keep_the_others_waiting(
    engine: Engine, many: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = swap._complete
    first = Replacement.objects.earliest("pk")

    def resist(kind: Any, replacement: Replacement, **more: Any) -> Any:
        if replacement.pk == first.pk:
            raise LedgerChanged
        return complete(kind, replacement, **more)

    with monkeypatch.context() as patched:
        patched.setattr(swap, "_complete", resist)
        assert finish(engine) == 2
    assert states() == ["reserving", "done", "done"]
    assert finish(engine) == 1


def test_without_figures_it_is_given_back_all_the_same(engine: Engine, many: list[Order]) -> None:
    engine.at_oci({"CUP": 0})
    engine.oci.fault("5xx", operations=["availability"])
    assert finish(engine) == 3
    engine.oci.fault("none")
    set_connection("ONLINE")
    assert states() == ["refused"] * 3
    assert engine.held() == {}
    assert ato("CUP") == (D(9), D(0))


def test_begin_tries_again_when_the_stock_is_changed_beside_it(
    engine: Engine, short: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(**_: Any) -> Any:
        raise LedgerChanged

    before = rows()
    with monkeypatch.context() as patched:
        patched.setattr(replace.replacements, "begin", changed)
        with pytest.raises(LedgerChanged):
            begin(short, engine)
    assert rows() == before
