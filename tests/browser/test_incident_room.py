"""Home and alerts in a real browser: what is wrong and what it costs, and that nothing is stale."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from orders.models import Order
from reconciliation.models import Alert
from tests.browser.conftest import Open
from tests.browser.test_search import Counted
from tests.coc_admin.console import scene

# Limits of the tasks: clicks, keys and loads together.
WHAT_IS_WRONG_AND_WHAT_IT_COSTS = 0
WHY_AN_ORDER_IS_SHORT = 1


def test_home_says_what_is_wrong_and_leads_to_the_cause(
    outage: scene.Scene, open_page: Open
) -> None:
    page = open_page("/")
    counted = Counted(page)
    headline = page.locator(".headline")
    expect(headline).to_contain_text("2 orders are oversold: 47.50 EUR short")
    expect(headline).to_contain_text("5 units are missing.")
    expect(page).to_have_title("(2) Short orders · Continuous Order Capture")
    icon = page.locator("link[rel=icon]")
    assert icon.get_attribute("href") == icon.get_attribute("data-warn")
    assert page.locator(".headline .btn-primary").count() == 1
    assert counted.actions <= WHAT_IS_WRONG_AND_WHAT_IT_COSTS
    # The text has the width of the headline, not what the buttons leave.
    wide, text = (headline.bounding_box(), headline.locator("> div").first.bounding_box())
    assert wide is not None
    assert text is not None
    assert text["width"] >= 0.8 * wide["width"]

    # Without a load the tab says when the work is done.
    Order.objects.oversold().update(resolution="settled_outside")
    expect(page).to_have_title(re.compile("To review"))


def test_why_an_order_is_short_is_one_click_away(outage: scene.Scene, open_page: Open) -> None:
    page = open_page("/desk/")
    counted = Counted(page)
    counted.click("link", outage.partial.order_no)
    page.wait_for_url(f"**/desk/?*order={outage.partial.pk}")
    expect(page.locator("#panel")).to_contain_text("1 of 2 reserved")
    assert counted.actions <= WHY_AN_ORDER_IS_SHORT


def test_an_open_page_of_alerts_shows_what_happened_meanwhile(
    outage: scene.Scene, open_page: Open
) -> None:
    page = open_page("/alerts/")
    page.evaluate("window.stays = true")
    running = page.get_by_role("link", name="Reconciliation running")
    expect(running).to_be_visible()
    Alert.objects.filter(descriptor="reconciliation_running").update(state="resolved")
    expect(running).to_be_hidden()
    assert page.evaluate("window.stays") is True

    # While something is chosen the page only says so.
    page.locator("input[name=alert]").first.check()
    Alert.objects.filter(descriptor="reconciliation_shortages").update(state="resolved")
    expect(page.get_by_text("What is shown here has changed.")).to_be_visible()
    expect(page.locator("input[name=alert]").first).to_be_checked()
