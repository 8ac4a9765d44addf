"""Practising an outage in the browser: preview, start, what pages say meanwhile, end, the tick."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from coc_admin import first_run
from coc_admin.accounts.audit_log import AuditEntry
from coc_admin.first_run import State
from orders.models import Order, ReservationState, Site
from reconciliation import connection
from reconciliation.models import Connection, Outage, PlannedOutage
from reconciliation.outages import planned
from reconciliation.queue import heartbeats
from tests.coc_admin.console import scene

PAGE = "/outages/practice/"


@pytest.fixture
def shop(db: None) -> Site:
    heartbeats.beat(component=heartbeats.MONITOR, now=timezone.now())
    return scene.make_shop()


def text(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


def start(client: Client, minutes: int = 10) -> None:
    answer = client.post(PAGE, {"minutes": minutes, "previewed": minutes})
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/")


def come_back() -> None:
    for _ in range(5):
        connection.note_good_probe(timezone.now())
    assert connection.mark_online_if_drained(timezone.now())


def step() -> first_run.Step:
    return next(one for one in first_run.steps() if one.key == "practice")


def test_practice_begins_only_after_its_preview(operator: Client, shop: Site) -> None:
    answer = operator.post(PAGE, {"minutes": 10})
    assert "NorthShop" in answer.content.decode()
    assert answer.context["previewed"] == 10
    # Another length than the one shown is shown first.
    answer = operator.post(PAGE, {"minutes": 20, "previewed": 10})
    assert answer.context["previewed"] == 20
    answer = operator.post(PAGE, {"minutes": 31, "previewed": 31})
    assert "Choose 5 to 30 minutes." in answer.content.decode()
    assert not PlannedOutage.objects.exists()
    start(operator, 20)
    window = PlannedOutage.objects.get()
    assert (window.is_practice, window.ends_at - window.starts_at) == (True, timedelta(minutes=20))
    assert AuditEntry.objects.get().action == "outage.practice_begun"


def test_pages_say_that_it_is_practice_and_end_it(operator: Client, shop: Site) -> None:
    start(operator)
    outage = Outage.objects.get()
    for address in ("/", f"/outages/{outage.pk}/"):
        page = text(operator, address)
        assert "Practice outage: Omnichannel Inventory is offline on purpose" in page
        assert "End practice now" in page
    assert "This is a practice outage" in text(operator, f"/outages/{outage.pk}/")
    assert "Practice" in text(operator, "/outages/")
    assert "A practice is running until" in text(operator, PAGE)
    answer = operator.post("/outages/practice/end/", {"back": "outage"})
    assert answer["Location"] == f"/outages/{outage.pk}/"
    assert operator.post("/outages/practice/end/")["Location"] == "/"
    page = text(operator, "/")
    assert "The practice outage has ended; Omnichannel Inventory is being checked" in page
    assert "End practice now" not in page
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["outage.practice_begun", "outage.practice_ended"]


def test_real_outage_that_follows_is_not_called_practice(operator: Client, shop: Site) -> None:
    start(operator)
    operator.post("/outages/practice/end/")
    connection.force_offline(
        actor=scene.JOB, reason="Wrong stock.", now=timezone.now() + timedelta(seconds=1)
    )
    page = text(operator, "/")
    assert "Taken offline by reconciliation: Wrong stock." in page
    assert "ractice outage" not in page


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"offline_capture": False}, "Offline capture is off at NorthShop"),
        ({"cap_offline_minutes": 3}, "longer than the limit of minutes at NorthShop"),
    ],
)
def test_refusal_is_explained_and_nothing_begins(
    operator: Client, shop: Site, fault: dict[str, object], sentence: str
) -> None:
    Site.objects.update(**fault)
    assert sentence in text(operator, PAGE)
    answer = operator.post(PAGE, {"minutes": 10, "previewed": 10})
    assert sentence in answer.content.decode()
    assert not PlannedOutage.objects.exists()
    assert connection.current().state == "ONLINE"


def test_viewer_is_not_offered_a_practice(viewer: Client, shop: Site) -> None:
    assert PAGE not in text(viewer, "/outages/")
    assert viewer.get(PAGE).status_code == viewer.post(f"{PAGE}end/").status_code == 403


def test_list_ticks_once_an_order_of_a_practice_was_reconciled(
    operator: Client, shop: Site
) -> None:
    assert (step().state, step().page) == (State.TO_DO, "practice_outage")
    start(operator)
    assert "is running until" in step().text
    operator.post("/outages/practice/end/")
    come_back()
    assert "captured no order" in step().text
    start(operator)
    scene.place(shop, "1", minutes_ago=0, now=timezone.now())
    planned.keep_times(timezone.now() + timedelta(minutes=10))
    assert Connection.objects.get().state == "OFFLINE"
    assert "is running until" in step().text
    Order.objects.update(reservation_state=ReservationState.COMPLETE)
    Connection.objects.update(proved_at=timezone.now())
    come_back()
    assert step().state == State.DONE
