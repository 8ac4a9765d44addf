"""Telling the customers of a bulk remedy: each once, and only after the remedy of the order."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from coc_admin.console.desk.ask_forms import QuestionForm
from coc_admin.models import AuditEntry
from orders import privacy
from orders.models import (
    CustomerMessage,
    MessageKind,
    MessageRoute,
    MessageTemplate,
    Order,
    OrderStatus,
    Replacement,
    Resolution,
)
from reconciliation import message_handover, remedies
from reconciliation.decisions import bulk_sending
from reconciliation.maintenance.sweep import sweep
from reconciliation.models import BulkLine
from tests.coc_admin.console.bulk.choosing import OUTSIDE, WHY, begin, marks
from tests.coc_admin.console.bulk.replacing_many import form_of, picked, text_of
from tests.coc_admin.console.bulk.replacing_many import short as short
from tests.coc_admin.console.scene import Scene
from tests.engine import MIA, Engine
from tests.engine import engine as engine
from tests.engine import simulator as simulator

NO_MAIL = "reconciliation.alerts.channels.no_mail.NoMail"


class Died(BaseException):
    """A process that is gone; nothing catches it."""


def form(client: Client, path: str, **more: Any) -> dict[str, Any]:
    """Return what a browser sends of a preview as it is shown, with the box as it is."""
    page = client.get(path)
    text = page.content.decode()
    found = WHY | {"mark": marks(page), "texts": re.findall(r'name="texts" value="(\w+)"', text)}
    if re.search(r'name="tell" checked', text):
        found["tell"] = "on"
    if isinstance(page.context["form"], QuestionForm):
        fields = page.context["form"]
        found |= {name: fields[name].value() for name in fields.fields}
    return found | more


def told(client: Client, path: str) -> dict[str, tuple[str, str]]:
    """Return whether the customer of each order was told, as the result page says it."""
    rows = client.get(path).context["rows"]
    return {row.line.order.order_no: (str(row.customer.label), row.customer.why) for row in rows}


def send(**more: Any) -> int:
    return bulk_sending.send_due(clock=timezone.now, **more)


def of(address: str) -> list[Any]:
    return [one for one in mail.outbox if one.to == [address]]


@pytest.fixture
def two(outage: Scene) -> list[Order]:
    """Two short orders of Ada and Bert."""
    for order, name in ((outage.partial, "ada"), (outage.nothing, "bert")):
        customer = order.customer | {"email": f"{name}@example.test"}
        Order.objects.filter(pk=order.pk).update(customer=customer)
    return [outage.partial, outage.nothing]


def test_each_customer_is_told_once_after_the_remedy(
    merchandiser: Client, two: list[Order]
) -> None:
    path = begin(merchandiser, "cancel", two)
    page = merchandiser.get(path)
    letters = page.context["letters"]
    assert (letters.able, letters.unable, page.context["tell"]) == (2, [], True)
    assert [(one, text.kind) for one, text in letters.samples] == [
        (one, MessageKind.CANCELLED) for one in two
    ]
    assert letters.samples[0][1].body in page.content.decode().replace("&#x27;", "'")
    assert "2 customers can be notified." in page.content.decode()
    assert page.context["form"]["reason"].value() == "Oversold: OCI has too few units"

    sent = form(merchandiser, path)
    for _ in range(2):
        assert merchandiser.post(path, sent).status_code == 302
    assert mail.outbox == []
    assert told(merchandiser, path) == {
        "0000012341": ("Being sent", ""),
        "0000012342": ("Being sent", ""),
    }
    assert 'data-live-seconds="2"' in merchandiser.get(f"/live{path}").content.decode()
    assert "messages to customers" in sweep(clock=timezone.now)
    assert send() == 2
    assert send() == 0
    assert "messages to customers" not in sweep(clock=timezone.now)
    assert [len(of(f"{name}@example.test")) for name in ("ada", "bert")] == [1, 1]
    message = CustomerMessage.objects.get(order=two[0])
    assert (message.kind, message.actor, message.email) == ("cancelled", "mia", "sent")
    assert message.body == letters.samples[0][1].body
    assert set(told(merchandiser, path).values()) == {("Notified", "")}
    assert AuditEntry.objects.get(action="desk.bulk").detail["told"] == 2


def test_who_cannot_be_told_is_named_and_the_remedy_is_done_all_the_same(
    merchandiser: Client, outage: Scene, two: list[Order]
) -> None:
    orders = [*two, outage.waiting]
    privacy.erase(order_ids=[two[1].pk], actor=MIA, reason="Asked to", now=timezone.now())
    Order.objects.filter(pk=outage.waiting.pk).update(customer={})
    path = begin(merchandiser, "cancel", orders)
    page = merchandiser.get(path)
    assert page.context["unable"] == [
        ("The customer's data was erased.", 1),
        ("The order has no e-mail address.", 1),
    ]
    assert "2 customers can't be notified:" in page.content.decode()
    # One of them only waits: nobody is told unless the person ticks it, and no reason is proposed.
    assert (page.context["tell"], page.context["form"]["reason"].value()) == (False, "")
    merchandiser.post(path, form(merchandiser, path, tell="on"))
    assert send() == 1
    assert told(merchandiser, path) == {
        "0000012341": ("Notified", ""),
        "0000012342": ("Not notified", "The customer's data was erased."),
        "0000012345": ("Not notified", "The order has no e-mail address."),
    }
    assert {line.state for line in BulkLine.objects.all()} == {"done"}
    assert len(mail.outbox) == 1


def test_nobody_is_told_of_what_was_not_done_or_not_wanted(
    merchandiser: Client, outage: Scene, two: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(merchandiser, "settle_outside", [*two, outage.complete])
    sent = form(merchandiser, path, **OUTSIDE)
    # What a confirmation has stored is refused when the order changes before its turn.
    with monkeypatch.context() as patched:
        patched.setattr("reconciliation.remedies.bulk.execution.AT_ONCE", 0)
        merchandiser.post(path, sent)
    Order.objects.filter(pk=two[0].pk).update(status=OrderStatus.CANCELLED, resolution="cancelled")
    merchandiser.post(path)
    send()
    nothing = ("Not notified", "Nothing was done, so there is nothing to tell.")
    assert told(merchandiser, path) == {
        "0000012340": nothing,
        "0000012341": nothing,
        "0000012342": ("Notified", ""),
    }
    assert len(mail.outbox) == 1

    path = begin(merchandiser, "cancel", [outage.waiting])
    merchandiser.post(path, form(merchandiser, path))
    send()
    assert len(mail.outbox) == 1
    assert b"Notified" not in merchandiser.get(path).content


def test_remedy_and_message_are_written_both_or_neither(
    merchandiser: Client, two: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(merchandiser, "cancel", two)
    sent = form(merchandiser, path)
    write = message_handover.write

    def dies(**arguments: Any) -> Any:
        if arguments["order"] == two[1]:
            raise Died
        return write(**arguments)

    monkeypatch.setattr(message_handover, "write", dies)
    with pytest.raises(Died):
        merchandiser.post(path, sent)
    monkeypatch.undo()
    two[1].refresh_from_db()
    assert (two[1].status, CustomerMessage.objects.count()) == (OrderStatus.NEW, 1)
    assert send() == 1
    merchandiser.post(path)
    assert send() == 1
    assert [len(of(f"{name}@example.test")) for name in ("ada", "bert")] == [1, 1]


def test_a_worker_that_dies_between_remedy_and_message_loses_and_repeats_none(
    merchandiser: Client, two: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(merchandiser, "cancel", two)
    merchandiser.post(path, form(merchandiser, path))

    def dies(*_: Any, **__: Any) -> Any:
        raise Died

    # Before it claimed the message: the next worker sends it.
    monkeypatch.setattr(message_handover, "claim_first", dies)
    with pytest.raises(Died):
        send()
    monkeypatch.undo()
    assert mail.outbox == []
    # After that, it is not known whether the customer has it.
    monkeypatch.setattr(message_handover, "send_claimed", dies)
    with pytest.raises(Died):
        send()
    monkeypatch.undo()
    assert send() == 1
    assert [one.to for one in mail.outbox] == [["bert@example.test"]]
    assert told(merchandiser, path)["0000012341"] == ("Being sent", "")
    assert send() == 0

    later = timezone.now() + timedelta(minutes=2)
    assert bulk_sending.send_due(clock=lambda: later) == 1
    interrupted = ("Not notified", "The sending was interrupted. The message may have arrived.")
    assert told(merchandiser, path)["0000012341"] == interrupted
    assert len(mail.outbox) == 1

    # A person decides; two clicks send it once.
    page = merchandiser.get(path).content.decode()
    assert "1 message was not sent." in page
    for _ in range(2):
        assert merchandiser.post(f"{path}tell-again/").status_code == 302
    assert send() == 1
    assert [len(of(f"{name}@example.test")) for name in ("ada", "bert")] == [1, 1]
    assert told(merchandiser, path)["0000012341"] == ("Notified", "")
    assert AuditEntry.objects.filter(action="customer.written_again").count() == 1


def test_an_undo_keeps_back_what_was_not_sent_and_names_what_was(
    merchandiser: Client, two: list[Order]
) -> None:
    path = begin(merchandiser, "settle_outside", two)
    merchandiser.post(path, form(merchandiser, path, **OUTSIDE))
    done = BulkLine.objects.filter(state="done").values_list("order", flat=True)
    assert list(done) == [one.pk for one in two]
    assert send(limit=1) == 1
    undo = merchandiser.post(f"{path}undo/")["Location"]
    page = merchandiser.get(undo)
    assert "1 customer was already notified of the remedy." in page.content.decode()
    assert b'name="tell"' not in page.content
    assert page.context["form"]["reason"].value() == "Undone on the desk"
    merchandiser.post(undo, WHY | {"mark": marks(page)})
    assert send() == 1
    assert len(mail.outbox) == 1
    assert sorted(told(merchandiser, path).values()) == [
        ("Not notified", "The remedy was undone before the message was sent."),
        ("Notified", ""),
    ]
    resolutions = set(Order.objects.filter(pk__in=done).values_list("resolution", flat=True))
    assert resolutions == {Resolution.NONE}


def test_another_text_than_the_shown_one_is_not_sent(
    merchandiser: Client, two: list[Order]
) -> None:
    path = begin(merchandiser, "cancel", two)
    sent = form(merchandiser, path)
    template = MessageTemplate(kind="cancelled", subject="Gone {orderNo}", body="Text of ours")
    template.changed_at = timezone.now()
    template.save()
    answer = merchandiser.post(path, sent | {"reason": "Kept reason"})
    assert answer.status_code == 409
    assert b"The text of the message has changed since you looked." in answer.content
    assert b"Kept reason" in answer.content
    assert not BulkLine.objects.exclude(state="chosen").exists()
    merchandiser.post(path, form(merchandiser, path))
    # A change after the confirmation is one for the next messages.
    MessageTemplate.objects.update(body="Later text")
    send()
    assert {one.body for one in mail.outbox} == {"Text of ours"}
    assert of("ada@example.test")[0].subject == "Gone 0000012341"


def test_the_box_is_off_without_a_sender_and_failures_can_be_sent_again(
    merchandiser: Client, two: list[Order], settings: Any
) -> None:
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, NO_MAIL
    path = begin(merchandiser, "cancel", two)
    page = merchandiser.get(path)
    assert (page.context["tell"], page.context["letters"].able) == (False, 2)
    assert b"No e-mail server is set up" in page.content
    merchandiser.post(path, form(merchandiser, path, tell="on"))
    send()
    label, why = told(merchandiser, path)["0000012342"]
    assert (label, why[:28]) == ("Not notified", "No e-mail server is set; set")
    assert send() == 0
    settings.EMAIL_BACKEND = backend
    merchandiser.post(f"{path}tell-again/")
    assert send() == 2
    assert len(mail.outbox) == 2

    MessageRoute.objects.create(site=two[0].site, email=False)
    path = begin(merchandiser, "cancel", [Order.objects.get(order_no="0000012345")])
    page = merchandiser.get(path)
    assert page.context["unable"] == [("This site has no way to send messages.", 1)]
    assert b'name="tell"' not in page.content


def test_a_message_that_waited_for_a_day_is_left_to_a_person(
    merchandiser: Client, two: list[Order]
) -> None:
    path = begin(merchandiser, "cancel", two)
    merchandiser.post(path, form(merchandiser, path))
    CustomerMessage.objects.update(at=timezone.now() - timedelta(hours=25))
    send()
    assert mail.outbox == []
    late = ("Not notified", "The message could not be sent for a day.")
    assert set(told(merchandiser, path).values()) == {late}
    merchandiser.post(f"{path}tell-again/")
    send()
    assert len(mail.outbox) == 2


def test_a_replacement_is_told_of_once_it_is_done(
    merchandiser: Client, engine: Engine, short: list[Order]
) -> None:
    engine.keeps_promises = False  # customers are changed by hand
    for order in short:
        Order.objects.filter(pk=order.pk).update(customer={"email": f"{order.order_no}@e.test"})
    path = begin(merchandiser, "replace", short)
    page = picked(merchandiser, path)
    letters = page.context["letters"]
    assert (letters.able, page.context["tell"]) == (3, True)
    assert "2 × Blue mug (instead of" in letters.samples[0][1].body
    texts = re.findall(r'name="texts" value="(\w+)"', text_of(page))
    engine.at_oci({"CUP": 5})
    merchandiser.post(path, form_of(page, texts=texts, tell="on"))
    assert send() == 0
    waits = ("To be notified once the order is changed", "")
    nothing = ("Not notified", "Nothing was done, so there is nothing to tell.")
    assert told(merchandiser, path) == {"A0": waits, "A1": waits, "A2": waits, "A3": nothing}

    # The worker that finished the replacements is gone; the sweep finds their messages.
    assert remedies.finish_replacements(clock=engine.clock) == 3
    states = list(Replacement.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["done", "done", "refused"]
    assert "messages to customers" in sweep(clock=timezone.now)
    assert send() == 3
    assert send() == 0
    assert told(merchandiser, path) == {
        "A0": ("Notified", ""),
        "A1": ("Notified", ""),
        "A2": nothing,
        "A3": nothing,
    }
    assert [(one.to, one.body.count("× Blue mug (instead of")) for one in mail.outbox] == [
        (["A0@e.test"], 1),
        (["A1@e.test"], 1),
    ]
    assert mail.outbox[0].body == letters.samples[0][1].body
