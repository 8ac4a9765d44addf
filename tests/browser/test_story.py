"""A merchandiser's outage from beginning to end, in a browser, on the real product.

Web server, worker, monitor, database and simulated OCI are processes of their own; the shop sends
its orders over the API. The story is walked with JavaScript and without, of which the short form
does one, the other one the next day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import sampling
from tests.browser.conftest import Watched
from tests.processes.product import wait_for
from tests.processes.stack import LIST, Stack, running_stack

pytestmark = [pytest.mark.browser, pytest.mark.processes]

STOCK = {"MUG-01": 10, "CUP-02": 100, "MUG-03": 60}
NAMES = {"MUG-01": "White stoneware mug", "CUP-02": "Blue cup", "MUG-03": "Large stoneware mug"}
ROLES = ("viewer", "merchandiser", "operator", "administrator")
PASSWORD = "a long password"
# Seconds between two loads of a page that is to change.
RELOADS = 0.5


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path, stock=STOCK, names=NAMES) as running:
        names = ", ".join(repr(role) for role in ROLES)
        running.manage(
            "shell",
            "--no-imports",
            "-c",
            "from django.contrib.auth.models import Group, User\n"
            f"for name in ({names},):\n"
            f"    user = User.objects.create_user(name, password={PASSWORD!r})\n"
            "    user.groups.add(Group.objects.get(name=name))\n",
        )
        yield running


class Person:
    """Somebody with a browser of their own, signed in through the form."""

    def __init__(self, browser: Browser, stack: Stack, name: str, *, javascript: bool) -> None:
        self.context = browser.new_context(
            base_url=f"http://127.0.0.1:{stack.env['PORT']}",
            java_script_enabled=javascript,
            viewport={"width": 1280, "height": 900},
        )
        self.context.set_default_timeout(20_000)
        self.page: Page = self.context.new_page()
        self.watched = Watched(self.page)
        self.page.goto("/login/")
        self.page.fill("#id_username", name)
        self.page.fill("#id_password", PASSWORD)
        self.page.click("button[type=submit]")
        expect(self.page.locator("h1")).to_have_text("Home")

    def open(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def until(self, path: str, text: str) -> Page:
        """Open a page until it shows `text`; without JavaScript it does not refresh."""

        def says() -> bool:
            self.page.goto(path)
            return self.page.get_by_text(text).count() > 0

        wait_for(says, f"{path} to say {text!r}", pause=RELOADS)
        return self.page

    def order(self, order_no: str) -> Page:
        """Find an order by the search field of the top bar."""
        self.page.fill("#search", order_no)
        self.page.press("#search", "Enter")
        expect(self.page.locator("h1")).to_have_text(f"Order {order_no}")
        self.page.wait_for_load_state()
        return self.page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        self.page.locator("main").get_by_role("link", name=name, exact=True).first.click()


@pytest.fixture
def people(browser: Browser, stack: Stack) -> Iterator[Any]:
    everybody: list[Person] = []

    def enters(name: str, *, javascript: bool = True) -> Person:
        everybody.append(Person(browser, stack, name, javascript=javascript))
        return everybody[-1]

    yield enters
    complaints = [error for person in everybody for error in person.watched.errors]
    for person in everybody:
        person.context.close()
    assert complaints == []


def place(stack: Stack, order_no: str, *lines: tuple[str, int]) -> None:
    body = {
        "orderNo": order_no,
        "currency": "GBP",
        "customerInfo": {"customerName": "Ada Reed", "email": "ada@example.test"},
        "productItems": [
            {"productId": sku, "productName": NAMES[sku], "quantity": units, "basePrice": 8}
            for sku, units in lines
        ],
        "orderTotal": 8 * sum(units for _, units in lines),
    }
    (answer,) = stack.place([json.dumps(body).encode()])
    assert answer.status_code == 201, answer.text


def lose_oci_and_sell_too_much(stack: Stack) -> None:
    """Five orders for two mugs each; another channel leaves three mugs for all of them."""
    stack.oci.fault("down")
    stack.wait_for_connection("OFFLINE")
    for number in range(1, 6):
        place(stack, f"A{number}", ("MUG-01", 2), ("CUP-02", 1))
    assert stack.oci.sell("MUG-01", 7, LIST) == 7


@pytest.mark.parametrize("javascript", sampling.part([True, False], one_in=2))
def test_an_outage_from_its_beginning_to_the_last_remedy(
    stack: Stack, people: Any, javascript: bool
) -> None:
    mia = people("merchandiser", javascript=javascript)
    lose_oci_and_sell_too_much(stack)
    outage_is_seen(mia)
    stack.oci.fault("none")
    wait_for(lambda: stack.waiting() == 0, "the backlog to be reconciled")
    stack.wait_for_connection("ONLINE")
    run_is_seen(mia)
    report_is_read(mia, stack, open_orders={"A2", "A3", "A4", "A5"})
    alert_is_acknowledged(mia)
    entered = {role: people(role) for role in ROLES if role != "merchandiser"}
    seen = {role: seen_by(person) for role, person in (entered | {"merchandiser": mia}).items()}
    assert seen == SEEN
    two_people_collide(mia, entered["operator"], stack)
    replace(mia, "A2")
    settle_outside(mia, "A3")
    reserve_again(mia, stack, "A4")
    wait_for(lambda: resolutions(stack) == RESOLUTIONS, f"the report to show {RESOLUTIONS}")
    page = mia.open("/desk/")
    expect(page.get_by_text("No open order is oversold")).to_be_visible()
    held = {row["sku"]: Decimal(str(row["reserved"])) for row in stack.oci.books()["reserved"]}
    # A1: 2; A2: 1 and a large one; A4: 2 after the delivery; A5 nothing any more; a cup each.
    assert {sku: units for sku, units in held.items() if units} == {
        "MUG-01": 5,
        "MUG-03": 1,
        "CUP-02": 4,
    }
    assert stack.manage("coc_check") == "All promises that can be checked hold.\n"


RESOLUTIONS = {
    "A2": "replaced",
    "A3": "settled_outside",
    "A4": "reserved_again",
    "A5": "cancelled",
}


def outage_is_seen(mia: Person) -> None:
    mia.until("/", "Omnichannel Inventory is offline")
    page = mia.open("/orders/?state=waiting")
    expect(page.locator("tbody tr")).to_have_count(5)
    page = mia.order("A1")
    expect(page.get_by_text("Waiting for its reservation").first).to_be_visible()


def run_is_seen(mia: Person) -> None:
    page = mia.until("/", "Completed with shortages")
    page.locator("main").get_by_role("link", name=re.compile(r"^Run \d+$")).first.click()
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.locator("tbody tr", has_text="A1")).to_contain_text("Completely Reserved")
    expect(page.locator("tbody tr", has_text="A2")).to_contain_text("Partially Reserved")
    expect(page.get_by_text("1 of 3").first).to_be_attached()


def report_is_read(mia: Person, stack: Stack, *, open_orders: set[str]) -> None:
    """Download the oversold report as a person does, and find the short orders in it."""
    wait_for(lambda: set(resolutions(stack)) == open_orders, "the oversold report")
    page = mia.open("/reports/?kind=oversold")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("^JSON: oversold", re.IGNORECASE)).first.click()
    report = json.loads(Path(download.value.path()).read_text())
    assert {order["orderNo"] for order in report["orders"]} == open_orders
    short = {o["orderNo"]: [i["shortQuantity"] for i in o["items"]] for o in report["orders"]}
    assert short == {"A2": [1, 0], "A3": [2, 0], "A4": [2, 0], "A5": [2, 0]}


def alert_is_acknowledged(mia: Person) -> None:
    page = mia.until("/alerts/", "Oversold orders need a decision")
    page.get_by_role("link", name="Oversold orders need a decision").first.click()
    mia.press("Acknowledge")
    expect(page.get_by_role("button", name="Acknowledge", exact=True)).to_have_count(0)
    mia.open("/alerts/?state=acknowledged")
    expect(page.get_by_role("link", name="Oversold orders need a decision")).to_be_visible()


def cancel(mia: Person, order_no: str) -> None:
    page = mia.order(order_no)
    mia.follow("Cancel order")
    page.fill("#reason", "Sold out; the shopper agreed.")
    mia.press("Cancel the order")
    expect(page.locator("h1")).to_have_text(f"Order {order_no}")
    wait_until_it_says(mia, order_no, "Cancelled")


def replace(mia: Person, order_no: str) -> None:
    page = mia.order(order_no)
    mia.follow("Replace what is short")
    # With one short item its page opens at once; the most similar SKU comes first.
    page.locator("main").get_by_role("link", name="MUG-03").first.click()
    page.fill("#unit_price", "9.50")
    page.fill("#reason", "The shopper takes the large one.")
    mia.press("Reserve and replace")
    wait_until_it_says(mia, order_no, "Replaced")
    expect(page.locator("main")).to_contain_text("MUG-03")


def settle_outside(mia: Person, order_no: str) -> None:
    page = mia.order(order_no)
    mia.follow("Settled outside")
    page.fill("#reference", "PO 4711")
    page.fill("#reason", "Store 12 ships it.")
    mia.press("Record it")
    expect(page.locator(".page-note .pill").first).to_contain_text("Settled outside")


def reserve_again(mia: Person, stack: Stack, order_no: str) -> None:
    """After a delivery, see what would happen first, then rerun; only the shortfall is asked."""
    free = Decimal(str(stack.oci.stock("MUG-01")["locations"][LIST]["ato"]))
    on_hand = stack.oci.stock("MUG-01")["locations"][LIST]["onHand"]
    stack.oci.set_stock([{"location": LIST, "sku": "MUG-01", "onHand": on_hand + 2 - int(free)}])
    page = mia.order(order_no)
    mia.follow("Reserve again")
    expect(page.locator("main")).to_contain_text("Nothing has been changed yet")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Completely Reserved")
    page.fill("#reason", "New delivery has arrived.")
    mia.press("Start reconciliation")
    expect(page.locator("h1")).to_have_text(re.compile(r"^Run \d+|Reconciliation \d+"))
    wait_until_it_says(mia, order_no, "Completely Reserved")


def wait_until_it_says(mia: Person, order_no: str, words: str) -> None:
    wait_for(lambda: has_state(mia, order_no, words), f"{order_no} to say {words!r}", pause=RELOADS)


def has_state(mia: Person, order_no: str, words: str) -> bool:
    return words in mia.order(order_no).locator(".page-note .pill").first.inner_text()


def resolutions(stack: Stack) -> dict[str, str]:
    """Return the resolutions in the oversold report; an open order has none."""
    for name, report in stack.reports().items():
        if name.startswith("oversold"):
            return {
                order["orderNo"]: (order["resolution"] or {}).get("what", "")
                for order in report["orders"]
            }
    return {}


def seen_by(person: Person) -> tuple[list[str], list[str], bool]:
    """Return the remedies of an order, the actions of home, and whether settings are there."""
    page = person.order("A5")
    remedies = page.locator(".page-head .actions a").all_inner_texts()
    page = person.open("/")
    acts = page.locator(".headline .actions a").all_inner_texts()
    pages = [text.strip() for text in page.locator("nav.side a").all_inner_texts()]
    return [t.strip() for t in remedies], [t.strip() for t in acts], "Settings" in pages


def two_people_collide(mia: Person, sam: Person, stack: Stack) -> None:
    """Both decide on A5: the second person sees the first decision, and keeps their input."""
    page = sam.order("A5")
    sam.follow("Settled outside")
    page.fill("#reference", "PO 4711")
    page.fill("#reason", "Store 12 ships it.")
    cancel(mia, "A5")
    sam.press("Record it")
    expect(page.locator("main")).to_contain_text("Nothing was changed")
    expect(page.locator("#reference")).to_have_value("PO 4711")
    expect(page.locator("#reason")).to_have_value("Store 12 ships it.")
    assert stack.order("A5")["status"] == "cancelled"


REMEDIES = [
    "Decide on the desk",
    "Reserve again",
    "Hand over now",
    "Hold",
    "Replace what is short",
    "Cancel short items",
    "Settled outside",
    "Promise a date",
    "Cancel order",
]
WORK = ["Work through them"]
RERUN = [*WORK, "Rerun reconciliation"]
SEEN: dict[str, Any] = {
    "viewer": ([], WORK, False),
    "merchandiser": (REMEDIES, RERUN, False),
    "operator": (REMEDIES, [*RERUN, "Force offline"], True),
    "administrator": (REMEDIES, [*RERUN, "Force offline"], True),
}
