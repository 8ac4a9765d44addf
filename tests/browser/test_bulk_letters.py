"""Ticked orders of the desk: the floating bar, and one act that settles and tells them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Page, expect

from orders.models import CustomerMessage, Order
from reconciliation.decisions import bulk_sending
from reconciliation.models import AttemptOutcome
from tests import sampling
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.browser.test_desk_flow import Counted, sell_out
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")
TEN = 10
MOST_CLICKS = 12
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (360, 768, 1440)]


def backlog(outage: scene.Scene, number: int) -> None:
    """Add orders that lack a part, after the others of the scene, until so many are short."""
    for at in range(number - Order.objects.oversold().count()):
        order = scene.place(
            outage.site, f"F-{at:02}", items=[("JUG-03", 1), ("MUG-01", 2)], minutes_ago=20
        )
        scene.answer(outage.run, order, 0, 1, outcome=AttemptOutcome.PARTIAL)


def look(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")
    assert axe_findings(page) == []
    assert not scrolls_sideways(page)


def box(page: Page, selector: str) -> Any:
    return page.locator(selector).last.bounding_box()


def test_ten_ticked_orders_are_settled_and_told(outage: scene.Scene, open_page: Open) -> None:
    backlog(outage, TEN)
    sell_out()
    counted = Counted(open_page("/desk/", width=1440))
    page = counted.page
    for at in range(TEN):
        counted.clicks += 1
        page.locator("input[name=order]").nth(at).check()
    expect(page.locator("#chosen")).to_contain_text("10 orders chosen")
    counted.click("#chosen [value=cancel]")
    page.wait_for_url("**/bulk/**")
    expect(page.locator("[name=tell]")).to_be_checked()
    expect(page.get_by_text("10 customers can be notified.")).to_be_visible()
    counted.click("main form button.btn-danger")
    expect(page.locator("td .pill", has_text="Being sent")).to_have_count(TEN)
    assert counted.clicks <= MOST_CLICKS
    assert counted.loads <= 5  # each of the two posts leads to its page by a redirect
    assert mail.outbox == []

    # What a worker does; the page follows without a click.
    assert bulk_sending.send_due(clock=timezone.now) == TEN
    expect(page.locator("td .pill", has_text=re.compile("^Notified$"))).to_have_count(TEN)
    assert not Order.objects.oversold().exists()
    assert CustomerMessage.objects.filter(email="sent").count() == len(mail.outbox) == TEN


@pytest.mark.parametrize(
    ("scheme", "width"), sampling.part(LOOKS, one_in=3) if not SHOTS else LOOKS
)
def test_the_bar_floats_and_covers_nothing(
    outage: scene.Scene, open_page: Open, scheme: str, width: int
) -> None:
    backlog(outage, 40)
    page = open_page("/desk/", scheme=scheme, width=width, still=True)
    bar = page.locator("#chosen")
    expect(bar.locator(".chosen-acts")).to_be_hidden()
    page.locator("input[name=order]").first.check()
    expect(bar).to_contain_text("1 order chosen")
    expect(bar.locator(".chosen-acts")).to_be_visible()
    at = box(page, "#chosen")
    assert at["y"] + at["height"] <= 901
    assert at["height"] <= 200
    look(page, f"bar-{scheme}-{width}")

    # The last row can be seen whole, and one that gets the focus is not below the bar.
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    last = box(page, "tr[data-key-row]")
    assert last["y"] + last["height"] <= box(page, "#chosen")["y"]
    page.evaluate("window.scrollTo(0, 0)")
    page.locator("tr[data-key-row]").nth(25).locator("input[name=order]").focus()
    tick = page.locator("tr[data-key-row] input[name=order]").nth(25).bounding_box()
    assert tick is not None
    assert tick["y"] + tick["height"] <= box(page, "#chosen")["y"]

    page.emulate_media(forced_colors="active")
    assert (
        page.evaluate("getComputedStyle(document.getElementById('chosen')).borderTopWidth") == "2px"
    )
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"forced-{scheme}-{width}.png")
    page.emulate_media(forced_colors="none")
    assert (
        page.evaluate("getComputedStyle(document.getElementById('chosen')).animationName") == "none"
    )

    # By key from a row to the bar.
    page.keyboard.press("b")
    expect(bar.locator(".chosen-acts button").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/bulk/**")
    page.locator("details summary", has_text="The message of order").first.click()
    page.evaluate("window.scrollTo(0, document.querySelector('.tell')?.offsetTop - 200)")
    look(page, f"tell-{scheme}-{width}")
    if SHOTS:
        page.locator("main form button.btn-danger").click()
        page.locator("td .pill", has_text="Being sent").first.wait_for()
        look(page, f"result-{scheme}-{width}")


@pytest.mark.parametrize("javascript", [True, False])
def test_what_is_ticked_elsewhere_is_named_and_can_be_cleared(
    outage: scene.Scene, open_page: Open, javascript: bool
) -> None:
    page = open_page("/desk/", width=360, javascript=javascript)
    for at in range(2):
        page.locator("input[name=order]").nth(at).check()
    if not javascript:
        page.get_by_role("button", name="Add these to the selection").click()
    expect(page.locator("#chosen")).to_contain_text("2 orders chosen")
    expect(page.get_by_role("button", name=re.compile("elsewhere"))).to_have_count(0)
    page.goto("/desk/?sku=CUP-02&short=part")
    expect(page.locator("tr[data-key-row]")).to_have_count(1)
    expect(page.locator("#chosen")).to_contain_text("1 is on another page or outside the filter.")
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"elsewhere-{javascript}.png")
    page.get_by_role("button", name="Clear the 1 elsewhere").click()
    expect(page.locator("#chosen")).to_contain_text("1 order chosen")
    expect(page.get_by_role("button", name=re.compile("elsewhere"))).to_have_count(0)
    expect(page.locator("input[name=order]")).to_be_checked()
