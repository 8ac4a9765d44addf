"""A practice outage in a real browser, from the set-up list to its tick."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect

from orders.models import Order, ReservationState, Site
from reconciliation import connection
from reconciliation.models import Connection
from reconciliation.queue import heartbeats
from tests.browser.conftest import Open, axe_findings
from tests.coc_admin.console import scene


@pytest.fixture
def shop(operator: User) -> Site:
    operator.groups.set(Group.objects.all())
    heartbeats.beat(component=heartbeats.MONITOR, now=timezone.now())
    return scene.make_shop()


def step(page: Page) -> str:
    item = page.locator(".first-run li").filter(has_text="Practised an outage")
    return " ".join(item.inner_text().split())


def begin(page: Page) -> None:
    page.get_by_role("link", name="Practised an outage").click()
    expect(page.locator("#minutes")).to_have_value("10")
    page.get_by_role("button", name="Show what will happen").click()
    expect(page.get_by_text("What will really happen")).to_be_visible()
    page.get_by_role("button", name="Start the practice now").click()
    expect(page.locator(".headline")).to_contain_text("offline on purpose")


def reconcile() -> None:
    """Act as monitor and worker: prove OCI, and reserve the waiting orders."""
    Order.objects.update(reservation_state=ReservationState.COMPLETE)
    for _ in range(5):
        connection.note_good_probe(timezone.now())
    assert connection.mark_online_if_drained(timezone.now())


@pytest.mark.parametrize("javascript", [True, False])
def test_practice_leads_from_the_list_to_its_tick(
    shop: Site, open_page: Open, javascript: bool
) -> None:
    page = open_page("/", javascript=javascript)
    assert step(page).startswith("To do Practised an outage")
    begin(page)
    expect(page).to_have_title(re.compile("^Practice"))
    scene.place(shop, "1", minutes_ago=0, now=timezone.now())
    page.get_by_role("link", name="Open this outage").click()
    expect(page.locator(".notice.tone-info")).to_contain_text("This is a practice outage")
    button = page.get_by_role("button", name="End practice now")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    button.click()
    expect(
        page.get_by_text("The practice has ended. The connection is being checked.")
    ).to_be_visible()
    assert Connection.objects.get().state == "OFFLINE"
    reconcile()
    page.goto("/")
    assert step(page) == "Done Practised an outage"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_a_practice_are_accessible_and_fit(
    shop: Site, open_page: Open, scheme: str
) -> None:
    page = open_page("/outages/practice/", scheme=scheme, width=360, still=True)
    page.get_by_role("button", name="Show what will happen").click()
    expect(page.get_by_text("What will really happen")).to_be_visible()
    assert axe_findings(page) == []
    page.get_by_role("button", name="Start the practice now").click()
    expect(page.locator(".headline")).to_contain_text("offline on purpose")
    for path in ("/", "/outages/", "/outages/practice/"):
        page.goto(path)
        assert axe_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 360
