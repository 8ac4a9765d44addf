"""The tasks that the console is measured by: clicks, page loads and keys, each with its limit.

Typing a text is no key; Tab, Enter, Space and arrows are. The tasks that other files measure: what
is wrong and what it costs (`test_incident_room`), finding an order by surname (`test_search`), ten
and twenty orders by mouse (`test_desk_flow`, `test_bulk_letters`).
"""

from __future__ import annotations

import re
from typing import Any

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
from tests.orders.payloads import raw_order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEN = 10
# (clicks or keys, page loads)
TEN_ORDERS_BY_KEYS = (25, 1)
WHY_SHORT_BY_KEYS = (2, 0)
WHY_SHORT_BY_NUMBER = (2, 1)
RERUN_BY_KEYS = (4, 3)
CHANNEL_BY_KEYS = (9, 5)
PERSON_BY_KEYS = (14, 2)
# From the sign-in page of an empty installation until an order of the storefront is on the page.
FIRST_ORDER = (19, 22)
FIRST_ORDER_BY_KEYS = (58, 17)


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
            # The scripts are deferred: a page that can be read may not listen yet.
            self.page.wait_for_load_state("domcontentloaded")
            self.page.keyboard.press(key)

    def to(self, selector: str, *, most: int = 40) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(most):
            if self.page.evaluate("s => document.activeElement?.matches(s)", selector):
                return
            self.press("Tab")
        raise AssertionError(f"{selector} is not reached")

    def skip(self) -> None:
        """Go to the content by the first link of the page."""
        self.to("a.skip")
        self.press("Enter")

    def within(self, limit: tuple[int, int]) -> None:
        assert self.keys <= limit[0], (self.keys, self.loads)
        assert self.loads <= limit[1], (self.keys, self.loads)


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
        expect(page.locator("#result")).to_contain_text("The customer was notified.")
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
    keys.press("r")
    expect(keys.page.get_by_label("Reason")).to_be_focused()
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
    expect(page.get_by_label("Name")).to_be_focused()
    for name, text in (("name", "Night shift"), ("addresses", "night@example.test")):
        keys.to(f"[name={name}]")
        page.keyboard.type(text)
    keys.to("[name=every_site]")
    keys.press("Space", "Enter")
    page.wait_for_url(re.compile(r"/alerts/channels/\d+/"))
    page.wait_for_load_state()
    keys.press("t")
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


STOCK = {"name": "stock.csv", "mimeType": "text/csv", "buffer": b"sku,ato\nMUG-01,10\n"}


class Clicks(Keys):
    """Counts clicks as well."""

    def on(self, selector: str) -> None:
        self.keys += 1
        self.page.locator(selector).first.click()

    def save(self) -> None:
        self.on("main form button.btn-primary")

    def step(self, name: str) -> None:
        """Open the page of a line of the set-up list."""
        self.on("nav a[href='/']")
        self.keys += 1
        self.page.locator(".first-run").get_by_role("link", name=name).click()


def place_first_order(page: Page, url: str, token: str) -> None:
    """Place an order as the storefront does."""
    answer = page.request.post(
        f"{url}/api/v1/sites/shop/orders",
        data=raw_order("W-1", [("MUG-01", 1)], currency="EUR"),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    assert answer.status == 201, answer.text()


def expect_set_up(page: Page) -> None:
    """Expect every step until the first order to be done, on the home page."""
    done = page.locator(".first-run li").filter(has_text="Done")
    for name in (
        "Inventory list",
        "Stock figures",
        "Site",
        "Terms of offline capture accepted",
        "Token for the storefront",
        "First order",
    ):
        expect(done.filter(has_text=name).first).to_be_visible()


def test_first_run_from_an_empty_installation_to_the_first_order(
    transactional_db: None, operator: User, open_page: Open, live_server: Any
) -> None:
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    clicks = Clicks(open_page("/", signed_in=False))
    page = clicks.page
    page.get_by_label("User name").fill("otto")
    page.get_by_label("Password", exact=True).fill("a long password")
    clicks.on("button[type=submit]")
    expect(page.locator(".first-run li").filter(has_text="Done")).to_have_count(0)

    clicks.keys += 1
    page.locator(".first-run").get_by_role("link", name="Inventory list").click()
    page.locator("[name=id]").fill("main")
    clicks.save()
    clicks.step("Stock figures")
    page.locator("select[name=list]").select_option("main")
    page.locator("[type=file]").set_input_files(STOCK)  # type: ignore[arg-type]
    clicks.save()
    clicks.save()
    clicks.step("Site")
    page.locator("[name=id]").fill("shop")
    page.locator("[name=currency]").fill("EUR")
    clicks.on("[name=accepts_risk]")
    clicks.save()
    clicks.step("Token for the storefront")
    page.locator("[name=name]").fill("Storefront")
    clicks.on("[name=site][value=shop]")
    clicks.on("[name=scopes][value='orders:write']")
    clicks.save()
    token = page.locator("#token").input_value()

    place_first_order(page, live_server.url, token)
    clicks.on("main a.btn-primary")
    clicks.on("nav a[href='/']")
    expect_set_up(page)
    clicks.keys += 1
    page.get_by_role("link", name="Orders", exact=True).first.click()
    expect(page.get_by_role("link", name="W-1")).to_be_visible()
    clicks.within(FIRST_ORDER)


def test_first_run_to_the_first_order_by_keys(
    transactional_db: None, operator: User, open_page: Open, live_server: Any
) -> None:
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    keys = Keys(open_page("/", signed_in=False))
    page = keys.page
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("otto")
    keys.press("Tab")
    page.keyboard.type("a long password")
    keys.press("Enter")
    expect(page.locator(".first-run li").filter(has_text="Done")).to_have_count(0)

    find(keys, "add an inventory", "inventory list")
    expect(page.get_by_label("List id")).to_be_focused()
    page.keyboard.type("main")
    keys.press("Enter")
    page.wait_for_url(re.compile(r"/settings/lists/(?!new)"))
    find(keys, "import stock", "stock figures")
    expect(page.get_by_label("Inventory list")).to_be_focused()
    page.keyboard.type("main")
    keys.to("[type=file]")
    keys.keys += 1  # Enter opens the dialog of the system.
    page.locator("[type=file]").set_input_files(STOCK)  # type: ignore[arg-type]
    for text in ("Check the file", "Import"):
        expect(page.get_by_role("button", name=text).first).to_be_visible()
        keys.to("main form button.btn-primary")
        keys.press("Enter")
    expect(page.get_by_role("status").first).to_be_attached()
    find(keys, "add a site", "site")
    expect(page.get_by_label("Site id")).to_be_focused()
    page.keyboard.type("shop")
    keys.to("[name=currency]")
    page.keyboard.type("EUR")
    keys.to("[name=accepts_risk]")
    keys.press("Space", "Enter")
    page.wait_for_url(re.compile(r"/settings/sites/(?!new)"))
    find(keys, "api token", "Create an API token")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Storefront")
    keys.to("[name=site]")
    keys.press("Space")
    keys.to("[name=scopes][value='orders:write']")
    keys.press("Space", "Enter")
    place_first_order(page, live_server.url, page.locator("#token").input_value())
    page.wait_for_load_state()
    keys.press("g", "h")
    expect_set_up(page)
    find(keys, "W-1", "W-1")
    page.wait_for_url(re.compile(r"/orders/\d+/"))
    keys.within(FIRST_ORDER_BY_KEYS)
