"""A process dies anywhere in a bulk remedy or a question: no message is lost, none is premature."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import transaction
from django.utils import translation

from orders.errors import OrderRefused
from orders.models import (
    Ask,
    CustomerMessage,
    InventoryRecord,
    MessageRoute,
    Order,
    OrderItem,
)
from reconciliation import message_handover, remedies
from reconciliation.decisions import (
    bulk_letters,
    bulk_sending,
    outlook,
    questions,
    single_sending,
)
from reconciliation.models import BulkKind, BulkRemedy
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.ask_plans import offer_data
from reconciliation.remedies.bulk.plans import plan
from reconciliation.remedies.bulk.replace_plans import ReplaceChoice
from tests.coc_admin.console import scene
from tests.engine import MIA, D, Engine
from tests.reconciliation.decisions.test_act_and_tell import (
    MOST_READS,
    MortalClock,
    exits,
    letter_of,
    short_order,
)

pytestmark = pytest.mark.django_db


def confirmed(engine: Engine, kind: BulkKind, order: Order) -> BulkRemedy:
    """Return a remedy for an order whose customer is to be told, confirmed and not yet begun."""
    user = User.objects.filter(username="mia").first()
    user = user or scene.make_user("mia", *scene.MERCHANDISER)
    now = engine.clock()
    made = execution.draft(user=user, kind=kind, order_ids=[order.pk], now=now)
    choice = None
    if kind == BulkKind.ASK:
        offer = offer_data(order.items.get(), sku="CUP", name="Cup", price=D("7.50"))
        made.lines.update(offer=offer)
    if kind == BulkKind.REPLACE:
        choice = ReplaceChoice("web", order.currency, "MUG", "CUP", D("7.50"))
        choice.put_into(made)
    planned = plan(made, now=now)
    letters = bulk_letters.preview(made, planned, now=now)
    assert letters is not None
    with transaction.atomic():
        execution.confirm(
            bulk_id=made.pk,
            seen={one.order.pk: one.mark for one in planned},
            reason="Sold out.",
            reference="PO-1",
            choice=choice,
            now=now,
        )
        assert bulk_letters.request(made, seen=letters.mark) == 1
    made.refresh_from_db()
    return made


def work(clock: Any) -> None:
    remedies.finish_replacements(clock=clock)
    bulk_sending.send_due(clock=clock)
    single_sending.send_left(clock=clock)


def outcome(order: Order) -> tuple[bool, int]:
    """Return whether the remedy or question was done, and how many e-mails the customer got."""
    order.refresh_from_db()
    mails = sum(order.order_no in one.subject.split() for one in mail.outbox)
    return bool(order.resolution) or Ask.objects.filter(order=order).exists(), mails


@pytest.mark.parametrize("kind", sorted(bulk_letters.KINDS))
def test_wherever_a_worker_dies_each_customer_is_told_once(engine: Engine, kind: BulkKind) -> None:
    for read in range(1, MOST_READS):
        order = short_order(engine, f"A{read}")
        made = confirmed(engine, kind, order)
        bulk_letters.resume(bulk=made, actor=MIA, now=engine.clock())
        died = False
        try:
            work(MortalClock(engine.clock, dies_at=read, end=exits))
        except SystemExit:
            died = True
        for _ in range(2):
            engine.clock.go(120)
            work(engine.clock)
        assert outcome(order) == (True, 1), read
        if not died:
            return
    raise AssertionError("The clock is read more often than this test assumes.")


@pytest.mark.parametrize("worker", ["en", "de"])
@pytest.mark.parametrize("kind", sorted(bulk_letters.KINDS))
def test_a_worker_writes_in_the_language_that_the_person_saw(
    engine: Engine, kind: BulkKind, worker: str
) -> None:
    order = short_order(engine, "A1")
    MessageRoute.objects.create(site=order.site, language="de")
    made = confirmed(engine, kind, order)
    with translation.override(worker):
        bulk_letters.resume(bulk=made, actor=MIA, now=engine.clock())
        # Chosen after the confirmation: the text stays as it was seen, and so does its language.
        MessageRoute.objects.update(language="en")
        work(engine.clock)
    (message,) = mail.outbox
    body = str(message.body)
    assert body.startswith("Guten Tag ")
    assert ("anstelle von" in body) == (kind in (BulkKind.REPLACE, BulkKind.ASK))
    assert "instead of" not in body


def test_nobody_is_told_of_a_bulk_replacement_that_oci_refused(engine: Engine) -> None:
    engine.keeps_promises = False
    for read in range(1, MOST_READS):
        order = short_order(engine, f"A{read}")
        engine.at_oci({"CUP": 0})
        InventoryRecord.objects.filter(sku="CUP").update(snapshot_ato=D(900), ato=D(900))
        made = confirmed(engine, BulkKind.REPLACE, order)
        bulk_letters.resume(bulk=made, actor=MIA, now=engine.clock())
        died = False
        try:
            work(MortalClock(engine.clock, dies_at=read, end=exits))
        except SystemExit:
            died = True
        for _ in range(2):
            engine.clock.go(120)
            work(engine.clock)
        assert outcome(order) == (False, 0)
        assert made.lines.get().letter == "not_done"
        if not died:
            return
    raise AssertionError("The clock is read more often than this test assumes.")


@pytest.mark.parametrize("kind", sorted(set(bulk_letters.KINDS) - {BulkKind.REPLACE}))
@pytest.mark.parametrize("has_written", [False, True])
def test_a_click_that_dies_at_the_message_has_done_nothing(
    engine: Engine, kind: BulkKind, has_written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = short_order(engine, "A1")
    made = confirmed(engine, kind, order)
    write = message_handover.write

    def dies(**arguments: Any) -> Any:
        if has_written:
            write(**arguments)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(message_handover, "write", dies)
        with pytest.raises(SystemExit):
            bulk_letters.resume(bulk=made, actor=MIA, now=engine.clock())
    work(engine.clock)
    assert outcome(order) == (False, 0)
    assert not CustomerMessage.objects.exists()
    bulk_letters.resume(bulk=made, actor=MIA, now=engine.clock())
    work(engine.clock)
    assert outcome(order) == (True, 1)


def test_wherever_the_process_dies_a_question_is_stored_and_sent_or_neither(
    engine: Engine,
) -> None:
    for read in range(1, MOST_READS):
        order = short_order(engine, f"A{read}")
        items = OrderItem.objects.filter(order=order).order_by("position")
        values: dict[str, Any] = {
            "order_id": order.pk,
            "letter": letter_of(order),
            "seen": outlook.mark_of(order, items),
            "actor": MIA,
            "wanted": questions.Wanted(
                units=None,
                sku="",
                unit_price=None,
                wait_until=engine.clock() + timedelta(days=5),
                due_at=engine.clock() + timedelta(days=2),
            ),
        }
        died = False
        try:
            questions.ask(**values, clock=MortalClock(engine.clock, dies_at=read, end=exits))
        except SystemExit:
            died = True
        engine.clock.go(120)
        single_sending.send_left(clock=engine.clock)
        asked = Ask.objects.filter(order=order).count()
        mails = sum(one.subject == f"Order {order.order_no}" for one in mail.outbox)
        assert asked == mails, read
        if not died:
            assert mails == 1
            # A form that was refused sends nothing.
            with pytest.raises(OrderRefused):
                questions.ask(**values | {"letter": letter_of(order)}, clock=engine.clock)
            assert len(mail.outbox) == Ask.objects.count()
            return
    raise AssertionError("The clock is read more often than this test assumes.")
