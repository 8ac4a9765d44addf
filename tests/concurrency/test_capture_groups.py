"""Orders that share a transaction: each is answered for itself, and nobody waits for a dead one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, connections

from orders.actors import job
from orders.capture import Ask, CaptureBusy, Captured, capture_orders
from orders.capture.core import Answer
from orders.capture.group import Group
from orders.errors import OrderRefused
from orders.models import (
    CaptureTrace,
    Hold,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.payload import parse_order
from tests.concurrency.together import at_once, barrier, wait_until
from tests.factories import make_site
from tests.orders.payloads import raw_order

pytestmark = pytest.mark.django_db(transaction=True)

T0 = datetime(2026, 2, 2, 12, tzinfo=UTC)


@pytest.fixture
def site() -> Site:
    return make_site(stock={"HOT": 5, "WARM": 900})


def ask(site: Site, number: str, items: list[tuple[str, float]]) -> Ask:
    placed = parse_order(raw_order(number, items), site=site)
    return Ask(placed, site, None, "OCI is away.", None, job("rush"), T0)


class Gathered:
    """A group that delays its first transaction until this many more orders are queued."""

    def __init__(self, behind: int, capture: Callable[..., list[Answer]] = capture_orders) -> None:
        self.sizes: list[int] = []
        self._behind = behind
        self._real = capture
        self.group = Group(self._capture)

    def _capture(self, asks: Sequence[Ask]) -> list[Answer]:
        if not self.sizes:
            wait_until(lambda: len(self.group._queue) >= self._behind)
        self.sizes.append(len(asks))
        return self._real(asks)

    def place(self, one: Ask) -> str:
        try:
            return "sold" if self.group.capture(one, patience=None).created else "same"
        except OrderRefused as refused:
            return refused.type
        except (IntegrityError, OperationalError, CaptureBusy) as error:
            return type(error).__name__


def counts() -> list[int]:
    models: tuple[Any, ...] = (Order, OrderItem, OrderPayload, OrderEvent, Hold, CaptureTrace)
    captured = Movement.objects.filter(reason="captured")
    return [*(model.objects.count() for model in models), captured.count()]


def ledger_adds_up() -> bool:
    return all(
        record.held == sum((h.quantity for h in record.holds.all()), Decimal(0))
        and record.ato == record.snapshot_ato - record.held >= 0
        for record in InventoryRecord.objects.exclude(snapshot_ato=None)
    )


def test_orders_that_come_meanwhile_share_a_transaction(site: Site) -> None:
    gathered = Gathered(behind=19)
    results = at_once(20, lambda n: gathered.place(ask(site, f"g{n}", [("WARM", 1)])))
    assert results == ["sold"] * 20
    assert gathered.sizes == [1, 19]
    assert counts() == [20] * 7
    assert ledger_adds_up()


def test_a_group_sells_no_more_than_there_is(site: Site) -> None:
    gathered = Gathered(behind=19)
    results = at_once(20, lambda n: gathered.place(ask(site, f"g{n}", [("HOT", 1)])))
    assert results == ["short-on-stock"] * 15 + ["sold"] * 5
    assert InventoryRecord.objects.get(sku="HOT").ato == 0
    assert ledger_adds_up()


def test_a_bad_order_harms_none_of_its_group(site: Site) -> None:
    bad = ask(site, "bad", [("WARM", 1)])
    bad = replace(bad, placed=replace(bad.placed, order_total=Decimal(-1)))
    gathered = Gathered(behind=9)
    results = at_once(
        10, lambda n: gathered.place(bad if n == 4 else ask(site, f"g{n}", [("WARM", 1)]))
    )
    assert sorted(results) == ["IntegrityError"] + ["sold"] * 9
    assert counts() == [9] * 7
    assert ledger_adds_up()


def test_two_groups_of_opposite_order_on_one_hot_sku_do_not_deadlock(site: Site) -> None:
    """As two web processes do: each has a group, and they share the database alone."""
    groups = [Group(), Group()]

    def act(n: int) -> str:
        items = [("HOT", 0.5), ("WARM", 1)]
        one = ask(site, f"p{n}", items if n % 2 else items[::-1])
        try:
            groups[n % 2].capture(one, patience=0.05)
        except OrderRefused as refused:
            return refused.type
        return "sold"

    results = at_once(24, act)
    assert results == ["short-on-stock"] * 14 + ["sold"] * 10
    assert InventoryRecord.objects.get(sku="HOT").ato == 0
    assert ledger_adds_up()


def test_control_a_record_that_is_not_locked_is_sold_twice_or_noticed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exists to show that the test above can fail: stock is read before anybody has written."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one lock, taken when the transaction begins")
    from orders.capture import statements as storing
    from orders.ledger import statements

    unlocked = statements.LOCK_POSTGRESQL.replace("FOR NO KEY UPDATE OF r", "")
    monkeypatch.setattr(statements, "LOCK_POSTGRESQL", unlocked)
    careless = storing.INSERT_POSTGRESQL.replace(
        "AND r.ato = t.was_ato AND r.held = t.was_held", ""
    )
    assert careless != storing.INSERT_POSTGRESQL
    monkeypatch.setattr(storing, "INSERT_POSTGRESQL", careless)
    read = barrier(8)
    real = statements.locked_records

    def locked_records(keys: Any) -> Any:
        rows = real(keys)
        read.wait()
        return rows

    monkeypatch.setattr(statements, "locked_records", locked_records)

    def act(n: int) -> str:
        try:
            capture_orders([ask(site, f"c{n}", [("HOT", 1)])])
        except IntegrityError:
            return "noticed by the constraint"
        return "sold"

    results = at_once(8, act)
    # All eight read that there are five; only the table's constraint prevents more.
    assert "noticed by the constraint" in results


class Death(BaseException):
    """The thread, and with it its transaction, ends here."""


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return a function that lets the next transaction end before or after a step."""

    def arm(step: str, when: str) -> None:
        owner, name = {
            "lock": ("orders.ledger.statements", "locked_records"),
            "insert": ("orders.capture.statements", "insert"),
            "take": ("orders.capture.statements", "take"),
        }[step]
        module = __import__(owner, fromlist=[name])
        real, armed = getattr(module, name), [True]

        def step_of(*args: Any, **kwargs: Any) -> Any:
            if when == "before" and armed and armed.pop():
                raise Death
            result = real(*args, **kwargs)
            if when == "after" and armed and armed.pop():
                raise Death
            return result

        monkeypatch.setattr(module, name, step_of)

    return arm


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["lock", "insert", "take"])
def test_death_between_two_statements_keeps_nothing_of_the_group(
    site: Site, dies: Callable[[str, str], None], step: str, when: str
) -> None:
    if step == "take" and connection.vendor == "postgresql":
        pytest.skip("PostgreSQL takes stock in the statement that stores the orders")
    group = Group()
    real = group._capture

    first = [True]

    def capture(asks: Sequence[Ask]) -> list[Answer]:
        if first and first.pop():
            wait_until(lambda: len(group._queue) >= 5)
            answers = real(asks)
            dies(step, when)
            return answers
        return real(asks)

    group._capture = capture

    def place(n: int) -> str:
        number = "first" if n == 0 else f"d{n}"
        if n:
            wait_until(lambda: group._leaders > 0)
        try:
            return f"{group.capture(ask(site, number, [('WARM', 1)]), patience=None).created}"
        except OperationalError:
            return "not known"
        except Death:
            connections.close_all()
            return "dead"

    # Five share the transaction that dies: its leader and four who wait for it.
    assert at_once(6, place) == ["True", "dead", *["not known"] * 4]
    assert counts() == [1] * 7
    assert ledger_adds_up()
    # The lead was handed over: the same orders are taken now, each once.
    assert at_once(6, place_again(group, site)) == ["False", *["True"] * 5]
    assert counts() == [6] * 7
    assert ledger_adds_up()


def place_again(group: Group, site: Site) -> Callable[[int], str]:
    def place(n: int) -> str:
        number = "first" if n == 0 else f"d{n}"
        return f"{group.capture(ask(site, number, [('WARM', 1)]), patience=None).created}"

    return place


def test_a_full_queue_refuses_and_keeps_nothing(site: Site) -> None:
    gathered = Gathered(behind=2)
    gathered.group._room = 2
    late: list[str] = []

    def act(n: int) -> str:
        if n < 3:
            return gathered.place(ask(site, f"q{n}", [("WARM", 1)]))
        wait_until(lambda: len(gathered.group._queue) >= 2 or bool(gathered.sizes))
        return "came late"

    real = gathered._real

    def capture(asks: Sequence[Ask]) -> list[Answer]:
        if not late:
            late.append(gathered.place(ask(site, "full", [("WARM", 1)])))
        return real(asks)

    gathered._real = capture
    assert at_once(4, act) == ["came late", "sold", "sold", "sold"]
    assert late == ["CaptureBusy"]
    assert not Order.objects.filter(order_no="full").exists()
    assert counts() == [3] * 7


def test_the_same_order_twice_in_a_group_is_stored_once(site: Site) -> None:
    gathered = Gathered(behind=9)
    results = at_once(10, lambda _: gathered.place(ask(site, "same", [("HOT", 1)])))
    assert results == ["same"] * 9 + ["sold"]
    assert counts() == [1] * 7


def test_no_answer_comes_before_the_commit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = Group._answers

    def answers(self: Group, asks: list[Ask]) -> list[Any]:
        found = real(self, asks)
        # Another connection sees the answered orders.
        thread = threading.Thread(target=lambda: (seen.append(Order.objects.count()), close()))
        thread.start()
        thread.join()
        return found

    def close() -> None:
        connections.close_all()

    monkeypatch.setattr(Group, "_answers", answers)
    answer = Group().capture(ask(site, "one", [("HOT", 1)]), patience=None)
    assert isinstance(answer, Captured)
    assert seen == [1]
