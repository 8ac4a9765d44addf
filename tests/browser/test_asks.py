"""Asking a customer first in a real browser: asked, waiting, accepted, one click from replaced."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from orders.models import Ask, Order
from reconciliation.models import AttemptOutcome
from tests.browser.conftest import Open, axe_findings, look, scrolls_sideways
from tests.coc_admin.console import scene
from tests.factories import know_stock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")


def short_order(outage: scene.Scene) -> Order:
    order = scene.place(outage.site, "0000012399", items=[("CUP-02", 2)], minutes_ago=70)
    scene.answer(outage.run, order, 0, outcome=AttemptOutcome.NOTHING)
    know_stock({"ALIKE": 50}, list_id="NorthShop-stock", at=scene.NOW)
    return order


def look_at(page: Page, name: str, width: int, *, javascript: bool = True) -> None:
    """Check a page in both colour schemes at the width it has."""
    for colours in ("light", "dark"):
        if javascript:
            look(page, colours, width)
            # Colours change in a fraction of a second.
            page.wait_for_timeout(400)
        else:
            page.emulate_media(color_scheme=colours)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{colours}.png", full_page=True)
        if javascript:
            assert axe_findings(page) == []
            assert not scrolls_sideways(page)


@pytest.mark.parametrize(("width", "javascript"), [(1440, True), (360, True), (360, False)])
def test_a_customer_is_asked_and_accepts(
    outage: scene.Scene, open_page: Open, width: int, javascript: bool
) -> None:
    order = short_order(outage)
    name = f"ask-{width}" if javascript else "ask-plain"
    page = open_page(f"/desk/?order={order.pk}&sku_by=ALIKE", width=width, javascript=javascript)
    page.get_by_text("Ask the customer first").click()
    button = page.get_by_role("button", name="Send the question and go to the next order")
    expect(page.get_by_text("Asking holds nothing and promises nothing.")).to_be_visible()
    look_at(page, f"{name}-form", width, javascript=javascript)
    button.click()
    expect(page.locator("#result")).to_contain_text("customer asked; nothing is decided yet")
    expect(page.locator("#result")).to_contain_text("The customer was notified.")

    page.goto("/desk/")
    page.get_by_role("link", name="Waiting for the customer: 1 order").click()
    page.wait_for_url("**/desk/?asked=waiting")
    look_at(page, f"{name}-list", width, javascript=javascript)
    page.locator(".desk-open").click()
    accepted = page.get_by_role("button", name="Accepted")
    expect(accepted).to_be_visible()
    box = accepted.bounding_box()
    assert box is not None
    assert min(box["height"], box["width"]) >= 24
    page.get_by_label("Note on the answer").fill("Called back.")
    look_at(page, f"{name}-waiting", width, javascript=javascript)
    accepted.click()
    replace = page.locator("details[open] [data-do]")
    expect(replace).to_contain_text("Replace 2 items and go to the next order")
    expect(page.get_by_text("The customer's answer: Accepted")).to_be_visible()
    look_at(page, f"{name}-accepted", width, javascript=javascript)
    assert Ask.objects.get().note == "Called back."


def test_another_day_is_drafted(outage: scene.Scene, open_page: Open) -> None:
    order = short_order(outage)
    page = open_page(f"/desk/?order={order.pk}&sku_by=ALIKE", width=1440)
    page.get_by_text("Ask the customer first").click()
    message = page.locator(".question-samples .summary-text")
    expect(message).to_contain_text("ALIKE instead of Stoneware CUP-02")
    page.get_by_label("Or ask whether the customer waits").fill(
        f"{timezone.localdate() + timedelta(days=90)}"
    )
    page.get_by_role("button", name="Draft the question").click()
    expect(page.get_by_text("Offer: to deliver it by")).to_be_visible()
    look_at(page, "ask-wait", 1440)
    page.get_by_role("link", name="Offer the replacement instead").click()
    expect(page.get_by_text("Offer the replacement instead")).to_have_count(0)
