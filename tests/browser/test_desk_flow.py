"""The desk as a flow: clicks, page loads and keys, counted against their limits."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from orders.models import CustomerMessage, InventoryRecord, Order
from reconciliation.models import AttemptOutcome
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")
TWENTY = 20


class Counted:
    """A page that counts its clicks and document loads."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        self.loads = 0
        page.on("request", self._asked)

    def _asked(self, request: object) -> None:
        self.loads += bool(getattr(request, "is_navigation_request", lambda: False)())

    def click(self, name: str) -> None:
        """Click on the only open button or link with this text."""
        self.clicks += 1
        self.page.locator(name).first.click()


def sell_out() -> None:
    """Let nothing be left in stock, so that cancelling is proposed."""
    InventoryRecord.objects.update(snapshot_ato=Decimal(0), ato=0)


def backlog(outage: scene.Scene, number: int) -> None:
    """Add short orders until there are so many."""
    for at in range(number - Order.objects.oversold().count()):
        order = scene.place(outage.site, f"F-{at:02}", items=[("JUG-03", 1)], minutes_ago=20)
        scene.answer(outage.run, order, 0, outcome=AttemptOutcome.NOTHING)


def test_twenty_orders_are_settled_and_told(outage: scene.Scene, open_page: Open) -> None:
    backlog(outage, TWENTY)
    sell_out()
    counted = Counted(open_page("/desk/", width=1440))
    page = counted.page
    rows = page.locator("tr[data-key-row]")
    assert rows.nth(15).bounding_box()["y"] + 36 <= 900  # type: ignore[index]
    counted.click(".desk-open")
    expect(page.locator("#panel")).to_be_focused()
    assert axe_findings(page) == []
    assert not scrolls_sideways(page)
    for left in range(TWENTY - 1, -1, -1):
        counted.click("details[open] [data-do]")
        expect(page.locator("#result")).to_contain_text("The customer was notified.")
        if left:
            expect(page.locator(".page-note")).to_contain_text(f"{left} of {TWENTY} left.")
            expect(page.locator("#result")).to_be_focused()
        if left == TWENTY // 2:
            assert counted.clicks <= 25  # ten orders
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / "desk-flow.png")
    expect(page.locator("#panel")).to_have_count(0)
    assert counted.clicks <= 60
    assert counted.loads <= 20
    assert not Order.objects.oversold().exists()
    assert CustomerMessage.objects.count() == len(mail.outbox) == TWENTY


def test_the_same_by_keys_and_without_javascript(outage: scene.Scene, open_page: Open) -> None:
    sell_out()
    page = open_page("/desk/", width=1440)
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#panel")).to_be_focused()
    page.keyboard.press("d")
    expect(page.locator("details[open] [data-do]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_contain_text("short items cancelled")
    page.keyboard.press("u")
    expect(page.locator("#result")).to_contain_text("open again")

    plain = open_page("/desk/", width=360, javascript=False)
    plain.locator(".desk-open").last.click()
    plain.locator("details[open] [name=body]").fill("Typed without a script")
    plain.locator("details[open] [data-do]").click()
    expect(plain.locator("#result")).to_contain_text("The customer was notified.")
    assert mail.outbox[-1].body == "Typed without a script"
