"""Remedies for many orders at once: preview, confirmation, result."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from coc_admin.models import AuditEntry, Profile
from orders import settlement
from orders.actors import person
from orders.models import (
    EventKind,
    ExportStatus,
    InventoryRecord,
    Order,
    OrderEvent,
    OrderItem,
    OrderStatus,
    Resolution,
)
from reconciliation.models import BulkLine, BulkRemedy
from reconciliation.remedies.bulk import execution
from tests.coc_admin.console import scene
from tests.coc_admin.console.bulk.choosing import (
    OUTSIDE,
    WHY,
    begin,
    chosen,
    confirm,
    marks,
    results,
)
from tests.coc_admin.console.scene import NOW, Scene


def test_a_preview_changes_nothing_and_says_what_would_happen(
    merchandiser: Client, outage: Scene
) -> None:
    events = OrderEvent.objects.count()
    path = begin(merchandiser, "cancel", [outage.partial, outage.waiting, outage.cancelled])
    page = merchandiser.get(path)
    assert [one.order for one in page.context["to_do"]] == [outage.partial, outage.waiting]
    words = page.content.decode()
    assert "OCI may hold units for 1 of them." in words
    assert "1 reserved are released" in words
    assert "does not know it" in words
    assert "This cannot be undone" in words
    assert "Cancelled by mia." in words
    assert OrderEvent.objects.count() == events


def test_what_an_act_leaves_out_stays_selected_and_is_told(
    merchandiser: Client, outage: Scene
) -> None:
    # Nothing is reserved of one: its short items alone can't be cancelled. One is not on the desk.
    path = begin(merchandiser, "cancel_short", [outage.partial, outage.nothing, outage.complete])
    confirm(merchandiser, path, WHY)
    assert chosen(merchandiser) == {outage.nothing.pk}
    told = {"en": "1 done, 1 still selected.", "de": "1 erledigt, 1 noch gewählt."}
    for language, words in told.items():
        page = merchandiser.get(path, headers={"accept-language": language}).content.decode()
        assert words in page
        assert 'href="/desk/#chosen"' in page
    desk = merchandiser.get("/desk/").content.decode()
    assert re.search(rf'name="order" value="{outage.nothing.pk}"[^>]* checked', desk)
    second = begin(merchandiser, "cancel", [outage.nothing])
    confirm(merchandiser, second, WHY)
    assert chosen(merchandiser) == set()
    assert "still selected" not in merchandiser.get(second).content.decode()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("nothing is reserved", "OCI has reserved nothing for it.")),
        ("de", ("nichts ist reserviert", "OCI hat für sie nichts reserviert.")),
    ],
)
def test_no_preview_releases_zero_units(
    merchandiser: Client, outage: Scene, language: str, words: tuple[str, str]
) -> None:
    in_table, consequence = words
    header = {"accept-language": language}
    path = begin(merchandiser, "cancel", [outage.nothing])
    bulk = merchandiser.get(path, headers=header).content.decode()
    single = merchandiser.get(
        f"/orders/{outage.nothing.pk}/cancel/", headers=header
    ).content.decode()
    assert in_table in bulk
    for page in (bulk, single):
        assert consequence in page
        assert not re.search(r"\b0 (reserv|of|von)", page)


def test_many_orders_are_cancelled_once(merchandiser: Client, outage: Scene) -> None:
    ato = InventoryRecord.objects.get(sku="MUG-01", inventory_list="NorthShop-stock").ato
    path = begin(merchandiser, "cancel", [outage.partial, outage.waiting, outage.cancelled])
    form = WHY | {"mark": marks(merchandiser.get(path))}
    for _ in range(2):
        answer = merchandiser.post(path, form)
        assert (answer.status_code, answer["Location"]) == (302, path)
    assert results(merchandiser, path) == {
        "0000012341": (
            "done",
            "OCI may hold units for it. They are released in the background.",
        ),
        "0000012345": ("done", ""),
        "0000012344": ("already", "Cancelled by mia."),
    }
    for order, status in (
        (outage.partial, OrderStatus.CANCELLING),
        (outage.waiting, OrderStatus.CANCELLED),
    ):
        order.refresh_from_db()
        assert (order.status, order.resolution_note) == (status, "Sold out for good.")
    asked = OrderEvent.objects.filter(kind=EventKind.CANCEL_REQUESTED, actor="mia", at__gt=NOW)
    assert asked.count() == 2
    assert InventoryRecord.objects.get(sku="MUG-01", inventory_list="NorthShop-stock").ato == (
        ato + 2
    )
    assert chosen(merchandiser) == set()
    logged = AuditEntry.objects.get(action="desk.bulk")
    assert logged.target == f"bulk:{BulkRemedy.objects.get().pk}"
    assert (logged.detail["orders"], logged.detail["left_out"]) == (2, 1)


def test_short_items_are_cancelled_and_opened_again(merchandiser: Client, outage: Scene) -> None:
    path = begin(merchandiser, "cancel_short", [outage.partial, outage.nothing])
    page = merchandiser.get(path)
    assert [one.closed for one in page.context["left_out"]] == [
        "No item of the order is reserved. Cancel the whole order."
    ]
    confirm(merchandiser, path, WHY)
    assert results(merchandiser, path)["0000012341"] == ("done", "")
    assert results(merchandiser, path)["0000012342"][0] == "left_out"
    outage.partial.refresh_from_db()
    assert outage.partial.resolution == Resolution.SHORT_CANCELLED
    assert list(Order.objects.oversold()) == [outage.nothing]

    undo = merchandiser.post(f"{path}undo/")["Location"]
    assert undo != path
    confirm(merchandiser, undo, {"reason": "A delivery has come."})
    assert results(merchandiser, undo) == {"0000012341": ("done", "")}
    assert set(Order.objects.oversold()) == {outage.partial, outage.nothing}
    assert not OrderItem.objects.filter(cancelled_quantity__gt=0).exists()


def test_settling_outside_needs_reference_and_reason(merchandiser: Client, outage: Scene) -> None:
    path = begin(merchandiser, "settle_outside", [outage.partial, outage.nothing])
    answer = confirm(merchandiser, path, {"reference": " ", "reason": ""})
    assert b"Enter a reference that others can look up" in answer.content
    assert b"Enter a reason." in answer.content
    assert Order.objects.oversold().count() == 2

    confirm(merchandiser, path, OUTSIDE)
    assert {state for state, _ in results(merchandiser, path).values()} == {"done"}
    notes = Order.objects.filter(resolution=Resolution.SETTLED_OUTSIDE)
    assert {order.resolution_note for order in notes} == {"PO-77: Sold out for good."}
    assert not Order.objects.oversold().exists()

    undo = merchandiser.post(f"{path}undo/")["Location"]
    confirm(merchandiser, undo, WHY)
    assert Order.objects.oversold().count() == 2
    assert b"There is nothing to undo." in merchandiser.post(f"{undo}undo/", follow=True).content


def test_orders_that_moved_on_since_the_preview_are_shown_and_nothing_is_done(
    merchandiser: Client, outage: Scene
) -> None:
    path = begin(merchandiser, "settle_outside", [outage.partial, outage.nothing])
    form = OUTSIDE | {"mark": marks(merchandiser.get(path))}
    settlement.settle_outside(
        order_id=outage.partial.pk,
        reference="PO-1",
        actor=person("otto"),
        reason="I was first.",
        now=NOW,
    )
    answer = merchandiser.post(path, form)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert page.count("Has changed") == 1
    assert "Settled outside by otto." in page
    assert 'value="PO-77"' in page
    assert 'value="Sold out for good."' in page
    assert list(Order.objects.oversold()) == [outage.nothing]
    assert BulkRemedy.objects.get().confirmed_at is None

    merchandiser.post(path, OUTSIDE | {"mark": marks(answer)})
    assert results(merchandiser, path) == {
        "0000012341": ("already", "Settled outside by otto."),
        "0000012342": ("done", ""),
    }
    assert Order.objects.get(pk=outage.partial.pk).resolution_by == "otto"


def test_a_preview_may_be_confirmed_in_another_language(
    merchandiser: Client, outage: Scene
) -> None:
    """`cancelled` is closed to it, and why is a sentence of the reader's language."""
    path = begin(
        merchandiser, "settle_outside", [outage.partial, outage.cancelled], listing="orders"
    )
    form = OUTSIDE | {"mark": marks(merchandiser.get(path))}
    answer = merchandiser.post(path, form, headers={"accept-language": "de"})
    assert answer.status_code == 302
    states = BulkLine.objects.order_by("order__captured_at").values_list("order", "state")
    assert dict(states) == {outage.partial.pk: "done", outage.cancelled.pk: "left_out"}


def test_what_changes_after_the_confirmation_is_refused_with_why(
    merchandiser: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begin(merchandiser, "cancel", [outage.partial, outage.waiting])
    monkeypatch.setattr(execution, "AT_ONCE", 1)
    confirm(merchandiser, path, WHY)
    page = merchandiser.get(path)
    assert page.context["pending"] == 1
    assert b"Continue with the next 1" in page.content
    assert chosen(merchandiser) == set()
    Order.objects.filter(pk=outage.waiting.pk).update(
        status=OrderStatus.FAILED, export_status=ExportStatus.NOT_EXPORTED
    )
    assert merchandiser.post(path)["Location"] == path
    assert results(merchandiser, path)["0000012345"] == (
        "refused",
        "The order has failed. Units still held for it are given back automatically; there is"
        " nothing to cancel.",
    )
    assert b"Go on" not in merchandiser.get(path).content


def test_two_that_carry_on_at_once_do_each_order_once(merchandiser: Client, outage: Scene) -> None:
    path = begin(merchandiser, "cancel", [outage.partial, outage.waiting])
    confirm(merchandiser, path, WHY)
    made = BulkRemedy.objects.get()
    BulkLine.objects.filter(order=outage.waiting).update(state="pending")
    for _ in range(2):
        merchandiser.post(path)
    assert results(merchandiser, path)["0000012345"] == ("already", "Cancelled by mia.")
    assert made.lines.filter(state="pending").count() == 0
    asked = OrderEvent.objects.filter(kind=EventKind.CANCEL_REQUESTED, order=outage.waiting)
    assert asked.count() == 1


def test_nothing_to_do_is_said_and_not_confirmed(merchandiser: Client, outage: Scene) -> None:
    path = begin(merchandiser, "settle_outside", [outage.complete], listing="orders")
    page = merchandiser.get(path)
    assert b"None of the selected orders allows this" in page.content
    assert b'name="reason"' not in page.content
    merchandiser.post(path, OUTSIDE | {"mark": f"{outage.complete.pk}:{'0' * 12}"})
    made = page.context["planned"][0]
    merchandiser.post(path, OUTSIDE | {"mark": f"{outage.complete.pk}:{made.mark}"})
    assert BulkRemedy.objects.get().confirmed_at is None
    assert not OrderEvent.objects.filter(kind=EventKind.RESOLVED).exists()


def test_a_remedy_is_open_to_its_own_person_alone(
    merchandiser: Client, operator: Client, viewer: Client, outage: Scene
) -> None:
    path = begin(merchandiser, "cancel", [outage.partial])
    assert operator.get(path).status_code == 404
    assert operator.post(path, WHY).status_code == 404
    assert operator.post(f"{path}undo/").status_code == 404
    assert viewer.get(path).status_code == 403
    assert merchandiser.get(f"/bulk/{uuid.uuid4()}/").status_code == 404
    outage.partial.refresh_from_db()
    assert outage.partial.status == OrderStatus.NEW


def test_orders_of_another_site_are_neither_shown_nor_changed(
    merchandiser: Client, outage: Scene
) -> None:
    path = begin(merchandiser, "cancel", [outage.partial])
    shown = marks(merchandiser.get(path))
    profile = Profile.objects.create(user=User.objects.get(username="mia"), every_site=False)
    profile.sites.set(["South Shop & Co"])
    assert list(merchandiser.get(path).context["planned"]) == []
    merchandiser.post(path, WHY | {"mark": shown})
    outage.partial.refresh_from_db()
    assert outage.partial.status == OrderStatus.NEW
    for do in ("cancel", "settle_outside"):
        other = begin(merchandiser, do, [outage.nothing])
        assert not BulkLine.objects.filter(bulk=uuid.UUID(other.split("/")[2])).exists()
    assert "0000012342" not in merchandiser.get("/orders/").content.decode()


def test_old_drafts_go(merchandiser: Client, outage: Scene) -> None:
    begin(merchandiser, "cancel", [outage.partial])
    BulkRemedy.objects.update(created_at=timezone.now() - timedelta(days=2))
    path = begin(merchandiser, "cancel", [outage.partial])
    assert [f"/bulk/{made.pk}/" for made in BulkRemedy.objects.all()] == [path]
    assert BulkLine.objects.count() == 1


def test_preview_and_result_take_a_bounded_number_of_queries(
    merchandiser: Client, outage: Scene, django_assert_max_num_queries: Any
) -> None:
    many = [
        scene.place(outage.site, f"N{number:02d}", items=[("JUG-03", 1)]) for number in range(30)
    ]
    path = begin(merchandiser, "cancel", many)
    with django_assert_max_num_queries(30):
        page = merchandiser.get(path)
    assert len(page.context["to_do"]) == 30
    confirm(merchandiser, path, WHY)
    with django_assert_max_num_queries(24):
        page = merchandiser.get(path)
    assert {row.line.state for row in page.context["rows"]} == {"done"}
