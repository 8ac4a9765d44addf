"""What only a background or a shadow says can be seen where the system forces its colours."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import Open
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def looks_of(element: Locator, change: str) -> tuple[bytes, bytes]:
    """Return the element's picture before and after a change by JavaScript."""
    # The handle stays with the element when the change makes the locator match no longer.
    held = element.element_handle()
    before = held.screenshot()
    held.evaluate(change)
    return before, held.screenshot()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_tick_and_the_place_in_a_list_are_seen(
    outage: scene.Scene, open_page: Open, scheme: str
) -> None:
    page = open_page(f"/desk/?order={outage.nothing.pk}", still=True, width=1440)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", forced_colors="active")
    box = page.locator(".desk-table tbody .form-check-input").first
    assert len(set(looks_of(box, "(one) => { one.checked = !one.checked; }"))) == 2
    row = page.locator("tr[aria-current]")
    away = "(one) => one.removeAttribute('aria-current')"
    assert len(set(looks_of(row, away))) == 2
    for current in (".side a[aria-current]", ".tabs a[aria-current]"):
        held = page.locator(current).first.element_handle()
        line = "(one) => getComputedStyle(one).outlineStyle"
        assert held.evaluate(line) == "solid", current
        held.evaluate(away)
        assert held.evaluate(line) == "none", current


def test_nothing_changes_in_a_picture_by_itself(outage: scene.Scene, open_page: Open) -> None:
    """The control of the test above: a change that nobody can see makes no other picture."""
    page = open_page(f"/desk/?order={outage.nothing.pk}", still=True, width=1440)
    page.emulate_media(forced_colors="active")
    for one in (".desk-table tbody .form-check-input", "tr[aria-current]"):
        same = looks_of(page.locator(one).first, "(one) => { one.dataset.unseen = ''; }")
        assert len(set(same)) == 1, one
