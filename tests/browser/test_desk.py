"""The oversold desk in a real browser: choosing rows with and without JavaScript, and its keys."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from coc_admin.models import Profile
from orders.models import DeskEntry, Order
from tests import factories
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")


def look_at(page: Page, name: str, *, javascript: bool) -> None:
    """Check a page that is no address of its own; axe needs JavaScript."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
    if javascript:
        assert axe_findings(page) == []
        assert not scrolls_sideways(page)


@pytest.mark.parametrize("javascript", [True, False])
def test_chosen_orders_are_settled_together(
    outage: scene.Scene, open_page: Open, javascript: bool
) -> None:
    width = 360 if javascript else 1280
    page = open_page("/desk/", javascript=javascript, width=width)
    page.get_by_label(f"Choose order: {outage.partial.order_no}").check()
    if javascript:
        page.get_by_text("1 order chosen").wait_for()
        page.goto("/desk/?sort=highest")
    else:
        page.get_by_role("button", name="Add these to the selection").click()
        page.get_by_text("1 order chosen").wait_for()
    page.get_by_label(f"Choose order: {outage.nothing.order_no}").check()
    page.get_by_role("button", name="Record as settled outside …").click()
    page.wait_for_url("**/bulk/**")
    look_at(page, f"bulk-preview-{width}", javascript=javascript)
    page.get_by_label("Reference").fill("PO-77")
    page.get_by_label("Reason").fill("Store 12 ships it")
    page.get_by_role("button", name=re.compile("^Record as settled outside: 2")).click()
    page.get_by_role("heading", name=re.compile("result")).wait_for()
    look_at(page, f"bulk-result-{width}", javascript=javascript)
    assert not Order.objects.oversold().exists()


def test_keys_move_choose_and_assign_but_never_while_typing(
    outage: scene.Scene, open_page: Open
) -> None:
    page = open_page("/desk/")
    keys, row = page.keyboard, page.locator("tr[data-key-row]").nth(1)
    keys.press("j")
    keys.press("j")
    keys.press("k")
    keys.press("j")
    expect(row).to_be_focused()
    keys.press("x")
    page.get_by_text("1 order chosen").wait_for()
    expect(page.get_by_label(f"Choose order: {outage.nothing.order_no}")).to_be_checked()
    keys.press("Control+a")
    keys.press("?")
    listed = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(listed).to_contain_text("Assign the order to me")
    assert axe_findings(page) == []
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / "shortcuts.png")
    keys.press("a")
    keys.press("Escape")
    assert not DeskEntry.objects.exists()

    keys.press("/")
    keys.type("ajx?")
    expect(page.get_by_label("SKU", exact=True)).to_have_value("ajx?")
    assert not DeskEntry.objects.exists()

    row.focus()
    keys.press("a")
    page.get_by_text("1 order assigned.").wait_for()
    assert DeskEntry.objects.get().order_id == outage.nothing.pk


def test_keys_can_be_switched_off(outage: scene.Scene, open_page: Open, operator: User) -> None:
    Profile.objects.create(user=operator, shortcuts=False)
    page = open_page("/desk/")
    page.keyboard.press("j")
    page.keyboard.press("?")
    assert page.locator("tr:focus").count() == 0
    assert page.get_by_role("dialog").count() == 0


@pytest.mark.parametrize("width", [1280, 1440])
def test_numbers_of_orders_and_filters_are_not_cut(
    outage: scene.Scene, open_page: Open, width: int
) -> None:
    factories.make_site("two")
    Order.objects.filter(pk=outage.partial.pk).update(order_no="0000000070")
    page = open_page("/desk/", width=width)
    page.get_by_role("link", name="0000000070", exact=True).wait_for()
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"
    assert page.locator(".desk-table tbody th .cut").evaluate_all(cut) == []
    # A select does not expose its text's width, so measure a span in its font.
    wide = """all => all.filter(one => {
        const text = document.createElement("span"), look = getComputedStyle(one)
        text.style.cssText = "position: absolute; white-space: pre"
        text.style.font = look.font
        text.textContent = one.selectedOptions[0].text
        document.body.append(text)
        const room = one.clientWidth - parseFloat(look.paddingLeft) - parseFloat(look.paddingRight)
        const cut = text.offsetWidth > room
        text.remove()
        return cut
    }).map(one => `${one.name} ${one.clientWidth}`)"""
    assert page.locator(".filters-dense select").evaluate_all(wide) == []
    # Beside an open order the list still names the short SKUs.
    page.locator("a.desk-open").first.click()
    page.locator("#panel").wait_for()
    box = page.locator("a.desk-open").first.bounding_box()
    assert box is not None
    assert box["width"] >= 170
