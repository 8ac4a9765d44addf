"""The tasks that the console is measured by: clicks, page loads and keys, each with its limit.

Typing a text is no key; Tab, Enter, Space and arrows are. The tasks that other files measure: what
is wrong and what it costs (`test_incident_room`), finding an order by surname (`test_search`), ten
and twenty orders by mouse (`test_desk_flow`, `test_bulk_letters`).
"""

from __future__ import annotations

import os
import re

import pytest
from django.contrib.auth.models import User
from django.core import mail
from playwright.sync_api import Page, expect

from coc_admin.models import Profile
from orders.models import CustomerMessage, Order
from reconciliation.models import Channel, Run
from tests.browser.conftest import Open
from tests.browser.test_desk_flow import backlog, sell_out
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")
TEN = 10
# (clicks or keys, page loads)
TEN_ORDERS_BY_KEYS = (25, 1)
WHY_SHORT_BY_KEYS = (2, 0)
WHY_SHORT_BY_NUMBER = (2, 1)
RERUN_BY_KEYS = (4, 2)
CHANNEL_BY_KEYS = (14, 4)
PERSON_BY_KEYS = (14, 2)


class Keys:
    """A page used by the keyboard alone; counts keys, and loads after the first."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.keys = 0
        self.loads = 0
        page.on("request", self._asked)

    def _asked(self, request: object) -> None:
        self.loads += bool(getattr(request, "is_navigation_request", lambda: False)())

    def press(self, *keys: str) -> None:
        for key in keys:
            self.keys += 1
            self.page.keyboard.press(key)

    def to(self, selector: str, *, most: int = 40) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(most):
            if self.page.evaluate("s => document.activeElement?.matches(s)", selector):
                return
            self.press("Tab")
        raise AssertionError(f"{selector} is not reached")

    def within(self, limit: tuple[int, int]) -> None:
        assert (self.keys, self.loads) <= limit, (self.keys, self.loads)
        assert self.keys <= limit[0]
        assert self.loads <= limit[1]


@pytest.fixture
def administrated(operator: User) -> User:
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    return operator


def find(keys: Keys, words: str, first: str) -> None:
    """Open the first result of the search box, which names `first`."""
    keys.press("Control+k")
    keys.page.keyboard.type(words)
    expect(keys.page.locator("#palette-results a").first).to_contain_text(first)
    keys.press("Enter")


def test_ten_orders_are_settled_and_told_by_keys(outage: scene.Scene, open_page: Open) -> None:
    backlog(outage, TEN)
    sell_out()
    keys = Keys(open_page("/desk/", width=1440))
    page = keys.page
    keys.press("j", "Enter")
    expect(page.locator("#panel")).to_be_focused()
    for left in range(TEN - 1, -1, -1):
        keys.press("d", "Enter")
        expect(page.locator("#result")).to_contain_text("The customer was told.")
        if left:
            expect(page.locator(".page-note")).to_contain_text(f"{left} of {TEN} left.")
    expect(page.locator("#panel")).to_have_count(0)
    assert not Order.objects.oversold().exists()
    assert CustomerMessage.objects.count() == len(mail.outbox) == TEN
    keys.within(TEN_ORDERS_BY_KEYS)


def test_why_an_order_is_short_by_keys(outage: scene.Scene, open_page: Open) -> None:
    keys = Keys(open_page("/desk/"))
    keys.press("j", "Enter")
    expect(keys.page.locator("#panel")).to_contain_text("of 2 reserved")
    keys.within(WHY_SHORT_BY_KEYS)


def test_why_an_order_is_short_by_its_number(outage: scene.Scene, open_page: Open) -> None:
    keys = Keys(open_page("/"))
    find(keys, outage.partial.order_no, outage.partial.order_no)
    keys.page.wait_for_url(f"**/orders/{outage.partial.pk}/")
    expect(keys.page.locator("main")).to_contain_text("1 of 3 units are reserved")
    keys.within(WHY_SHORT_BY_NUMBER)


def test_rerun_with_its_dry_run_by_keys(outage: scene.Scene, open_page: Open) -> None:
    keys = Keys(open_page("/"))
    find(keys, "rerun", "Rerun")
    keys.page.get_by_text("Nothing has been changed yet").wait_for()
    keys.to("[name=reason]")
    keys.page.keyboard.type("new delivery")
    keys.press("Enter")
    keys.page.wait_for_url(re.compile(r"/runs/\d+/"))
    assert Run.objects.latest("pk").reason == "new delivery"
    keys.within(RERUN_BY_KEYS)


def test_an_email_channel_is_added_and_tested_by_keys(
    outage: scene.Scene, administrated: User, open_page: Open
) -> None:
    keys = Keys(open_page("/"))
    page = keys.page
    find(keys, "alert channel", "channel")
    page.wait_for_url("**/alerts/channels/new/")
    for name, text in (("name", "Night shift"), ("email", "night@example.test")):
        keys.to(f"[name={name}]")
        page.keyboard.type(text)
    keys.to("[name=every_site]")
    keys.press("Space", "Enter")
    page.wait_for_url("**/alerts/channels/*/")
    keys.to("form[action$='/test/'] button")
    keys.press("Enter")
    expect(page.get_by_role("status").first).to_be_attached()
    assert Channel.objects.filter(name="Night shift", target="night@example.test").exists()
    keys.within(CHANNEL_BY_KEYS)


def test_a_person_for_one_site_is_added_by_keys(
    outage: scene.Scene, administrated: User, open_page: Open
) -> None:
    keys = Keys(open_page("/"))
    page = keys.page
    find(keys, "add a person", "person")
    page.wait_for_url("**/settings/people/new/")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("nora")
    keys.to("[name=role]")
    page.keyboard.type("Merch")
    keys.to("[name=sites]")
    keys.press("Space", "Enter")
    page.locator("input[value*='/set-password/']").wait_for()
    profile = Profile.objects.get(user__username="nora")
    assert (profile.every_site, [site.pk for site in profile.sites.all()]) == (False, ["NorthShop"])
    keys.within(PERSON_BY_KEYS)
