"""People and workers at the same alert and delivery at once, on PostgreSQL; each with a control."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from orders.actors import person
from reconciliation.alerts.actions import AlertMoved, assign, snooze
from reconciliation.alerts.channels import delivery, outbox
from reconciliation.models import (
    Alert,
    AlertEvent,
    AlertSnooze,
    Channel,
    ChannelKind,
    Delivery,
    Priority,
)
from tests.alerts import raise_alert, resolve_alert
from tests.concurrency.together import at_once
from tests.factories import START
from tests.receiver import Receiver, receiver

__all__ = ["receiver"]

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

AT_ONCE = 6


def lost(message: str = "1 order waits.") -> Alert:
    return raise_alert(descriptor="oci_offline", priority=Priority.WARN, message=message, now=START)


def kinds() -> list[str]:
    return list(AlertEvent.objects.values_list("kind", flat=True))


def test_an_alert_raised_by_many_at_once_is_raised_once() -> None:
    at_once(AT_ONCE, lambda _: str(lost().pk))
    assert Alert.objects.get().revision == 1
    resolve_alert(descriptor="oci_offline", now=START)
    at_once(AT_ONCE, lambda _: str(lost().pk))
    assert (Alert.objects.get().occurrence, kinds()) == (2, ["raised", "resolved", "raised"])


def taken_by_all(alert: Alert, *, guarded: bool) -> list[str]:
    def act(index: int) -> str:
        seen = 0 if guarded else Alert.objects.get(pk=alert.pk).handled
        try:
            assign(
                alert_id=alert.pk,
                seen=seen,
                assignee=f"person {index}",
                actor=person(f"person {index}"),
                now=START,
            )
        except AlertMoved:
            return "moved"
        return "assigned"

    return at_once(AT_ONCE, act) if guarded else [act(index) for index in range(AT_ONCE)]


def test_of_people_at_the_same_alert_one_wins_and_the_others_are_told() -> None:
    told = taken_by_all(lost(), guarded=True)
    assert told == ["assigned"] + ["moved"] * (AT_ONCE - 1)
    assert kinds() == ["raised", "assigned"]


def test_without_what_was_seen_each_would_overwrite_the_other() -> None:
    assert taken_by_all(lost(), guarded=False) == ["assigned"] * AT_ONCE


def test_people_who_snooze_at_once_each_get_their_own() -> None:
    alert = lost()
    people = [User.objects.create(username=f"person {index}") for index in range(2)]

    def act(index: int) -> str:
        snooze(
            alert_id=alert.pk,
            seen=0,
            user_id=people[index % 2].pk,
            until=START + timedelta(hours=1),
            actor=person(f"person {index % 2}"),
            now=START,
        )
        return "snoozed"

    assert at_once(AT_ONCE, act) == ["snoozed"] * AT_ONCE
    assert AlertSnooze.objects.count() == 2
    assert kinds() == ["raised", "snoozed", "snoozed"]


@pytest.fixture
def due(receiver: Receiver) -> Delivery:
    """Return the deliveries due to one webhook."""
    Channel.objects.create(
        name="Pager",
        kind=ChannelKind.WEBHOOK,
        target=f"{receiver.url}/hook",
        least_priority=Priority.WARN,
    )
    lost()
    at_once(AT_ONCE, lambda _: str(outbox.write_due(START)))
    return Delivery.objects.select_related("channel").get()


def test_what_is_due_is_written_once_and_sent_once(receiver: Receiver, due: Delivery) -> None:
    def act(_: int) -> str:
        row = Delivery.objects.select_related("channel").get(pk=due.pk)
        return str(delivery.send(row, clock=lambda: START))

    assert at_once(AT_ONCE, act) == ["False"] * (AT_ONCE - 1) + ["True"]
    assert len(receiver.got) == 1


def test_without_its_claim_it_would_be_sent_by_all(receiver: Receiver, due: Delivery) -> None:
    def act(_: int) -> str:
        delivery.hand_over(due, at=START)
        return "sent"

    assert at_once(AT_ONCE, act) == ["sent"] * AT_ONCE
    assert len(receiver.got) == AT_ONCE
    assert {got.json["deliveryId"] for got in receiver.got} == {str(due.uid)}


def test_one_worker_delivers_at_a_time(receiver: Receiver, due: Delivery) -> None:
    def act(_: int) -> str:
        return str(delivery.deliver_due(clock=lambda: START))

    results: Any = at_once(AT_ONCE, act)
    assert results.count("1") == 1
    assert len(receiver.got) == 1
