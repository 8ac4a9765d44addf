"""Writing to the customer of an order: seen first, sent once, kept."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.utils import timezone

from coc_admin.models import AuditEntry, Profile
from orders import customer_messages, settlement
from orders.actors import person
from orders.message_values import values_of
from orders.models import CustomerMessage, MessageKind, MessageRoute, MessageTemplate, Order, Site
from reconciliation import message_handover
from tests.coc_admin.console.scene import NOW, Scene
from tests.receiver import Receiver, receiver

__all__ = ["receiver"]


def draft_of(client: Client, order: Order, query: str = "") -> dict[str, Any]:
    """Open the page and return what its form would send."""
    answer = client.get(f"/orders/{order.pk}/message/{query}")
    assert answer.status_code == 200
    form = answer.context["form"]
    names = ("token", "kind", "recipient", "subject", "body")
    data = {name: form[name].value() for name in names}
    data |= {name: "on" for name in ("by_email", "by_webhook") if form[name].value()}
    return {**data, "seen": answer.context["seen"]}


def send(client: Client, order: Order, data: dict[str, Any]) -> Any:
    return client.post(f"/orders/{order.pk}/message/", data)


def settle(order: Order) -> None:
    settlement.settle_outside(
        order_id=order.pk, reference="PO-1", actor=person("mia"), reason="Bought.", now=NOW
    )


def test_the_draft_follows_the_resolution_and_is_sent_as_it_was_edited(
    merchandiser: Client, outage: Scene
) -> None:
    settle(outage.partial)
    data = draft_of(merchandiser, outage.partial)
    assert data["recipient"] == "ada@example.test"
    assert data["subject"] == f"Your order {outage.partial.order_no} is on its way"
    assert data["body"].startswith("Dear Ada Reed,\n\nYour order ")
    assert mail.outbox == []
    data["body"] = "Dear Ada,\n\nit comes tomorrow.\n"
    answer = send(merchandiser, outage.partial, data)
    assert (answer.status_code, answer["Location"]) == (302, f"/orders/{outage.partial.pk}/")
    (sent,) = mail.outbox
    assert (sent.to, sent.subject, sent.body) == (
        ["ada@example.test"],
        data["subject"],
        data["body"],
    )
    row = CustomerMessage.objects.get()
    assert (row.actor, row.kind, row.email, row.webhook, row.body) == (
        "mia",
        "settled_outside",
        "sent",
        "",
        data["body"],
    )
    page = merchandiser.get(f"/orders/{outage.partial.pk}/").content.decode()
    assert "it comes tomorrow." in page
    assert "Handed over" in page
    assert AuditEntry.objects.filter(action="customer.written", actor="mia").count() == 1


def test_a_second_click_sends_nothing(merchandiser: Client, outage: Scene) -> None:
    data = draft_of(merchandiser, outage.cancelled)
    assert data["kind"] == "cancelled"
    for _ in range(2):
        assert send(merchandiser, outage.cancelled, data).status_code == 302
    assert len(mail.outbox) == 1
    assert CustomerMessage.objects.count() == 1


def test_the_loser_of_a_race_sees_it_and_keeps_the_text(
    merchandiser: Client, outage: Scene
) -> None:
    first, second = (draft_of(merchandiser, outage.cancelled) for _ in range(2))
    send(merchandiser, outage.cancelled, first)
    second["body"] = "My own words."
    answer = send(merchandiser, outage.cancelled, second)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Nothing was sent: the order has changed" in page
    assert "My own words." in page
    assert len(mail.outbox) == 1
    second["seen"] = answer.context["seen"]
    assert send(merchandiser, outage.cancelled, second).status_code == 302
    assert len(mail.outbox) == 2


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"subject": "x\r\nBcc: evil@example.test"}, "one line of plain text"),
        ({"subject": ""}, "Enter a subject."),
        ({"recipient": "a@example.test\r\nBcc: b@example.test"}, "Use one e-mail address."),
        ({"recipient": "a@example.test, b@example.test"}, "Use one e-mail address."),
        ({"recipient": ""}, "Use one e-mail address."),
        ({"body": " \n "}, "Use plain text only."),
        ({"body": "x\x00y"}, "Nothing was changed."),
        ({"by_email": ""}, "Choose how the message is sent."),
        ({"token": "x"}, "Nothing was sent yet"),
    ],
)
def test_what_cannot_be_sent_is_not(
    merchandiser: Client, outage: Scene, change: dict[str, str], says: str
) -> None:
    data = draft_of(merchandiser, outage.cancelled) | change
    answer = send(merchandiser, outage.cancelled, data)
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert mail.outbox == []
    assert not CustomerMessage.objects.exists()


def test_a_site_may_have_a_webhook_of_its_own(
    merchandiser: Client, outage: Scene, receiver: Receiver
) -> None:
    MessageRoute.objects.create(
        site=outage.site, sender="shop@north.test", webhook=f"{receiver.url}/crm", secret="key"
    )
    data = draft_of(merchandiser, outage.cancelled)
    receiver.status = 500
    answer = send(merchandiser, outage.cancelled, data)
    assert answer.status_code == 302
    assert mail.outbox[0].from_email == "shop@north.test"
    row = CustomerMessage.objects.get()
    assert (row.email, row.webhook) == ("sent", "failed")
    assert row.webhook_error == "The receiver refused the message (HTTP 500)."
    receiver.status = 200
    for _ in range(2):
        merchandiser.post(f"/orders/{outage.cancelled.pk}/message/{row.pk}/again/")
    row.refresh_from_db()
    assert (row.email, row.webhook, row.tries) == ("sent", "sent", 2)
    assert len(mail.outbox) == 1
    first, second = receiver.got
    assert first.body == second.body
    assert (second.json["orderNo"], second.json["text"]) == (
        outage.cancelled.order_no,
        data["body"],
    )
    assert second.headers["Idempotency-Key"] == str(row.token)
    assert second.headers["X-COC-Signature"].startswith("v1=")


def test_one_that_somebody_hands_over_just_now_is_left_alone(
    merchandiser: Client, outage: Scene
) -> None:
    data = draft_of(merchandiser, outage.cancelled)
    row = CustomerMessage.objects.create(
        order=outage.cancelled,
        token=data["token"],
        recipient="ada@example.test",
        subject="x",
        body="y",
        at=NOW,
        email="pending",
        claimed_until=timezone.now() + timedelta(minutes=1),
    )
    message_handover.hand_over(row, clock=timezone.now)
    assert mail.outbox == []
    CustomerMessage.objects.update(claimed_until=NOW)
    message_handover.hand_over(row, clock=timezone.now)
    assert len(mail.outbox) == 1


def test_without_a_mail_server_the_person_is_told(
    merchandiser: Client, outage: Scene, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "reconciliation.alerts.channels.no_mail.NoMail"
    path = f"/orders/{outage.cancelled.pk}/message/"
    page = merchandiser.post(path, draft_of(merchandiser, outage.cancelled), follow=True)
    assert "was not sent. No e-mail server is set" in page.content.decode()
    assert CustomerMessage.objects.get().email == "failed"


def test_only_people_who_may_change_orders_of_that_site(
    merchandiser: Client, viewer: Client, outage: Scene
) -> None:
    data = draft_of(merchandiser, outage.cancelled)
    assert b"/message/" not in viewer.get(f"/orders/{outage.cancelled.pk}/").content
    assert viewer.get(f"/orders/{outage.cancelled.pk}/message/").status_code == 403
    assert send(viewer, outage.cancelled, data).status_code == 403
    profile = Profile.objects.create(user=User.objects.get(username="mia"), every_site=False)
    profile.sites.set(Site.objects.exclude(pk=outage.site.pk))
    assert send(merchandiser, outage.cancelled, data).status_code == 404
    assert mail.outbox == []
    assert not CustomerMessage.objects.exists()


def test_what_an_order_says_is_never_read_as_a_template(outage: Scene) -> None:
    Order.objects.update(customer={"customerName": "{orderTotal} {{ x }} %s\r\nBcc: e@x"})
    MessageTemplate.objects.create(
        kind=MessageKind.CANCELLED,
        subject="For {customerName}",
        body="{customerName}: {orderNo} {unknown} { }",
        changed_at=NOW,
    )
    order = Order.objects.get(pk=outage.cancelled.pk)
    made = customer_messages.draft(order, MessageKind.CANCELLED)
    assert made.subject == "For {orderTotal} {{ x }} %s Bcc: e@x"
    assert made.body == (
        "{orderTotal} {{ x }} %s\r\nBcc: e@x: " + order.order_no + " {unknown} { }"
    )


def test_items_are_told_by_what_became_of_them(outage: Scene) -> None:
    mug, cup = outage.partial.items.order_by("position")
    cup.cancelled_quantity = 1
    cup.save()
    text = "{items}|{cancelledItems}|{replacements}|{orderTotal}"
    values = values_of(Order.objects.get(pk=outage.partial.pk))
    assert customer_messages.fill(text, values) == (
        f"2 × {mug.product_name}|1 × {cup.product_name}|–|28.50 EUR"
    )


def test_templates_of_a_site_come_before_those_of_every_site(
    operator: Client, outage: Scene
) -> None:
    default, own = "/messages/-/template/cancelled/", "/messages/NorthShop/template/cancelled/"
    shipped = operator.get(own).context["form"]["subject"].value()
    assert shipped == "Your order {orderNo} was cancelled"
    for path, subject in ((default, "All"), (own, "North {orderNo}")):
        data = {"subject": subject, "body": "Text", "seen": 0}
        assert operator.post(path, data)["Location"] == "/messages/"
    assert (
        customer_messages.template_for("NorthShop", MessageKind.CANCELLED)[0] == "North {orderNo}"
    )
    assert customer_messages.template_for("South Shop & Co", MessageKind.CANCELLED)[0] == "All"
    data = {"subject": "Mine", "body": "Text", "seen": 0}
    answer = operator.post(own, data)
    assert answer.status_code == 409
    assert "otto has changed this template" in answer.content.decode()
    assert 'value="Mine"' in answer.content.decode()
    assert operator.post(own, data | {"seen": answer.context["seen"]}).status_code == 302
    assert customer_messages.template_for("NorthShop", MessageKind.CANCELLED)[0] == "Mine"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"body": "Dear {customer}"}, "There is no placeholder {customer}."),
        ({"subject": "{oops}"}, "There is no placeholder {oops}."),
        ({"subject": "a\nb"}, "one line of plain text"),
        ({"body": ""}, "Enter a text."),
    ],
)
def test_a_template_with_a_mistake_is_not_kept(
    operator: Client, outage: Scene, change: dict[str, str], says: str
) -> None:
    data = {"subject": "s", "body": "b", "seen": 0} | change
    answer = operator.post("/messages/-/template/cancelled/", data)
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert not MessageTemplate.objects.exists()


def test_templates_are_for_operators_and_their_own_sites(
    merchandiser: Client, operator: Client, outage: Scene
) -> None:
    assert merchandiser.get("/messages/").status_code == 403
    profile = Profile.objects.create(user=User.objects.get(username="otto"), every_site=False)
    profile.sites.add("NorthShop")
    page = operator.get("/messages/").content.decode()
    assert "South Shop" not in page
    assert "/messages/-/" not in page
    for site in ("-", "South Shop & Co", "nowhere"):
        for rest in ("template/cancelled/", "sending/"):
            assert operator.get(f"/messages/{site}/{rest}").status_code == 404
    assert operator.get("/messages/NorthShop/template/nonsense/").status_code == 404


def test_how_a_site_sends_shows_no_secret(
    operator: Client, outage: Scene, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.COC_WEBHOOKS_LOCAL = False
    path = "/messages/NorthShop/sending/"
    data = {"email": "on", "sender": "shop@north.test", "version": 1}
    secret = {"webhook": "https://crm.example.com/hush", "secret": "very-hush"}
    answer = operator.post(path, data | {"webhook": "http://crm.example.com/"})
    assert (answer.status_code, MessageRoute.objects.count()) == (400, 0)
    assert operator.post(path, data | secret).status_code == 302
    assert operator.post(path, data | {"sender": ""}).status_code == 409
    assert operator.post(path, data | {"version": 2}).status_code == 302
    route = MessageRoute.objects.get()
    assert (route.webhook, route.secret) == (secret["webhook"], "very-hush")
    seen = operator.get(path).content.decode() + caplog.text
    seen += str(list(AuditEntry.objects.values_list("detail", flat=True)))
    assert "hush" not in seen
    for name, value in secret.items():
        both = operator.post(path, data | {"version": 3, "no_webhook": "on", name: value})
        assert (both.status_code, list(both.context["form"].errors)) == (400, [name])
        assert MessageRoute.objects.get() == route
    operator.post(path, data | {"version": 3, "no_webhook": "on"})
    route.refresh_from_db()
    assert (route.webhook, route.secret) == ("", "")


def test_the_token_of_another_order_sends_nothing(merchandiser: Client, outage: Scene) -> None:
    data = draft_of(merchandiser, outage.cancelled)
    send(merchandiser, outage.cancelled, data)
    other = draft_of(merchandiser, outage.partial, "?kind=cancelled") | {"token": data["token"]}
    send(merchandiser, outage.partial, other)
    assert len(mail.outbox) == 1
    assert CustomerMessage.objects.get().order == outage.cancelled
    assert uuid.UUID(str(data["token"]))
