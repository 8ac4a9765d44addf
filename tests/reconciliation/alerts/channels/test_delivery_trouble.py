"""Channels and receivers that fail, and deaths on the way: told again, and never for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reconciliation.alerts.channels import delivery, outbox
from reconciliation.alerts.refresh import refresh_rules
from reconciliation.alerts.rule import Facts
from reconciliation.alerts.rules import channel_failing
from reconciliation.models import Alert, Delivery, Lease, Priority
from tests.alerts import raise_alert
from tests.factories import Clock
from tests.receiver import Receiver
from tests.reconciliation.alerts.channels.test_delivery import (
    back,
    deliver,
    hook,
    lost,
    make_channel,
    told,
)
from tests.reconciliation.alerts.channels.test_delivery import clock as clock

pytestmark = pytest.mark.django_db


def test_a_death_between_sending_and_marking_repeats_the_same_delivery(
    receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(receiver)
    lost(clock)

    class Killed(BaseException):
        pass

    def die(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "_note_success", die)
        with pytest.raises(Killed):
            deliver(clock)
    assert told() == [("raised", "pending", 1)]
    assert deliver(clock) == 0
    clock.go(91)
    assert deliver(clock) == 1
    bodies = {got.body for got in receiver.got}
    assert (len(receiver.got), len(bodies)) == (2, 1)
    assert told() == [("raised", "sent", 2)]


def test_failures_wait_longer_each_time_and_end(receiver: Receiver, clock: Clock) -> None:
    channel = hook(receiver)
    receiver.status = 500
    lost(clock)
    pauses = []
    for _ in range(delivery.MOST_TRIES):
        deliver(clock)
        row = Delivery.objects.get()
        pauses.append((row.due_at - clock()).total_seconds())
        clock.now = row.due_at
    assert pauses[:4] == [30, 60, 120, 240]
    assert told() == [("raised", "failed", 8)]
    deliver(clock)
    assert len(receiver.got) == 8
    row = Delivery.objects.get()
    assert row.error == "The receiver refused the message (HTTP 500)."
    channel.refresh_from_db()
    assert (channel.failures, channel.last_error) == (8, row.error)


def test_what_never_arrived_is_not_called_resolved(receiver: Receiver, clock: Clock) -> None:
    hook(receiver)
    lost(clock)
    Delivery.objects.all().delete()
    back(clock)
    deliver(clock)
    assert receiver.got == []


def refresh_channels(clock: Clock) -> None:
    refresh_rules([channel_failing.RULE], Facts(clock(), watching_since=clock()))


def test_a_failing_channel_is_told_in_the_console_and_over_no_channel(
    receiver: Receiver, clock: Clock
) -> None:
    channel = hook(receiver, "/broken", name="Pager")
    receiver.status = 503
    lost(clock)
    for _ in range(3):
        deliver(clock)
        refresh_channels(clock)
        clock.go(600)
    alert = Alert.objects.get(descriptor="channel_failing")
    assert (alert.state, alert.context) == ("open", f"channel:{channel.pk}")
    assert alert.message.startswith("The channel Pager has taken no message since ")
    assert receiver.url not in alert.message
    receiver.status = 204
    hook(receiver, "/good")
    clock.go(600)
    deliver(clock)
    assert {got.json["descriptor"] for got in receiver.got} == {"oci_offline"}
    refresh_channels(clock)
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_a_dead_channel_does_not_keep_others_waiting(
    receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = make_channel(target="http://127.0.0.1:9/dead")
    hook(receiver)
    tries: list[int] = []
    real = delivery.hand_over

    def counted(row: Delivery, **named: Any) -> None:
        tries.append(row.channel_id)
        real(row, **named)

    monkeypatch.setattr(delivery, "hand_over", counted)
    lost(clock)
    raise_alert(descriptor="needs_review", priority=Priority.ACTION, message="1.", now=clock())
    assert deliver(clock) == 2
    assert tries.count(dead.pk) == 1
    clock.go(600)
    lost(clock, priority=Priority.ACTION)
    tries.clear()
    deliver(clock)
    assert tries[-1] == dead.pk


def test_a_cycle_ends_when_its_time_is_over(receiver: Receiver, clock: Clock) -> None:
    hook(receiver)
    lost(clock)
    assert delivery.deliver_due(clock=clock, budget=timedelta(0)) == 0
    assert told() == [("raised", "pending", 0)]
    assert not Lease.objects.filter(until__gt=clock()).exists()


def test_a_redirect_is_not_followed(receiver: Receiver, clock: Clock) -> None:
    hook(receiver)
    receiver.status = 302
    lost(clock)
    deliver(clock)
    assert [got.path for got in receiver.got] == ["/hook"]
    assert "redirect" in Delivery.objects.get().error


def test_an_address_that_may_not_be_called_is_not_called(
    receiver: Receiver, clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = receiver.url.rpartition(":")[2]
    make_channel(target=f"https://rebound.example.com:{port}/x")
    settings.COC_WEBHOOKS_LOCAL = False
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda host, port, **_: [(2, 1, 6, "", ("127.0.0.1", port))]
    )
    lost(clock)
    deliver(clock)
    assert receiver.got == []
    assert Delivery.objects.get().error == (
        "The receiver could not be reached. Its address may not be called from here."
    )


def test_two_workers_write_and_send_it_once(receiver: Receiver, clock: Clock) -> None:
    hook(receiver)
    lost(clock)
    assert outbox.write_due(clock()) == 1
    assert outbox.write_due(clock()) == 0
    row = Delivery.objects.get()
    twin = Delivery(channel=row.channel, alert=row.alert, revision=1, kind="raised")
    twin.created_at = twin.due_at = clock()
    Delivery.objects.bulk_create([twin], ignore_conflicts=True)
    assert Delivery.objects.count() == 1
    Delivery.objects.update(claimed_until=clock() + timedelta(seconds=9))
    assert delivery.send(row, clock=clock) is False
    assert receiver.got == []
