"""Heads that sort and saved views in a real browser, with and without JavaScript."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from coc_admin.models import SavedView
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")


def look_at(page: Page, name: str, *, javascript: bool) -> None:
    """Check what a person sees at this step; axe needs JavaScript."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")
    if javascript:
        assert axe_findings(page) == []
        assert not scrolls_sideways(page)


@pytest.mark.parametrize(
    ("javascript", "width", "scheme"),
    [(True, 360, "light"), (True, 768, "dark"), (True, 1440, "light"), (False, 1440, "dark")],
)
def test_a_list_is_sorted_by_its_head_and_saved_as_the_first_view(
    outage: scene.Scene, open_page: Open, javascript: bool, width: int, scheme: str
) -> None:
    page = open_page("/desk/", javascript=javascript, width=width, scheme=scheme, still=True)
    first = page.locator("tr[data-key-row]").first
    head = page.get_by_role("link", name="Value", exact=True)
    assert head.bounding_box()["height"] >= 24  # type: ignore[index]
    head.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/?sort=highest")
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Value")
    expect(first).to_contain_text("28.50")
    page.get_by_role("link", name="Value", exact=True).click()
    page.wait_for_url("**/desk/?sort=lowest")
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Value")
    expect(first).to_contain_text("19.00")
    expect(page.locator(".list-sums")).to_contain_text("47.50 EUR")

    page.locator(".views-menu:not(.columns-menu) > summary").click()
    look_at(page, f"views-menu-{width}-{scheme}", javascript=javascript)
    page.get_by_label("Save this filter and sort as").fill("Small ones")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/?sort=lowest&view=*")
    expect(page.locator(".views-menu:not(.columns-menu) > summary")).to_contain_text("Small ones")
    look_at(page, f"views-open-{width}-{scheme}", javascript=javascript)
    page.locator(".views-menu:not(.columns-menu) > summary").click()
    page.get_by_role("link", name="Rename, delete or choose the first view").click()
    page.get_by_role("button", name=re.compile("^Make it my first view")).click()
    page.get_by_role("button", name=re.compile("^No longer first")).wait_for()
    look_at(page, f"views-page-{width}-{scheme}", javascript=javascript)
    page.goto("/desk/?view=first")
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Value")
    assert SavedView.objects.get().query == "sort=lowest"
