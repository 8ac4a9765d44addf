"""Settling a short order outside, and opening it again, as people do it."""

from __future__ import annotations

import pytest
from django.test import Client

from orders import settlement
from orders.actors import person
from orders.models import Adjustment, EventKind, Order, OrderEvent
from tests.coc_admin.console.scene import NOW, Scene

FILLED = {"reference": "PO-77", "reason": "Store 12 ships the rest."}


def test_settling_outside_says_what_it_means_and_records_it_once(
    merchandiser: Client, outage: Scene
) -> None:
    path = f"/orders/{outage.partial.pk}/settle/"
    order_page = f"/orders/{outage.partial.pk}/"
    assert path.encode() in merchandiser.get(order_page).content
    page = merchandiser.get(path).content
    assert b"The 2 short units are recorded as secured outside OCI" in page
    assert b"It is not shown as reserved" in page

    for _ in range(2):
        answer = merchandiser.post(path, FILLED)
        assert (answer.status_code, answer["Location"]) == (302, order_page)

    told = [
        (line.title, line.who, line.why) for line in merchandiser.get(order_page).context["story"]
    ]
    assert told[-1] == ("Settled outside", "mia", "PO-77: Store 12 ships the rest.")
    assert [title for title, _, _ in told].count("Settled outside") == 1
    assert list(Order.objects.oversold()) == [outage.nothing]


def test_reference_and_reason_are_needed(merchandiser: Client, outage: Scene) -> None:
    answer = merchandiser.post(f"/orders/{outage.partial.pk}/settle/", {"reference": " "})
    assert b"Enter a reference that others can look up" in answer.content
    assert b"Enter a reason." in answer.content
    assert not OrderEvent.objects.filter(kind=EventKind.RESOLVED).exists()


def test_the_loser_of_a_race_sees_what_happened_and_keeps_the_input(
    merchandiser: Client, outage: Scene
) -> None:
    settlement.settle_outside(
        order_id=outage.partial.pk,
        reference="PO-1",
        actor=person("otto"),
        reason="I was first.",
        now=NOW,
    )
    answer = merchandiser.post(f"/orders/{outage.partial.pk}/settle/", FILLED)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Not recorded. Nothing was changed." in page
    assert "The order was settled as “Settled outside” by otto." in page
    assert 'value="PO-77"' in page
    assert 'value="Store 12 ships the rest."' in page
    assert Order.objects.get(pk=outage.partial.pk).resolution_by == "otto"


def test_opening_again(merchandiser: Client, outage: Scene) -> None:
    merchandiser.post(f"/orders/{outage.nothing.pk}/settle/", FILLED)
    path = f"/orders/{outage.nothing.pk}/reopen/"
    assert path.encode() in merchandiser.get(f"/orders/{outage.nothing.pk}/").content
    assert b"PO-77: Store 12 ships the rest." in merchandiser.get(path).content
    assert merchandiser.post(path, {"reason": "They did not."}).status_code == 302
    assert outage.nothing in Order.objects.oversold()
    told = OrderEvent.objects.filter(order=outage.nothing).latest("pk")
    assert (told.kind, told.actor, told.reason) == ("reopened", "mia", "They did not.")


@pytest.mark.parametrize("what", ["settle", "reopen"])
def test_viewers_may_not(viewer: Client, outage: Scene, what: str) -> None:
    path = f"/orders/{outage.partial.pk}/{what}/"
    assert path.encode() not in viewer.get(f"/orders/{outage.partial.pk}/").content
    assert viewer.get(path).status_code == 403
    assert viewer.post(path, FILLED).status_code == 403
    assert outage.partial in Order.objects.oversold()


def test_a_complete_order_has_nothing_to_settle(merchandiser: Client, outage: Scene) -> None:
    path = f"/orders/{outage.complete.pk}/settle/"
    assert b"No item of the order is short." in merchandiser.get(path).content
    assert merchandiser.post(path, FILLED).status_code == 409
    assert not OrderEvent.objects.filter(kind=EventKind.RESOLVED).exists()


def test_the_order_offers_to_settle_it_wherever_the_page_behind_does(
    merchandiser: Client, outage: Scene
) -> None:
    """An order in review may be settled outside; so may one that order management has."""
    for change in ({"needs_review_since": NOW}, {"export_status": "exported"}):
        Order.objects.filter(pk=outage.partial.pk).update(needs_review_since=None)
        Order.objects.filter(pk=outage.partial.pk).update(**change)
        path = f"/orders/{outage.partial.pk}/settle/"
        assert path.encode() in merchandiser.get(f"/orders/{outage.partial.pk}/").content
        assert b'name="reference"' in merchandiser.get(path).content
    assert merchandiser.post(path, FILLED).status_code == 302


def test_an_order_with_an_open_remedy_is_not_settled_until_that_has_ended(
    merchandiser: Client, outage: Scene
) -> None:
    Adjustment.objects.create(
        order=outage.partial,
        document=outage.partial.documents.get(),
        actor_kind="person",
        actor="otto",
        reason="r",
        asked_at=NOW,
    )
    Order.objects.filter(pk=outage.partial.pk).update(open_remedy="adjustment")
    path = f"/orders/{outage.partial.pk}/settle/"
    assert path.encode() not in merchandiser.get(f"/orders/{outage.partial.pk}/").content
    page = merchandiser.get(path).content
    assert b"A reservation of the order is being adjusted." in page
    assert b'name="reference"' not in page
    assert merchandiser.post(path, FILLED).status_code == 409
    assert not OrderEvent.objects.filter(kind=EventKind.RESOLVED).exists()


@pytest.mark.parametrize("what", ["cancel", "settle"])
def test_an_order_that_changed_since_the_page_was_shown_is_shown_again(
    merchandiser: Client, outage: Scene, what: str
) -> None:
    path = f"/orders/{outage.partial.pk}/{what}/"
    (planned,) = merchandiser.get(path).context["planned"]
    form = FILLED | {"mark": f"{outage.partial.pk}:{planned.mark}"}
    Order.objects.filter(pk=outage.partial.pk).update(generation=7)
    answer = merchandiser.post(path, form)
    assert answer.status_code == 409
    assert b"Nothing was changed." in answer.content
    assert b'value="Store 12 ships the rest."' in answer.content
    assert outage.partial in Order.objects.oversold()

    (planned,) = answer.context["planned"]
    form["mark"] = f"{outage.partial.pk}:{planned.mark}"
    for _ in range(2):
        assert merchandiser.post(path, form).status_code == 302
