"""A process dies anywhere between an act and its message: no message is lost, none is premature.

`MortalClock` ends the process at the n-th time it reads the clock: before the act, while OCI is
called, between the act and the message, and before the message is handed over.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from orders import cancellation, privacy
from orders.actors import person
from orders.errors import OrderRefused
from orders.models import (
    CustomerMessage,
    InventoryRecord,
    Order,
    OrderItem,
    Replacement,
    Site,
)
from orders.replacement_parts import Besides
from reconciliation import remedies
from reconciliation.decisions import decide as decisions
from reconciliation.decisions import outlook, single_sending
from reconciliation.decisions.decide import Decided, Decision, Letter
from reconciliation.decisions.proposals import Remedy
from reconciliation.maintenance import sweep
from tests.engine import MIA, D, Engine, kinds, set_connection
from tests.factories import Clock

pytestmark = pytest.mark.django_db

OTTO = person("otto")
# More than any decision reads the clock.
MOST_READS = 40


class MortalClock:
    """A clock whose process ends when it is read for the n-th time."""

    def __init__(self, clock: Clock, *, dies_at: int, end: Callable[[], object]) -> None:
        self._clock, self._left, self._end = clock, dies_at, end

    def __call__(self) -> Any:
        self._left -= 1
        if self._left == 0:
            self._end()
        return self._clock()


def exits() -> None:
    raise SystemExit


@dataclass
class Act:
    """One decision about a short order, as a browser sends it, with the message."""

    engine: Engine
    order: Order
    remedy: Remedy
    letter: Letter
    seen: str
    units: dict[int, Any]
    besides: tuple[Besides, ...] = ()

    def __call__(self, clock: Callable[[], Any], **more: Any) -> Decided:
        values: dict[str, Any] = {
            "order_id": self.order.pk,
            "decision": Decision(
                self.remedy, self.units, sku="CUP", reference="PO-1", besides=self.besides
            ),
            "letter": self.letter,
            "seen": self.seen,
            "actor": MIA,
            "reason": "Sold out.",
            "clock": clock,
        }
        return decisions.decide(**(values | more))

    def is_done(self) -> bool:
        self.order.refresh_from_db()
        return bool(self.order.resolution)

    def mails(self) -> int:
        return sum(one.subject == self.letter.values["subject"] for one in mail.outbox)


def letter_of(order: Order, kind: str = "") -> Letter:
    return Letter(
        token=uuid.uuid4(),
        values={
            "kind": kind,
            "recipient": "ada@example.test",
            "subject": f"Order {order.order_no}",
            "body": "Dear Ada",
        },
        by_email=True,
        by_webhook=False,
    )


def short_order(engine: Engine, order_no: str) -> Order:
    """Return an order of 3 MUG of which OCI has 1; the ledger counts 900 CUP."""
    if not Order.objects.exists():
        engine.site({"MUG": 900, "CUP": 900})
    engine.at_oci({"MUG": engine.held().get("MUG", D(0)) + 1})
    order = engine.capture(Site.objects.get(), order_no, [("MUG", 3)])
    engine.reconcile()
    order.refresh_from_db()
    return order


def without_answer(engine: Engine, act: Act, **more: Any) -> Decided:
    """Do a decision while OCI drops the connection; afterwards it answers again."""
    engine.oci.fault("drop", operations=["put"])
    done = act(engine.clock, **more)
    engine.oci.fault("none")
    set_connection("ONLINE")
    return done


def act_of(engine: Engine, remedy: Remedy, order_no: str) -> Act:
    order = short_order(engine, order_no)
    items = list(OrderItem.objects.filter(order=order).order_by("position"))
    with_items = remedy in (Remedy.REPLACE, Remedy.CANCEL_ITEMS)
    return Act(
        engine=engine,
        order=order,
        remedy=remedy,
        letter=letter_of(order),
        seen=outlook.mark_of(order, items),
        units={item.pk: item.open_quantity for item in items} if with_items else {},
    )


def workers(engine: Engine) -> None:
    """Let everything run that finishes what a death left."""
    engine.clock.go(120)
    sweep.sweep(clock=engine.clock)
    remedies.finish_replacements(clock=engine.clock)
    engine.clock.go(120)
    single_sending.send_left(clock=engine.clock)


def die_at_each_read(
    engine: Engine,
    remedy: Remedy,
    then: Callable[[Act, bool], object],
    make: Callable[[Engine, Remedy, str], Act] = act_of,
) -> set[tuple[bool, int]]:
    """Do a decision again and again, each on an order of its own, dying one read later each time.

    Returns which pairs came of it: whether the act was done, and how many e-mails were sent.
    """
    came_to = set()
    for read in range(1, MOST_READS):
        act = make(engine, remedy, f"A{read}")
        died = False
        try:
            act(MortalClock(engine.clock, dies_at=read, end=exits))
        except SystemExit:
            died = True
        except OrderRefused:
            pass
        before = act.mails()
        workers(engine)
        then(act, died)
        came_to.add((act.is_done(), act.mails()))
        assert before <= act.mails()
        if not died:
            return came_to
    raise AssertionError("The clock is read more often than this test assumes.")


@pytest.mark.parametrize(
    "remedy", [Remedy.REPLACE, Remedy.CANCEL_ITEMS, Remedy.CANCEL_ORDER, Remedy.SETTLE]
)
def test_wherever_the_process_dies_the_message_is_sent_if_and_only_if_the_act_is_done(
    engine: Engine, remedy: Remedy
) -> None:
    deaths: list[bool] = []

    def check(act: Act, died: bool) -> None:
        deaths.append(died)
        assert act.mails() == act.is_done(), (len(deaths), kinds(act.order))
        if died and not act.is_done():
            # The person sends the same form again.
            act(engine.clock)
            workers(engine)
        assert (act.is_done(), act.mails()) == (True, 1)
        # And once more: nothing is sent twice.
        act(engine.clock)
        assert act.mails() == 1

    die_at_each_read(engine, remedy, check)
    assert deaths.count(True) >= 2
    assert not CustomerMessage.objects.exclude(email="sent").exists()


def test_wherever_the_process_dies_nobody_is_told_of_a_replacement_that_oci_refused(
    engine: Engine,
) -> None:
    short_order(engine, "A0")
    engine.at_oci({"CUP": 0})

    def check(act: Act, died: bool) -> None:
        assert not CustomerMessage.objects.filter(order=act.order).exists()
        # OCI's figure has set ATO to zero; let the next one get as far.
        InventoryRecord.objects.filter(sku="CUP").update(snapshot_ato=D(900), ato=D(900))

    engine.keeps_promises = False
    assert die_at_each_read(engine, Remedy.REPLACE, check) == {(False, 0)}
    assert mail.outbox == []
    assert Replacement.objects.filter(state="refused").exists()


def test_a_message_waits_while_oci_has_not_answered(engine: Engine) -> None:
    act = act_of(engine, Remedy.REPLACE, "A1")
    done = without_answer(engine, act)
    assert done.replacement is not None
    assert done.message is not None
    assert (done.replacement.state, done.message.email) == ("reserving", "waiting")
    # A second click finds it.
    assert act(engine.clock).message == done.message
    # Nobody sends it before the act, however old it is.
    single_sending.send_left(clock=lambda: engine.clock() + timedelta(hours=30))
    assert mail.outbox == []
    engine.clock.go(25 * 3600)
    workers(engine)
    message = CustomerMessage.objects.get()
    assert (message.email, act.is_done(), act.mails()) == ("sent", True, 1)


@pytest.mark.parametrize("end", ["cancel", "erase"])
def test_a_waiting_message_goes_with_its_order(engine: Engine, end: str) -> None:
    act = act_of(engine, Remedy.REPLACE, "A1")
    without_answer(engine, act)
    assert CustomerMessage.objects.get().email == "waiting"
    common: dict[str, Any] = {"actor": MIA, "reason": "Gone.", "now": engine.clock()}
    if end == "cancel":
        cancellation.request_cancellation(order_id=act.order.pk, **common)
    else:
        privacy.erase(order_ids=[act.order.pk], **common)
    assert not CustomerMessage.objects.exists()
    workers(engine)
    assert mail.outbox == []


def test_only_who_began_a_replacement_can_tell_of_it_and_once(engine: Engine) -> None:
    act = act_of(engine, Remedy.REPLACE, "A1")
    silent = without_answer(engine, act, letter=None)
    assert (silent.message, CustomerMessage.objects.count()) == (None, 0)
    with pytest.raises(OrderRefused):
        act(engine.clock, actor=OTTO)
    assert not CustomerMessage.objects.exists()
    told = act(engine.clock).message
    assert told is not None
    assert told.email == "waiting"
    # The form in another tab of the same browser.
    assert act(engine.clock, letter=letter_of(act.order)).message is None
    workers(engine)
    act(engine.clock, letter=letter_of(act.order))
    assert (act.is_done(), act.mails()) == (True, 1)


def test_a_stale_page_replaces_nothing(engine: Engine) -> None:
    act = act_of(engine, Remedy.REPLACE, "A1")
    with pytest.raises(OrderRefused):
        act(engine.clock, seen="0" * 16)
    assert not Replacement.objects.exists()
    assert not CustomerMessage.objects.exists()
