"""Asking the customer first: nothing is decided, and the order waits outside the desk's list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from coc_admin.models import AuditEntry
from orders import asks, handover, privacy, promises, settlement
from orders.actors import job, person
from orders.errors import CannotRemedy
from orders.models import (
    Ask,
    AskAnswer,
    CustomerMessage,
    Hold,
    MessageKind,
    MessageRoute,
    MessageTemplate,
    Order,
    OrderEvent,
    Site,
)
from reconciliation import message_handover
from reconciliation.models import AttemptOutcome
from tests.coc_admin.console import scene
from tests.coc_admin.console.desk.test_decisions import form_of
from tests.coc_admin.console.desk.test_interrupted_messages import Died, dies, later, sends
from tests.coc_admin.console.scene import NOW, Scene
from tests.factories import know_stock

MIA = person("mia")


@pytest.fixture
def order(outage: Scene) -> Order:
    """An order with one short item, the oldest on the desk; ALIKE can replace it."""
    found = scene.place(outage.site, "0000012399", items=[("CUP-02", 2)], minutes_ago=70)
    scene.answer(outage.run, found, 0, outcome=AttemptOutcome.NOTHING)
    know_stock({"ALIKE": 50}, list_id="NorthShop-stock", at=NOW)
    found.refresh_from_db()
    return found


def context(client: Client, order: Order, query: str = "&sku_by=ALIKE") -> dict[str, Any]:
    panel: dict[str, Any] = client.get(f"/desk/?order={order.pk}{query}").context["panel"]
    return panel


def question(client: Client, order: Order, query: str = "&sku_by=ALIKE") -> dict[str, Any]:
    """Return what a browser sends of the question's form."""
    found = context(client, order, query)["question"]
    assert found is not None
    offer, fields = found["question"].offer, found["form"]
    form = {"decided": order.pk, "kind": "ask", "seen": found["seen"], "token": found["token"]}
    form |= {name: fields[name].value() for name in ("days", "subject", "body")}
    if found["wait"]:
        return form | {"wait": found["wait"]}
    return form | {"item": found["unit"], "sku": offer.sku, "unit_price": offer.unit_price or ""}


def post(client: Client, order: Order, form: dict[str, Any], query: str = "") -> Any:
    return client.post(f"/desk/?order={order.pk}{query}", form)


def answer(client: Client, order: Order, word: str, note: str = "") -> Any:
    ask = Ask.objects.latest("pk")
    form = {"decided": order.pk, "kind": "answer", "ask": ask.pk, "answer": word, "note": note}
    return post(client, order, form)


def listed(client: Client, query: str = "") -> list[int]:
    return [row.order.pk for row in client.get(f"/desk/{query}").context["rows"]]


def test_a_question_is_sent_and_decides_nothing(
    merchandiser: Client, order: Order, outage: Scene
) -> None:
    Site.objects.update(keeps_promises=True)
    before = Order.objects.values().get(pk=order.pk)
    holds = list(Hold.objects.values())
    place = promises.places_of([order.pk], now=NOW)
    assert place == {order.pk: {"CUP-02": 1}}
    form = question(merchandiser, order)
    ((_order, shown),) = context(merchandiser, order)["question"]["samples"]
    assert "while stocks last" in shown.body
    assert "ALIKE instead of" in shown.body
    assert "{" not in shown.subject + shown.body
    assert mail.outbox == []

    found = post(merchandiser, order, form, "&sku_by=ALIKE")
    ask = Ask.objects.select_related("message").get()
    told = f"/desk/?done={order.pk}&told={ask.message_id}&order={outage.partial.pk}"
    assert (found.status_code, found["Location"]) == (302, told)
    assert [(one.to, one.body) for one in mail.outbox] == [(["ada@example.test"], shown.body)]
    assert (ask.answer, ask.sku, ask.inventory_list_id) == ("waiting", "ALIKE", "NorthShop-stock")
    message = ask.message
    assert (message.kind, message.actor, message.email) == (MessageKind.ASK, "mia", "sent")
    assert ask.due_at - message.at == pytest.approx(timedelta(days=2), abs=timedelta(seconds=5))
    assert OrderEvent.objects.filter(order=order).latest("pk").kind == "asked"
    assert AuditEntry.objects.filter(action="customer.asked").count() == 1
    assert Order.objects.values().get(pk=order.pk) == before
    assert list(Hold.objects.values()) == holds
    assert promises.places_of([order.pk], now=NOW) == place
    assert Order.objects.oversold().filter(pk=order.pk).exists()

    # A second click sends nothing.
    assert post(merchandiser, order, form, "&sku_by=ALIKE").status_code == 302
    assert (len(mail.outbox), Ask.objects.count()) == (1, 1)


def test_an_order_that_waits_leaves_the_list_until_the_answer(
    merchandiser: Client, order: Order, outage: Scene
) -> None:
    post(merchandiser, order, question(merchandiser, order))
    others = [outage.partial.pk, outage.nothing.pk]
    assert listed(merchandiser) == others
    assert listed(merchandiser, "?asked=waiting") == [order.pk]
    assert listed(merchandiser, "?asked=any") == [order.pk, *others]
    page = merchandiser.get("/desk/").content.decode()
    assert "Waiting for the customer: 1 order" in page
    assert "Record the answer" in merchandiser.get(f"/orders/{order.pk}/").content.decode()
    assert context(merchandiser, order)["question"] is None
    # A delivery serves it as well.
    rows = merchandiser.get("/desk/skus/").context["rows"]
    assert [row.orders for row in rows if row.sku == "CUP-02"] == [3]

    found = answer(merchandiser, order, "declined", "Wants the blue one.")
    assert found["Location"] == f"/desk/?order={order.pk}"
    assert listed(merchandiser) == [order.pk, *others]
    ask = Ask.objects.get()
    assert (ask.answer, ask.answered_by, ask.note) == ("declined", "mia", "Wants the blue one.")
    event = OrderEvent.objects.filter(order=order).latest("pk")
    assert (event.kind, event.data) == ("ask_ended", {"answer": "declined"})
    assert "Wants the blue one." in merchandiser.get(found["Location"]).content.decode()
    # The same again changes nothing, another answer is refused.
    assert answer(merchandiser, order, "declined", "Wants the blue one.").status_code == 302
    assert answer(merchandiser, order, "accepted").status_code == 409
    assert Ask.objects.get().answer == "declined"


def test_it_comes_back_after_its_time(merchandiser: Client, order: Order) -> None:
    post(merchandiser, order, question(merchandiser, order) | {"days": "3"})
    ask = Ask.objects.get()
    assert asks.waiting(ask.due_at - timedelta(seconds=1)).exists()
    assert not asks.waiting(ask.due_at).exists()
    Ask.objects.update(due_at=timezone.now())
    assert order.pk in listed(merchandiser)
    assert context(merchandiser, order)["question"] is None
    assert "No answer yet" in merchandiser.get(f"/desk/?order={order.pk}").content.decode()


def test_an_accepted_offer_opens_its_replacement_at_its_price(
    merchandiser: Client, order: Order
) -> None:
    form = question(merchandiser, order) | {"unit_price": "7.25"}
    post(merchandiser, order, form)
    found = answer(merchandiser, order, "accepted")
    assert found["Location"] == f"/desk/?order={order.pk}&sku_by=ALIKE"
    # Whoever opens the order later finds the same.
    for query in ("&sku_by=ALIKE", ""):
        first = context(merchandiser, order, query)["options"][0]
        assert (first["option"].remedy, first["is_first"]) == ("replace", True)
        assert str(first["option"].replacing.unit_price) == "7.2500"
        assert first["option"].replacing.sku == "ALIKE"


def test_waiting_until_a_day_can_be_asked(merchandiser: Client, order: Order) -> None:
    day = (timezone.now() + timedelta(days=9)).date()
    form = question(merchandiser, order, f"&wait={day}")
    found = context(merchandiser, order, f"&wait={day}")
    ((_order, shown),) = found["question"]["samples"]
    assert "to deliver it by" in shown.body
    post(merchandiser, order, form, f"&wait={day}")
    ask = Ask.objects.get()
    assert (ask.sku, ask.item, ask.wait_until is not None) == ("", None, True)
    answer(merchandiser, order, "accepted")
    order.refresh_from_db()
    assert order.promised_until is None
    page = merchandiser.get(f"/desk/?order={order.pk}").content.decode()
    assert f"/orders/{order.pk}/promise/?until={day}" in page
    form_page = merchandiser.get(f"/orders/{order.pk}/promise/?until={day}").content.decode()
    assert f'value="{day}"' in form_page
    assert (
        "Use a day from today"
        in merchandiser.get(f"/desk/?order={order.pk}&wait=2020-01-01").content.decode()
    )


@pytest.mark.parametrize("kind", ["cancel_order", "settle", "cancel_items"])
def test_a_remedy_withdraws_the_question(
    merchandiser: Client, order: Order, outage: Scene, kind: str
) -> None:
    if kind == "cancel_items":
        order = outage.partial
    day = (timezone.now() + timedelta(days=9)).date()
    post(merchandiser, order, question(merchandiser, order, f"&wait={day}"), f"&wait={day}")
    form = form_of(merchandiser, order, kind, reference="PO-1")
    assert post(merchandiser, order, form).status_code == 302
    assert Ask.objects.get().answer == AskAnswer.WITHDRAWN
    kinds = list(OrderEvent.objects.filter(order=order).values_list("kind", flat=True))
    assert "ask_ended" in kinds
    # A second click of the remedy finds it done.
    count = OrderEvent.objects.filter(order=order).count()
    assert post(merchandiser, order, form).status_code == 302
    assert OrderEvent.objects.filter(order=order).count() == count


def test_an_order_opened_again_can_be_asked_again(merchandiser: Client, order: Order) -> None:
    post(merchandiser, order, question(merchandiser, order))
    settlement.settle_outside(
        order_id=order.pk, reference="PO-1", actor=MIA, reason="Bought.", now=NOW
    )
    settlement.reopen(order_id=order.pk, actor=MIA, reason="Not.", now=NOW)
    assert post(merchandiser, order, question(merchandiser, order)).status_code == 302
    assert list(Ask.objects.values_list("answer", flat=True)) == ["withdrawn", "waiting"]


def test_the_second_of_two_people_is_refused(merchandiser: Client, order: Order) -> None:
    first, second = (question(merchandiser, order) for _ in range(2))
    post(merchandiser, order, first)
    found = post(merchandiser, order, second | {"body": "My own words."}, "&sku_by=ALIKE")
    assert found.status_code == 409
    assert "Nothing was done." in found.content.decode()
    assert (len(mail.outbox), Ask.objects.count(), CustomerMessage.objects.count()) == (1, 1, 1)
    with pytest.raises(CannotRemedy, match="asked already"):
        asks.record(
            Order.objects.get(pk=order.pk),
            asks.Offer(wait_until=NOW + timedelta(days=3)),
            CustomerMessage.objects.create(order=order, subject="s", body="b", actor="x", at=NOW),
            due_at=NOW,
            actor=MIA,
            now=NOW,
        )


def test_a_question_that_was_not_sent_keeps_its_order_in_the_list(
    merchandiser: Client, order: Order, outage: Scene
) -> None:
    post(merchandiser, order, question(merchandiser, order))
    for state in ("failed", "pending"):
        CustomerMessage.objects.update(email=state)
        assert order.pk in listed(merchandiser)
    CustomerMessage.objects.update(email="sent")
    assert order.pk not in listed(merchandiser)


def test_a_question_that_has_ended_is_not_sent_any_more(merchandiser: Client, order: Order) -> None:
    form = question(merchandiser, order)
    post(merchandiser, order, form)
    message = CustomerMessage.objects.get()
    again = f"/orders/{order.pk}/message/{message.pk}/again/"
    for state, number in (("failed", 2), ("pending", 3)):
        CustomerMessage.objects.update(email=state, claimed_until=None)
        assert merchandiser.post(again).status_code == 302
        assert len(mail.outbox) == number
    answer(merchandiser, order, "withdrawn")
    CustomerMessage.objects.update(email="failed", claimed_until=None)
    assert "has ended" in merchandiser.post(again, follow=True).content.decode()
    CustomerMessage.objects.update(email="pending")
    assert post(merchandiser, order, form).status_code == 302
    assert len(mail.outbox) == 3


@pytest.mark.parametrize("is_over", [False, True], ids=["waiting", "withdrawn"])
def test_a_question_that_a_dead_process_left_is_sent_once_while_it_waits(
    merchandiser: Client, order: Order, monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    form = question(merchandiser, order)
    with monkeypatch.context() as patched:
        patched.setattr(message_handover, "hand_over", dies)
        with pytest.raises(Died):
            post(merchandiser, order, form)
    if is_over:
        answer(merchandiser, order, "withdrawn")
    assert [sends(later(2)), sends(later(2))] == [1, 0]
    message = CustomerMessage.objects.get()
    if is_over:
        why = "The question had ended before it was sent."
        assert (message.email, message.email_error, mail.outbox) == ("failed", why, [])
    else:
        assert (message.email, len(mail.outbox)) == ("sent", 1)


def test_the_hand_over_goes_on_and_the_page_says_when(merchandiser: Client, order: Order) -> None:
    due = timezone.now() + timedelta(minutes=40)
    Order.objects.filter(pk=order.pk).update(export_status="not_exported", export_due_at=due)
    page = merchandiser.get(f"/desk/?order={order.pk}&sku_by=ALIKE").content.decode()
    assert "Order management gets this order, answered or not, at" in page
    post(merchandiser, order, question(merchandiser, order))
    assert "answered or not" in merchandiser.get(f"/desk/?order={order.pk}").content.decode()
    assert handover.hand_over_due(actor=job("sweep"), now=due) == 1
    assert order.pk not in listed(merchandiser)
    # Once order management has it, nothing can be replaced: a person must see it.
    Order.objects.filter(pk=order.pk).update(export_status="exported")
    assert order.pk in listed(merchandiser)


def test_erasing_the_customer_erases_text_and_note(
    merchandiser: Client, order: Order, outage: Scene
) -> None:
    first, second = order, outage.partial
    post(merchandiser, first, question(merchandiser, first))
    answer(merchandiser, first, "declined", "Ada said no.")
    day = (timezone.now() + timedelta(days=9)).date()
    post(merchandiser, second, question(merchandiser, second, f"&wait={day}"), f"&wait={day}")
    privacy.erase(order_ids=[first.pk, second.pk], actor=MIA, reason="Asked.", now=NOW)
    assert set(Ask.objects.values_list("message__body", "note")) == {(privacy.ERASED, "")}
    assert sorted(Ask.objects.values_list("answer", flat=True)) == ["declined", "withdrawn"]
    assert not OrderEvent.objects.filter(reason__contains="Ada said").exists()


def test_template_and_refusals(merchandiser: Client, viewer: Client, order: Order) -> None:
    MessageTemplate.objects.create(
        kind="ask", subject="{orderNo}?", body="Hm: {offer}", changed_at=NOW, changed_by="x"
    )
    form = question(merchandiser, order)
    ((_order, shown),) = context(merchandiser, order)["question"]["samples"]
    assert shown.subject == f"{order.order_no}?"
    assert shown.body.startswith("Hm: ")
    assert viewer.post(f"/desk/?order={order.pk}", form).status_code == 403
    assert post(merchandiser, order, form | {"days": "31"}).status_code == 400
    assert post(merchandiser, order, form | {"body": ""}).status_code == 400
    assert post(merchandiser, order, form | {"sku": "NONE"}).status_code == 409
    route = MessageRoute.objects.create(site_id=order.site_id, email=False)
    assert post(merchandiser, order, form).status_code == 409
    assert "ask either" in merchandiser.get(f"/desk/?order={order.pk}").content.decode()
    assert (mail.outbox, Ask.objects.count(), CustomerMessage.objects.count()) == ([], 0, 0)
    route.delete()
    assert post(merchandiser, order, form).status_code == 302
    assert Ask.objects.count() == 1


def test_a_typed_text_is_refused_previewed_and_sent(merchandiser: Client, order: Order) -> None:
    text = "{customerName}: {offeredProduct} for {product}, until {deadline}?"
    form = question(merchandiser, order) | {"days": "4", "body": text}
    wrong = form | {"body": text + " {price}"}
    refused = post(merchandiser, order, wrong, "&sku_by=ALIKE")
    assert refused.status_code == 400
    assert "There is no placeholder {price}." in refused.content.decode()
    assert refused.context["panel"]["question"]["form"]["body"].value() == wrong["body"]
    assert refused.context["panel"]["question"]["samples"] == []

    shown = post(merchandiser, order, form | {"preview": "1"}, "&sku_by=ALIKE")
    ((_order, message),) = shown.context["panel"]["question"]["samples"]
    assert shown.status_code == 200
    assert message.body.startswith("Ada Reed: ALIKE for Stoneware CUP-02, until ")
    assert (mail.outbox, Ask.objects.count(), CustomerMessage.objects.count()) == ([], 0, 0)

    assert post(merchandiser, order, form, "&sku_by=ALIKE").status_code == 302
    assert [one.body for one in mail.outbox] == [message.body]
    assert timedelta(days=3, hours=23) < Ask.objects.get().due_at - timezone.now()


@pytest.mark.parametrize("reader", ["de", "en"])
def test_the_text_is_in_the_language_of_the_site(
    merchandiser: Client, order: Order, reader: str
) -> None:
    MessageRoute.objects.create(site=order.site, language="de")
    merchandiser.defaults["HTTP_ACCEPT_LANGUAGE"] = reader
    ((_order, shown),) = context(merchandiser, order)["question"]["samples"]
    assert shown.subject.startswith("Eine Frage zu Ihrer Bestellung")
    assert "solange der Vorrat reicht" in shown.body
    assert "anstelle von" in shown.body
