"""Telling people over channels: once for each turn, at least once each, and never for ever."""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import Any

import pytest
from django.core import mail
from django_q.models import OrmQ

from orders.actors import person
from reconciliation import tasks
from reconciliation.alerts.actions import resolve_by_hand
from reconciliation.alerts.channels import delivery, outbox, send
from reconciliation.maintenance.sweep import sweep
from reconciliation.models import (
    Alert,
    Channel,
    ChannelKind,
    Delivery,
    Priority,
)
from tests.alerts import raise_alert, resolve_alert
from tests.factories import Clock, make_site
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db

KEY = "a-key-of-the-signature"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_channel(kind: str = ChannelKind.WEBHOOK, target: str = "", **fields: Any) -> Channel:
    values = {"name": f"{kind} {Channel.objects.count()}", "least_priority": Priority.WARN}
    return Channel.objects.create(kind=kind, target=target, **{**values, **fields})


def hook(receiver: Receiver, path: str = "/hook", **fields: Any) -> Channel:
    return make_channel(target=f"{receiver.url}{path}", secret=KEY, **fields)


def lost(clock: Clock, message: str = "1 order waits.", priority: str = Priority.WARN) -> Alert:
    return raise_alert(
        descriptor="oci_offline",
        priority=Priority(priority),
        message=message,
        remedy="Wait.",
        now=clock(),
    )


def back(clock: Clock) -> None:
    resolve_alert(descriptor="oci_offline", now=clock())


def deliver(clock: Clock) -> int:
    return delivery.deliver_due(clock=clock)


def told() -> list[tuple[str, str, int]]:
    rows = Delivery.objects.order_by("pk")
    return [(row.kind, row.state, row.attempts) for row in rows]


def test_a_webhook_is_told_each_turn_once_under_one_id(receiver: Receiver, clock: Clock) -> None:
    hook(receiver)
    alert = lost(clock)
    for _ in range(2):
        deliver(clock)
    lost(clock, priority=Priority.ACTION)
    deliver(clock)
    back(clock)
    for _ in range(2):
        deliver(clock)
    events = [(one.json["event"], one.json["revision"], one.json["alert"]) for one in receiver.got]
    name = f"{alert.pk}-1"
    assert events == [("raised", 1, name), ("worse", 2, name), ("resolved", 3, name)]
    assert told() == [("raised", "sent", 1), ("worse", "sent", 1), ("resolved", "sent", 1)]
    first = receiver.got[0].json
    assert (first["title"], first["message"], first["priority"], first["state"]) == (
        "Inventory service offline",
        "1 order waits.",
        "WARN",
        "open",
    )
    assert receiver.got[2].json["state"] == "resolved"


def test_a_request_is_signed_over_its_time_and_body(receiver: Receiver, clock: Clock) -> None:
    hook(receiver)
    lost(clock)
    deliver(clock)
    got = receiver.got[0]
    timestamp = got.headers["X-COC-Timestamp"]
    assert timestamp == str(int(clock().timestamp()))
    signed = hmac.new(KEY.encode(), timestamp.encode() + b"." + got.body, hashlib.sha256)
    assert got.headers["X-COC-Signature"] == f"v1={signed.hexdigest()}"
    assert got.headers["Idempotency-Key"] == got.json["deliveryId"]


def test_figures_go_to_webhooks_at_most_once_a_minute_and_to_people_never(
    receiver: Receiver, clock: Clock
) -> None:
    hook(receiver)
    make_channel(ChannelKind.SLACK, f"{receiver.url}/slack")
    make_channel(ChannelKind.EMAIL, "ops@example.com")
    lost(clock)
    deliver(clock)
    for number in range(2, 40):
        clock.go(2)
        lost(clock, message=f"{number} orders wait.")
        deliver(clock)
    by_path = [(got.path, got.json.get("event")) for got in receiver.got]
    assert by_path == [("/hook", "raised"), ("/slack", None), ("/hook", "changed")]
    assert len(mail.outbox) == 1


def test_email_of_one_occurrence_is_one_thread(clock: Clock, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "Console <console@shop.example>"
    channel = make_channel(ChannelKind.EMAIL, "ops@example.com, boss@example.com")
    alert = lost(clock)
    deliver(clock)
    back(clock)
    deliver(clock)
    first, last = mail.outbox
    thread = f"<alert-{alert.pk}-1-{channel.pk}@shop.example>"
    assert first.to == ["ops@example.com", "boss@example.com"]
    assert first.subject == last.subject == "[Order capture] Inventory service offline"
    assert first.extra_headers == {"Message-ID": thread}
    assert last.extra_headers["References"] == last.extra_headers["In-Reply-To"] == thread
    assert last.extra_headers["Message-ID"] != thread
    assert first.body.startswith("New: Inventory service offline (Warning)\n\n1 order waits.\n")
    assert last.body.startswith("Resolved: ")


def test_slack_text_carries_no_markup_of_others(receiver: Receiver, clock: Clock) -> None:
    make_channel(ChannelKind.SLACK, f"{receiver.url}/slack")
    lost(clock, message="Taken offline by <!channel> & <https://evil.test|here>")
    deliver(clock)
    text = receiver.got[0].json["text"]
    assert "Taken offline by &lt;!channel&gt; &amp; &lt;https://evil.test|here&gt;" in text
    assert "X-COC-Signature" not in receiver.got[0].headers


def test_priority_kind_and_switch_decide_what_is_told(receiver: Receiver, clock: Clock) -> None:
    hook(receiver, "/action", least_priority=Priority.ACTION)
    hook(receiver, "/review", descriptors=["needs_review"])
    hook(receiver, "/off", enabled=False)
    lost(clock)
    deliver(clock)
    assert receiver.got == []
    lost(clock, priority=Priority.ACTION)
    deliver(clock)
    assert [(got.path, got.json["event"]) for got in receiver.got] == [("/action", "raised")]


def test_a_channel_of_some_sites_tells_nothing_of_others(receiver: Receiver, clock: Clock) -> None:
    site = make_site("shop")
    channel = hook(receiver, every_site=False)
    channel.sites.add(site)
    lost(clock, message="7 orders of another site wait, said otto.")
    raise_alert(
        descriptor="needs_review",
        priority=Priority.ACTION,
        message="7 orders of another site need review.",
        now=clock(),
    )
    deliver(clock)
    assert [got.json["descriptor"] for got in receiver.got] == ["oci_offline"]
    assert receiver.got[0].json["message"].endswith("UTC. No order is waiting.")
    channel.sites.clear()
    lost(clock, priority=Priority.ACTION)
    deliver(clock)
    assert "another site" not in "".join(str(got.json) for got in receiver.got)


def test_an_occurrence_of_its_own_begins_anew(receiver: Receiver, clock: Clock) -> None:
    hook(receiver)
    alert = lost(clock)
    deliver(clock)
    resolve_by_hand(alert_id=alert.pk, seen=0, reason="Seen.", actor=person("mia"), now=clock())
    deliver(clock)
    lost(clock)
    deliver(clock)
    events = [(got.json["event"], got.json["alert"]) for got in receiver.got]
    first, second = f"{alert.pk}-1", f"{alert.pk}-2"
    assert events == [("raised", first), ("resolved", first), ("raised", second)]


def test_a_turn_wakes_a_worker_only_when_there_is_a_channel(clock: Clock) -> None:
    lost(clock)
    assert OrmQ.objects.count() == 0
    make_channel(ChannelKind.EMAIL, "ops@example.com")
    lost(clock, message="2 orders wait.")
    assert OrmQ.objects.count() == 0
    back(clock)
    assert [task.func() for task in OrmQ.objects.all()] == ["reconciliation.tasks.deliver_alerts"]


def test_a_test_is_sent_once_and_says_what_became_of_it(receiver: Receiver, clock: Clock) -> None:
    channel = hook(receiver, enabled=False)
    assert delivery.send_test(channel, clock=clock).state == "sent"
    receiver.status = 403
    failed = delivery.send_test(channel, clock=clock)
    assert (failed.state, failed.error) == (
        "failed",
        "The receiver refused the message (HTTP 403).",
    )
    channel.refresh_from_db()
    assert channel.failures == 0
    assert [got.json["event"] for got in receiver.got] == ["test", "test"]


def test_without_a_mail_server_a_message_is_refused_aloud(clock: Clock, settings: Any) -> None:
    settings.EMAIL_BACKEND = "reconciliation.alerts.channels.no_mail.NoMail"
    channel = make_channel(ChannelKind.EMAIL, "ops@example.com")
    failed = delivery.send_test(channel, clock=clock)
    assert failed.error.startswith("No e-mail server is set; set EMAIL_HOST")


def test_secrets_stand_in_no_log_and_no_error(
    receiver: Receiver, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = hook(receiver, "/path-that-is-secret")
    dead = make_channel(target="http://127.0.0.1:9/path-that-is-secret?token=hush", secret=KEY)
    receiver.status = 500
    lost(clock)
    deliver(clock)
    written = caplog.text + "".join(Delivery.objects.values_list("error", flat=True))
    written += f"{channel!r}{dead!r}{Delivery.objects.first()!r}"
    assert Delivery.objects.exclude(error="").count() == 2
    for secret in ("path-that-is-secret", "hush", KEY):
        assert secret not in written


@pytest.mark.parametrize("field", ["subject", "to", "sender"])
def test_a_line_break_becomes_no_header(field: str) -> None:
    values: dict[str, Any] = {"to": ["a@example.com"], "subject": "x", "sender": "b@example.com"}
    evil = "x\r\nBcc: evil@example.com"
    values[field] = [evil] if field == "to" else evil
    with pytest.raises(send.NotSent):
        send.send_mail(body="x", message_id="<1@x>", **values)
    assert mail.outbox == []


def test_what_was_told_long_ago_is_forgotten(receiver: Receiver, clock: Clock) -> None:
    hook(receiver)
    lost(clock)
    deliver(clock)
    clock.go(91 * 86_400)
    assert outbox.forget_old(clock()) == 0
    back(clock)
    assert outbox.forget_old(clock()) == 1


def test_the_task_delivers_and_the_sweep_wakes_it(clock: Clock) -> None:
    make_channel(ChannelKind.EMAIL, "ops@example.com")
    lost(clock)
    tasks.deliver_alerts()
    assert len(mail.outbox) == 1
    OrmQ.objects.all().delete()
    assert sweep(clock=clock) == ["deliveries"]
    assert [task.func() for task in OrmQ.objects.all()] == ["reconciliation.tasks.deliver_alerts"]
    Channel.objects.update(enabled=False)
    assert sweep(clock=clock) == []
