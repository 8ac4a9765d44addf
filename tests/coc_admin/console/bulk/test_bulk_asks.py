"""Asking the customers of many orders first: nothing is decided, and each is asked once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from coc_admin.console.desk.ask_forms import QuestionForm
from coc_admin.models import AuditEntry
from orders.models import (
    Ask,
    AskAnswer,
    CustomerMessage,
    Hold,
    InventoryRecord,
    MessageKind,
    MessageTemplate,
    Order,
    OrderEvent,
)
from reconciliation.connection import clients
from reconciliation.decisions import bulk_sending
from reconciliation.decisions.bulk_letters import AskedTexts
from reconciliation.models import AttemptOutcome, BulkLine, BulkRemedy
from tests.coc_admin.console import scene
from tests.coc_admin.console.bulk.choosing import begin, chosen, results
from tests.coc_admin.console.bulk.test_bulk_letters import form, told
from tests.coc_admin.console.scene import NOW, Scene
from tests.factories import know_stock


@pytest.fixture
def short(outage: Scene, settings: Any) -> Iterator[list[Order]]:
    """Three orders with one short item, which ALIKE can replace."""
    # A replacement is proposed only where OCI could be asked for it; nothing is asked here.
    settings.COC_OCI_BASE_URL = settings.COC_OCI_TOKEN_URL = "http://127.0.0.1:9"
    settings.COC_OCI_TENANT_GROUP_ID = settings.COC_OCI_CLIENT_ID = "coc"
    settings.COC_OCI_CLIENT_SECRET = "secret"
    clients.close_clients()
    found = []
    for number in range(3):
        order = scene.place(outage.site, f"ask-{number}", items=[("CUP-02", 2)], minutes_ago=70)
        scene.answer(outage.run, order, 0, outcome=AttemptOutcome.NOTHING)
        order.refresh_from_db()
        found.append(order)
    know_stock({"ALIKE": 50}, list_id="NorthShop-stock", at=NOW)
    InventoryRecord.objects.filter(sku="ALIKE").update(product_name="Stoneware beaker")
    InventoryRecord.objects.filter(sku="CUP-02").update(snapshot_ato=0, ato=0)
    yield found
    clients.close_clients()


def send() -> int:
    return bulk_sending.send_due(clock=timezone.now)


def keys(client: Client) -> set[str]:
    return {row.order.order_no for row in client.get("/desk/").context["rows"]}


def test_each_customer_is_asked_for_the_proposed_replacement(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    held = list(Hold.objects.order_by("pk").values_list("pk", "state"))
    # The scene's own order has two short items, and its customer can't be offered one thing.
    path = begin(merchandiser, "ask", [*short, outage.partial])
    page = merchandiser.get(path)
    text = " ".join(page.content.decode().split())
    assert "Ask the customers first: 3" in text
    assert '2 × <span class="wrap">Stoneware beaker</span>' in text
    assert "No replacement is proposed. Ask on the desk, or promise a date." in text
    assert Ask.objects.count() == 0
    answer = merchandiser.post(path, form(merchandiser, path, tell="on"))
    assert answer["Location"] == path
    found = {one.order.order_no: one for one in Ask.objects.select_related("order", "message")}
    assert found.keys() == {"ask-0", "ask-1", "ask-2"}
    for one in found.values():
        assert (one.sku, one.units, one.answer) == ("ALIKE", 2, AskAnswer.WAITING)
        assert one.message.kind == MessageKind.ASK
        assert "2 × Stoneware beaker instead of Stoneware CUP-02" in one.message.body
        assert timedelta(days=1, hours=23) < one.due_at - timezone.now() <= timedelta(days=2)
    # Nothing is decided, and nothing is held.
    assert {order.resolution for order in Order.objects.oversold()} == {""}
    assert list(Hold.objects.order_by("pk").values_list("pk", "state")) == held
    assert chosen(merchandiser) == {outage.partial.pk}
    assert results(merchandiser, path)["ask-0"] == ("done", "")
    # They leave the desk once their messages were sent, each once.
    assert keys(merchandiser) >= {"ask-0"}
    assert (send(), send(), len(mail.outbox)) == (3, 0, 3)
    assert keys(merchandiser).isdisjoint(found)
    assert told(merchandiser, path)["ask-1"] == ("Notified", "")
    entry = AuditEntry.objects.get(action="desk.bulk")
    assert (entry.detail["remedy"], entry.detail["told"]) == ("ask", 3)


def test_a_second_click_asks_nobody_again(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    path = begin(merchandiser, "ask", short)
    typed = form(merchandiser, path, tell="on")
    for _turn in range(2):
        assert merchandiser.post(path, typed).status_code == 302
    assert (Ask.objects.count(), CustomerMessage.objects.count()) == (3, 3)
    # Chosen again, all were asked already.
    again = merchandiser.get(begin(merchandiser, "ask", short)).content.decode()
    assert again.count("This customer has been asked already.") == 3
    assert "None of the selected orders allows this." in again


def test_a_question_without_its_message_is_refused(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    path = begin(merchandiser, "ask", short)
    typed = form(merchandiser, path)
    assert "tell" not in typed
    assert merchandiser.post(path, typed).status_code == 409
    MessageTemplate.objects.create(
        kind=MessageKind.ASK, subject="New", body="{offer}?", changed_at=timezone.now()
    )
    assert merchandiser.post(path, typed | {"tell": "on"}).status_code == 409
    assert Ask.objects.count() == 0


def test_who_cannot_be_told_is_not_asked_and_says_why(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    Order.objects.filter(pk=short[0].pk).update(customer={"customerName": "Ada"})
    path = begin(merchandiser, "ask", short)
    assert "The order has no e-mail address." in merchandiser.get(path).content.decode()
    merchandiser.post(path, form(merchandiser, path, tell="on"))
    assert results(merchandiser, path) == {
        "ask-0": ("refused", "The order has no e-mail address."),
        "ask-1": ("done", ""),
        "ask-2": ("done", ""),
    }
    assert not Ask.objects.filter(order=short[0]).exists()
    assert told(merchandiser, path)["ask-0"][0] == "Not notified"


def test_what_changed_since_the_preview_is_shown_first(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    path = begin(merchandiser, "ask", short)
    typed = form(merchandiser, path, tell="on")
    short[1].items.update(cancelled_quantity=Decimal(1))
    assert merchandiser.post(path, typed).status_code == 409
    assert Ask.objects.count() == 0


def test_a_question_answered_on_the_desk_is_like_any_other(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    path = begin(merchandiser, "ask", short)
    merchandiser.post(path, form(merchandiser, path, tell="on"))
    send()
    ask = Ask.objects.get(order=short[0])
    values: dict[str, Any] = {"kind": "answer", "ask": ask.pk, "answer": "accepted", "note": ""}
    merchandiser.post(f"/desk/?order={short[0].pk}", values | {"decided": short[0].pk})
    ask.refresh_from_db()
    assert ask.answer == AskAnswer.ACCEPTED
    assert "ask-0" in keys(merchandiser)


TEXT = "{customerName}: {offeredProduct} for {product}, {orderNo}? Until {deadline}."


def stored() -> dict[str, list[Any]]:
    """Return all that asking writes, to see that nothing has changed."""
    models: list[type[Model]] = [Ask, BulkLine, BulkRemedy, CustomerMessage, OrderEvent, AuditEntry]
    return {one.__name__: list(one._default_manager.order_by("pk").values()) for one in models}


def test_text_and_deadline_are_typed_refused_and_sent_as_previewed(
    merchandiser: Client, outage: Scene, short: list[Order]
) -> None:
    path = begin(merchandiser, "ask", short)
    before = stored()
    typed = form(merchandiser, path, tell="on", days="5", subject="{orderNo}?", body=TEXT)
    for wrong, why in (
        ({"body": f"{TEXT} {{price}}"}, "There is no placeholder {price}."),
        ({"subject": "{order}?"}, "There is no placeholder {order}."),
        ({"body": ""}, "Enter a text."),
        ({"days": "31"}, "31"),
        ({"days": ""}, "This field is required."),
    ):
        refused = merchandiser.post(path, typed | wrong)
        fields = refused.context["form"]
        assert refused.status_code == 400
        assert why in refused.content.decode()
        # What was typed is kept, and nothing has changed.
        for name in ("days", "subject", "body"):
            assert fields[name].value() == (typed | wrong)[name]
        assert stored() == before
        assert mail.outbox == []

    shown = merchandiser.post(path, typed | {"preview": "1"})
    assert (shown.status_code, stored()) == (200, before)
    samples = {order.order_no: text.body for order, text in shown.context["samples"]}
    assert list(samples) == ["ask-0", "ask-1", "ask-2"]
    day = date_format((timezone.now() + timedelta(days=5)).date(), "DATE_FORMAT")
    assert f"Stoneware beaker for Stoneware CUP-02, ask-0? Until {day}, " in samples["ask-0"]
    assert all(text in shown.content.decode() for text in samples.values())

    assert merchandiser.post(path, typed).status_code == 302
    for one in Ask.objects.select_related("order", "message"):
        assert (one.message.subject, one.message.body) == (
            f"{one.order.order_no}?",
            samples[one.order.order_no],
        )
        waits = one.due_at - timezone.now()
        assert timedelta(days=4, hours=23) < waits <= timedelta(days=5)
    assert (Ask.objects.count(), send()) == (3, 3)


def test_sites_that_share_a_text_share_its_fields() -> None:
    texts = {"a": ("A?", "a"), "b": ("B?", "b"), "c": ("A?", "a")}
    fields = QuestionForm(None, texts=texts)
    assert [(one.sites, one.subject.name, one.body.value()) for one in fields.text_fields] == [
        (["a", "c"], "subject", "a"),
        (["b"], "subject-1", "b"),
    ]
    assert fields.asked == AskedTexts(texts, 2)
    typed = {"days": "3", "subject": "S", "body": "x", "subject-1": "T", "body-1": "{deadline}"}
    asked = QuestionForm(typed, texts=texts).asked
    assert asked == AskedTexts({"a": ("S", "x"), "b": ("T", "{deadline}"), "c": ("S", "x")}, 3)
    assert QuestionForm(typed | {"body-1": "{no}"}, texts=texts).asked is None


def test_planning_takes_as_many_queries_for_many(
    merchandiser: Client, outage: Scene, short: list[Order], django_assert_max_num_queries: Any
) -> None:
    path = begin(merchandiser, "ask", short[:1])
    with django_assert_max_num_queries(34):
        merchandiser.get(path)
    path = begin(merchandiser, "ask", short)
    with django_assert_max_num_queries(34):
        merchandiser.get(path)
