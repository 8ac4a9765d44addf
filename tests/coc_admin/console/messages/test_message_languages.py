"""Customers get messages in their language or their shop's, whatever the console's language."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone, translation

from coc_admin.models import AuditEntry
from orders.models import (
    Ask,
    CustomerMessage,
    InventoryRecord,
    MessageKind,
    MessageRoute,
    MessageTemplate,
    Order,
    OrderPayload,
    Site,
)
from reconciliation.connection import clients
from reconciliation.decisions import bulk_sending
from reconciliation.decisions.questions import deadline_text
from reconciliation.models import AttemptOutcome, BulkRemedy
from tests.coc_admin.console import scene
from tests.coc_admin.console.bulk.choosing import begin
from tests.coc_admin.console.bulk.test_bulk_letters import form
from tests.coc_admin.console.desk.test_asks import context, post, question
from tests.coc_admin.console.desk.test_decisions import form_of
from tests.coc_admin.console.messages.test_customer_messages import draft_of
from tests.coc_admin.console.scene import NOW, Scene
from tests.factories import know_stock

GREETINGS = {"en": "Dear Ada Reed,", "de": "Guten Tag Ada Reed,"}
OTHER = {"en": "de", "de": "en"}
# By the language of the reader: what a page says of a message in the other language.
NOTES = {"en": "The message is in German.", "de": "Diese Nachricht ist auf Englisch."}
KINDS = sorted(set(MessageKind) - {MessageKind.ASK})

pytestmark = pytest.mark.parametrize("reader", ["en", "de"])


@pytest.fixture
def person(merchandiser: Client, reader: str) -> Client:
    """Return the browser of a merchandiser who reads the console in a language."""
    merchandiser.defaults["HTTP_ACCEPT_LANGUAGE"] = reader
    return merchandiser


@pytest.fixture
def theirs(outage: Scene, reader: str) -> str:
    """Return the language of the site: the other one."""
    MessageRoute.objects.create(site=outage.site, language=OTHER[reader])
    return OTHER[reader]


def names_locale(order: Order, locale: str) -> None:
    """Let the order name its customer's language, as a storefront may."""
    payload = OrderPayload.objects.get(order=order)
    document = json.loads(payload.body) | {"customerLocale": locale}
    OrderPayload.objects.filter(order=order).update(body=json.dumps(document))


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize("kind", KINDS)
def test_a_draft_is_in_the_language_of_the_site_and_says_so(
    person: Client, outage: Scene, theirs: str, reader: str, kind: str
) -> None:
    path = f"/orders/{outage.partial.pk}/message/?kind={kind}"
    data = draft_of(person, outage.partial, f"?kind={kind}")
    assert data["body"].startswith(GREETINGS[theirs])
    page = text_of(person, path)
    assert NOTES[reader] in page
    assert f'lang="{theirs}"' in page
    # A mistake shows the same draft with the same note.
    answer = person.post(path, data | {"subject": ""})
    assert answer.status_code == 400
    assert NOTES[reader] in " ".join(answer.content.decode().split())
    # In the reader's own language nothing is said.
    MessageRoute.objects.update(language=reader)
    assert draft_of(person, outage.partial, f"?kind={kind}")["body"].startswith(GREETINGS[reader])
    assert NOTES[reader] not in text_of(person, path)


def test_the_order_s_own_language_wins(
    person: Client, outage: Scene, theirs: str, reader: str
) -> None:
    names_locale(outage.partial, f"{reader}_CH")
    data = draft_of(person, outage.partial, "?kind=replaced")
    assert data["body"].startswith(GREETINGS[reader])
    names_locale(outage.partial, "fr_CH")
    data = draft_of(person, outage.partial, "?kind=replaced")
    assert data["body"].startswith(GREETINGS[theirs])


def test_the_desk_drafts_and_sends_in_the_language_of_the_site(
    person: Client, outage: Scene, theirs: str, reader: str
) -> None:
    page = text_of(person, f"/desk/?order={outage.partial.pk}")
    remedies = page.count('name="decided"')
    assert remedies > 2
    # A note for each remedy's message, and for the question's where there is one.
    assert page.count(NOTES[reader]) >= remedies
    sent = form_of(person, outage.partial, "cancel_items")
    assert person.post(f"/desk/?order={outage.partial.pk}", sent).status_code == 302
    (message,) = mail.outbox
    assert str(message.body).startswith(GREETINGS[theirs])


def test_a_question_is_asked_in_the_language_of_the_site(
    person: Client, outage: Scene, theirs: str, reader: str
) -> None:
    order = scene.place(outage.site, "0000012399", items=[("CUP-02", 2)], minutes_ago=70)
    scene.answer(outage.run, order, 0, outcome=AttemptOutcome.NOTHING)
    know_stock({"ALIKE": 50}, list_id="NorthShop-stock", at=NOW)
    order.refresh_from_db()
    found = context(person, order)["question"]
    ((_order, shown),) = found["samples"]
    assert NOTES[reader] in text_of(person, f"/desk/?order={order.pk}&sku_by=ALIKE")
    assert shown.language == theirs
    typed = question(person, order) | {"unit_price": "1234.5", "body": "{offer}\n{deadline}"}
    previewed = post(person, order, typed | {"preview": "1"}, "&sku_by=ALIKE")
    assert previewed.status_code == 200
    assert post(person, order, typed, "&sku_by=ALIKE").status_code == 302
    ask = Ask.objects.select_related("message", "order__site").get()
    with translation.override(theirs):
        until = deadline_text(ask.order, ask.due_at)
    offers = {
        "en": "2 × ALIKE instead of Stoneware CUP-02, at 1,234.50 EUR each",
        "de": "2 × ALIKE anstelle von Stoneware CUP-02, zu je 1.234,50 EUR",
    }
    assert ask.message.body.strip() == f"{offers[theirs]}\n{until}"
    assert mail.outbox[0].body == ask.message.body


def test_a_bulk_remedy_of_two_sites_writes_to_each_in_its_language(
    person: Client, outage: Scene, reader: str
) -> None:
    south = Site.objects.get(pk="South Shop & Co")
    MessageRoute.objects.create(site=south, language="de")
    orders = [outage.partial]
    for number, locale in enumerate(("", "en_GB")):
        order = scene.place(south, f"S-{number}", items=[("CUP-02", 2)], minutes_ago=70)
        scene.answer(outage.run, order, 0, outcome=AttemptOutcome.NOTHING)
        names_locale(order, locale)
        orders.append(order)
    path = begin(person, "cancel", orders)
    samples = {one.order_no: text for one, text in person.get(path).context["letters"].samples}
    expected = {outage.partial.order_no: "en", "S-0": "de", "S-1": "en"}
    assert {name: text.language for name, text in samples.items()} == expected
    page = text_of(person, path)
    foreign = sum(language != reader for language in expected.values())
    assert page.count(NOTES[reader]) == foreign
    sent = form(person, path, tell="on")
    assert person.post(path, sent).status_code == 302
    made = BulkRemedy.objects.get()
    assert set(made.texts) == {
        *("NorthShop", "NorthShop/en"),
        *("South Shop & Co", "South Shop & Co/de", "South Shop & Co/en"),
    }
    # The language of a worker is nobody's.
    with translation.override(OTHER[reader]):
        assert bulk_sending.send_due(clock=timezone.now) == 3
    for message in CustomerMessage.objects.select_related("order"):
        language = expected[message.order.order_no]
        assert message.body.startswith(GREETINGS[language])
        assert message.body == samples[message.order.order_no].body


def test_a_language_that_changes_shows_the_preview_again(
    person: Client, outage: Scene, reader: str
) -> None:
    path = begin(person, "cancel", [outage.partial])
    sent = form(person, path, tell="on")
    MessageRoute.objects.create(site=outage.site, language="de")
    assert person.post(path, sent).status_code == 409
    assert person.get(path).context["letters"].samples[0][1].language == "de"
    assert CustomerMessage.objects.count() == 0


def test_questions_to_many_are_typed_once_for_each_language(
    person: Client, outage: Scene, reader: str, settings: Any
) -> None:
    settings.COC_OCI_BASE_URL = settings.COC_OCI_TOKEN_URL = "http://127.0.0.1:9"
    settings.COC_OCI_TENANT_GROUP_ID = settings.COC_OCI_CLIENT_ID = "coc"
    settings.COC_OCI_CLIENT_SECRET = "secret"
    clients.close_clients()
    orders = []
    for number, locale in enumerate(("", "de_DE")):
        order = scene.place(outage.site, f"ask-{number}", items=[("CUP-02", 2)], minutes_ago=70)
        scene.answer(outage.run, order, 0, outcome=AttemptOutcome.NOTHING)
        names_locale(order, locale)
        orders.append(order)
    know_stock({"ALIKE": 50}, list_id="NorthShop-stock", at=NOW)
    InventoryRecord.objects.filter(sku="ALIKE").update(product_name="Stoneware beaker")
    InventoryRecord.objects.filter(sku="CUP-02").update(snapshot_ato=0, ato=0)
    path = begin(person, "ask", orders)
    fields = person.get(path).context["form"].text_fields
    words = {"en": "For the site NorthShop", "de": "Für den Shop NorthShop"}
    assert text_of(person, path).count(words[reader]) == 2
    assert [(one.sites, one.languages) for one in fields] == [
        (["NorthShop"], ["de"]),
        (["NorthShop"], ["en"]),
    ]
    typed = form(person, path, tell="on")
    typed |= {"body": "Angebot: {offer} bis {deadline}", "body-1": "Offer: {offer} by {deadline}"}
    shown = person.post(path, typed | {"preview": "1"}).context["samples"]
    assert [text.body.partition(":")[0] for _order, text in shown] == ["Offer", "Angebot"]
    assert person.post(path, typed).status_code == 302
    bodies = {
        one.order.order_no: one.message.body
        for one in Ask.objects.select_related("order", "message")
    }
    assert bodies == {order.order_no: text.body for order, text in shown}
    assert "anstelle von" in bodies["ask-1"]
    assert "instead of" in bodies["ask-0"]
    clients.close_clients()


def test_an_operator_chooses_the_language_of_a_site(
    operator: Client, outage: Scene, reader: str
) -> None:
    operator.defaults["HTTP_ACCEPT_LANGUAGE"] = reader
    path = "/messages/NorthShop/sending/"
    page = text_of(operator, path)
    assert '<option value="en" lang="en" selected>English</option>' in page
    data = {"email": "on", "sender": "", "version": 1}
    bad = operator.post(path, data | {"language": "fr"})
    assert (bad.status_code, MessageRoute.objects.count()) == (400, 0)
    assert operator.post(path, data | {"language": "de"}).status_code == 302
    assert MessageRoute.objects.get().language == "de"
    detail = AuditEntry.objects.get(action="site.messages").detail
    assert detail["language"] == {"before": "en", "after": "de"}
    # A page that was opened before the upgrade does not say it.
    assert operator.post(path, data | {"version": 2, "sender": "a@b.test"}).status_code == 302
    assert MessageRoute.objects.get().language == "de"
    assert '<option value="de" lang="de" selected>Deutsch</option>' in text_of(operator, path)
    names = {"en": "In German", "de": "Auf Deutsch"}
    assert names[reader] in text_of(operator, "/messages/")


def test_the_editor_shows_the_text_in_the_language_of_the_site(
    operator: Client, outage: Scene, reader: str
) -> None:
    operator.defaults["HTTP_ACCEPT_LANGUAGE"] = reader
    bodies = {}
    for language in ("en", "de"):
        MessageRoute.objects.update_or_create(site=outage.site, defaults={"language": language})
        page = operator.get("/messages/NorthShop/template/cancelled/")
        bodies[language] = page.context["form"]["body"].value()
        assert page.context["language"] == language
    assert bodies["en"].startswith("Dear {customerName}")
    assert bodies["de"].startswith("Guten Tag {customerName}")
    # What is for every site warns while these have different languages.
    page = operator.get("/messages/-/template/cancelled/")
    assert page.context["languages"] == ["de", "en"]
    assert page.context["form"]["body"].value() == bodies["en"]
    MessageRoute.objects.update_or_create(site_id="South Shop & Co", defaults={"language": "de"})
    page = operator.get("/messages/-/template/cancelled/")
    assert page.context["languages"] == ["de"]
    assert page.context["form"]["body"].value() == bodies["de"]


def test_templates_of_the_version_before_are_kept(
    person: Client, outage: Scene, reader: str
) -> None:
    # That version knew no language: the row has what the database gives it.
    MessageTemplate.objects.create(
        site=outage.site,
        kind=MessageKind.SETTLED_OUTSIDE,
        subject="Unterwegs",
        body="Hallo {customerName}, {orderTotal}",
        changed_at=NOW - timedelta(days=1),
        changed_by="otto",
    )
    for language, total in (("en", "28.50 EUR"), ("de", "28,50 EUR")):
        MessageRoute.objects.update_or_create(site=outage.site, defaults={"language": language})
        data = draft_of(person, outage.partial, "?kind=settled_outside")
        assert (data["subject"], data["body"]) == ("Unterwegs", f"Hallo Ada Reed, {total}")
