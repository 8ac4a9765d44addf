"""What ends an open ask beside a person's answer: each remedy, and a reservation of everything."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.core import mail

from orders import asks
from orders.errors import CannotRemedy
from orders.models import Ask, CustomerMessage, HandOver, Order, OrderItem, ReservationState
from reconciliation import message_handover, remedies
from reconciliation.decisions.decide import Letter
from reconciliation.decisions.outlook import mark_of
from reconciliation.decisions.questions import Wanted, ask
from reconciliation.models import Scope
from reconciliation.reservation import release
from tests.engine import MIA, D, Engine, kinds
from tests.reconciliation.remedies.adjustments import Death

pytestmark = pytest.mark.django_db


@pytest.fixture
def short(engine: Engine) -> Order:
    """An order of 3 MUG of which OCI had 1."""
    site = engine.site({"MUG": 10, "CUP": 10})
    order = engine.capture(site, "A1", [("MUG", 3)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    order.refresh_from_db()
    assert order.reservation_state == ReservationState.PARTIAL
    return order


def ask_about(order: Order, engine: Engine) -> Ask:
    now = engine.clock()
    values = {"recipient": "ada@example.test", "subject": "A question", "body": "Would you?"}
    items = OrderItem.objects.filter(order=order).order_by("position")
    return ask(
        order_id=order.pk,
        wanted=Wanted(None, "", None, now + timedelta(days=9), now + timedelta(days=2)),
        letter=Letter(uuid.uuid4(), values, by_email=True, by_webhook=False),
        seen=mark_of(Order.objects.get(pk=order.pk), items),
        actor=MIA,
        clock=engine.clock,
    )


def answer() -> str:
    return Ask.objects.get().answer


def test_a_replacement_withdraws_it_when_it_begins(engine: Engine, short: Order) -> None:
    ask_about(short, engine)
    engine.oci.fault("drop", operations=["put"])
    item = OrderItem.objects.get(order=short)
    engine.replace(item, "CUP", units=D(2))
    assert Order.objects.get(pk=short.pk).open_remedy == "replacement"
    assert answer() == "withdrawn"
    assert kinds(short)[-3:] == ["asked", "ask_ended", "replacing"]


def test_a_part_reserved_again_keeps_it_and_all_of_it_ends_it(engine: Engine, short: Order) -> None:
    ask_about(short, engine)
    engine.at_oci({"MUG": 1})
    engine.reconcile(Scope.OVERSOLD)
    assert answer() == "waiting"
    engine.at_oci({"MUG": 10})
    engine.reconcile(Scope.OVERSOLD)
    short.refresh_from_db()
    assert short.reservation_state == ReservationState.COMPLETE
    assert answer() == "withdrawn"
    assert kinds(short)[-2:] == ["ask_ended", "resolved"]


def test_cancelling_withdraws_it(engine: Engine, short: Order) -> None:
    ask_about(short, engine)
    release.cancel_order(order_id=short.pk, actor=MIA, reason="r", now=engine.clock())
    assert answer() == "withdrawn"


def test_a_refused_remedy_leaves_it_open(engine: Engine, short: Order) -> None:
    ask_about(short, engine)
    item = OrderItem.objects.get(order=short)
    with pytest.raises(CannotRemedy):
        remedies.cancel_short(
            order_id=short.pk, units={item.pk: D(1)}, actor=MIA, reason="r", now=engine.clock()
        )
    assert answer() == "waiting"


def test_a_process_that_dies_before_sending_leaves_the_order_in_the_list(
    engine: Engine, short: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: object, **kwargs: object) -> None:
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(message_handover, "hand_over", die)
        with pytest.raises(Death):
            ask_about(short, engine)
    message = CustomerMessage.objects.get()
    assert (message.email, answer(), mail.outbox) == (HandOver.PENDING, "waiting", [])
    assert not asks.waiting(engine.clock()).exists()
    # A person sends it again; it is sent once.
    for _ in range(2):
        message_handover.hand_over(message, clock=engine.clock)
    assert len(mail.outbox) == 1
    assert asks.waiting(engine.clock()).get().order == short
