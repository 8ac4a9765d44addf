"""The search box in a browser, and how many clicks and keys tasks take, with their limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from coc_admin.models import Profile
from orders.models import Order
from reconciliation.models import Channel
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")

# Actions (a click, or a key that is no letter of a text) that a task may take.
FIND_AFTER_TYPING = 1
RERUN_WITH_DRY_RUN = 3
EMAIL_CHANNEL_WITH_TEST = 8
PERSON_FOR_ONE_SITE = 6


class Counted:
    """Counts clicks and keys; typing a text is no action."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.actions = 0

    def press(self, key: str) -> None:
        self.actions += 1
        self.page.keyboard.press(key)

    def click(self, role: str, name: str) -> None:
        self.actions += 1
        self.page.get_by_role(role, name=name).first.click()  # type: ignore[arg-type]


@pytest.fixture
def administrated(operator: User) -> User:
    """Return the person who opens the pages, as one who may do everything."""
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    return operator


@pytest.fixture
def lindner(outage: scene.Scene) -> Order:
    """Return an order with a unique customer surname."""
    Order.objects.filter(pk=outage.partial.pk).update(
        customer={"customerName": "Theo Lindner", "email": "theo@lindner.test"}
    )
    return outage.partial


def test_an_order_is_found_by_surname_with_the_keyboard(lindner: Order, open_page: Open) -> None:
    page = open_page("/runs/")
    page.keyboard.press("Control+k")
    box = page.get_by_role("dialog", name="Search and commands")
    expect(box).to_be_visible()
    page.keyboard.type("lindn")
    counted = Counted(page)
    counted.press("Enter")
    page.wait_for_url(f"**/orders/{lindner.pk}/")
    assert counted.actions <= FIND_AFTER_TYPING


def test_an_order_is_found_by_surname_with_the_mouse(lindner: Order, open_page: Open) -> None:
    page = open_page("/")
    page.locator("#search").click()
    page.keyboard.type("lindn")
    counted = Counted(page)
    counted.click("link", lindner.order_no)
    page.wait_for_url(f"**/orders/{lindner.pk}/")
    assert counted.actions <= FIND_AFTER_TYPING


def test_the_box_speaks_moves_by_arrows_and_closes(lindner: Order, open_page: Open) -> None:
    page = open_page("/reports/", still=True)
    page.keyboard.press("/")
    box = page.get_by_role("dialog", name="Search and commands")
    page.keyboard.type("lindn")
    expect(page.locator("#palette-status")).to_have_text("2 results")
    page.keyboard.press("ArrowDown")
    expect(box.get_by_role("link").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(box.get_by_role("link").nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#palette-q")).to_be_focused()
    assert axe_findings(page) == []
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / "palette.png")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url("**/orders/")


def test_pasted_lines_are_numbers(lindner: Order, open_page: Open) -> None:
    page = open_page("/")
    page.keyboard.press("Control+k")
    page.evaluate(
        "text => { const data = new DataTransfer(); data.setData('text', text);"
        " document.getElementById('palette-q').dispatchEvent(new ClipboardEvent('paste',"
        " {clipboardData: data, bubbles: true, cancelable: true})); }",
        f"{lindner.order_no}\n000-none\n",
    )
    page.get_by_role("link", name="1 found, 1 not").click()
    page.wait_for_url("**/search/?**")
    page.get_by_role("button", name="Choose the ticked orders").click()
    page.get_by_text("1 order chosen").wait_for()


def test_search_works_without_javascript(lindner: Order, open_page: Open) -> None:
    page = open_page("/", javascript=False, width=360)
    page.fill("#search", "lindn")
    page.press("#search", "Enter")
    page.get_by_role("link", name=lindner.order_no).click()
    page.wait_for_url(f"**/orders/{lindner.pk}/")


def test_a_rerun_with_its_dry_run_takes_few_actions(outage: scene.Scene, open_page: Open) -> None:
    page = open_page("/")
    counted = Counted(page)
    counted.click("link", "Rerun reconciliation")
    page.get_by_text("Nothing has been changed yet").wait_for()
    counted.actions += 1
    page.get_by_label("Reason").first.click()
    page.keyboard.type("new delivery")
    counted.click("button", "Start reconciliation")
    page.wait_for_url("**/runs/*/")
    assert counted.actions <= RERUN_WITH_DRY_RUN


def test_an_email_channel_is_added_and_tested(
    outage: scene.Scene, administrated: User, open_page: Open
) -> None:
    page = open_page("/")
    counted = Counted(page)
    counted.press("Control+k")
    page.keyboard.type("alert channel")
    counted.press("Enter")
    page.wait_for_url("**/alerts/channels/new/")
    for label, text in (("Name", "Night shift"), ("E-mail addresses", "night@example.test")):
        counted.actions += 1
        page.get_by_label(label, exact=True).fill(text)
    counted.actions += 1
    page.get_by_label("Every site, including later ones").check()
    counted.click("button", "Save")
    counted.click("button", "Send a test")
    expect(page.get_by_role("status").first).to_be_attached()
    assert Channel.objects.filter(name="Night shift", target="night@example.test").exists()
    assert counted.actions <= EMAIL_CHANNEL_WITH_TEST


def test_a_person_for_one_site_is_added(
    outage: scene.Scene, administrated: User, open_page: Open
) -> None:
    page = open_page("/")
    counted = Counted(page)
    counted.press("Control+k")
    page.keyboard.type("add a person")
    counted.press("Enter")
    page.wait_for_url("**/settings/people/new/")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("nora")
    counted.actions += 2
    page.get_by_label("Role").select_option("merchandiser")
    page.get_by_label("NorthShop", exact=True).check()
    counted.click("button", "Save")
    page.locator("input[value*='/set-password/']").wait_for()
    profile = Profile.objects.get(user__username="nora")
    assert (profile.every_site, [site.pk for site in profile.sites.all()]) == (False, ["NorthShop"])
    assert counted.actions <= PERSON_FOR_ONE_SITE


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_new_pages_are_accessible(
    outage: scene.Scene, open_page: Open, scheme: str, width: int
) -> None:
    page = open_page("/search/?q=mug", scheme=scheme, width=width)
    for name, path in (
        ("search", "/search/?q=mug"),
        ("numbers", "/search/?q=0000012342+000-none"),
        ("glossary", "/help/glossary/"),
    ):
        page.goto(path)
        assert axe_findings(page) == [], name
        assert not scrolls_sideways(page), name
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}-{width}.png", full_page=True)
