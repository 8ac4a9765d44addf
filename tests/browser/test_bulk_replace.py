"""Replacing a short SKU in all its orders, in a real browser; OCI is the simulator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from orders.models import InventoryRecord, Order, Replacement
from reconciliation import remedies
from tests import sampling
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.engine import Engine, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")


@pytest.fixture
def short(transactional_db: None, engine: Engine) -> list[Order]:
    """Four orders of 2, 3, 1 and 2 mugs, of which OCI has none; 6 blue ones are in stock."""
    site = engine.site({"MUG-RED": 20, "MUG-BLUE": 6, "JUG": 9})
    orders = [
        engine.capture(site, f"W-2040{number}", [("MUG-RED", units)])
        for number, units in enumerate([2, 3, 1, 2])
    ]
    engine.at_oci({"MUG-RED": 0})
    engine.reconcile()
    InventoryRecord.objects.filter(sku="MUG-BLUE").update(product_name="Mug-Blue")
    return orders


@pytest.mark.parametrize(
    ("javascript", "width", "scheme"),
    [
        *sampling.part(
            [(True, 360, "light"), (True, 1280, "dark"), (True, 1280, "light")], one_in=3
        ),
        (False, 1280, "light"),
    ],
)
def test_a_short_sku_is_replaced_in_all_its_orders(
    engine: Engine,
    short: list[Order],
    open_page: Open,
    javascript: bool,
    width: int,
    scheme: str,
) -> None:
    def look(name: str) -> None:
        if SHOTS:
            shot = Path(SHOTS) / f"replace-{name}-{width}-{scheme}-{javascript}.png"
            page.screenshot(path=shot, full_page=True)
        if javascript:
            assert axe_findings(page) == []
            assert not scrolls_sideways(page)

    page = open_page("/desk/skus/", javascript=javascript, width=width, scheme=scheme)
    look("skus")
    page.get_by_role("button", name="Replace: MUG-RED").click()
    page.get_by_role("heading", name="What replaces MUG-RED?").wait_for()
    look("by")
    page.get_by_label("Search for a SKU by its beginning").fill("JU")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("group", name="Found").get_by_role("link", name="JUG").wait_for()
    page.get_by_role("link", name="MUG-BLUE").first.click()
    page.get_by_role("heading", name="Replace MUG-RED with MUG-BLUE: 3 orders").wait_for()
    page.get_by_label("Unit price in USD").fill("10.25")
    page.get_by_role("button", name="Show the price difference").click()
    page.get_by_text("4.50 USD").first.wait_for()
    look("preview")
    page.get_by_label("Reason").fill("The blue one is as good")
    page.get_by_role("button", name="Reserve and replace: 3").click()
    page.get_by_text("3 replacements are being reserved at OCI").wait_for()
    look("under-way")

    assert remedies.finish_replacements(clock=engine.clock) == 3
    if not javascript:
        page.get_by_role("link", name="Refresh").click()
    assert_replaced(page)
    look("result")
    assert list(Order.objects.oversold()) == [short[3]]


def assert_replaced(page: Page) -> None:
    """Wait until the page shows three replaced orders; JavaScript refreshes it."""
    expect(page.locator("td .pill.tone-ok", has_text="Replaced")).to_have_count(3)
    expect(page.get_by_text("being reserved at OCI")).to_have_count(0)


@pytest.mark.parametrize("javascript", [True, False])
def test_chosen_orders_are_replaced_while_oci_comes_and_goes(
    engine: Engine, short: list[Order], open_page: Open, javascript: bool, monkeypatch: Any
) -> None:
    page = open_page("/desk/", javascript=javascript)
    page.get_by_label(f"Choose order: {short[0].order_no}").check()
    page.get_by_label(f"Choose order: {short[2].order_no}").check()
    page.get_by_role("button", name="Replace what is short …").click()
    page.get_by_role("link", name="MUG-BLUE").first.click()
    set_connection("OFFLINE")
    page.get_by_label("Reason").fill("The blue one is as good")
    page.get_by_role("button", name="Reserve and replace: 2").click()
    page.get_by_role("alert").get_by_text("OCI cannot be called at the moment").wait_for()
    assert not Replacement.objects.exists()

    set_connection("ONLINE")
    page.get_by_role("button", name="Show the price difference").click()
    begin = remedies.begin_replacement

    def then_away(**arguments: Any) -> Replacement:
        made = begin(**arguments)
        set_connection("OFFLINE")
        return made

    with monkeypatch.context() as patched:
        patched.setattr(remedies, "begin_replacement", then_away)
        page.get_by_role("button", name="Reserve and replace: 2").click()
        page.get_by_text("1 order is still to be done").wait_for()
    page.get_by_text("It continues when OCI answers again").wait_for()
    assert Replacement.objects.count() == 1

    set_connection("ONLINE")
    page.get_by_role("button", name="Continue with the next 1").click()
    page.get_by_text("2 replacements are being reserved at OCI").wait_for()
    assert remedies.finish_replacements(clock=engine.clock) == 2
