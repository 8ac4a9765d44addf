"""Every page in a real browser: accessible in light and dark, usable at 360 px, silent console.

The pages are opened on an outage with an order of each kind. `open_page` fails a test on any
console error, which includes what the content security policy refuses.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from orders.models import Order
from reconciliation.models import ConnectionState, OfflineCause, Run
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# COC_SHOTS names a folder for screenshots of every page, to be looked at.
SHOTS = os.environ.get("COC_SHOTS", "")

PAGES = {
    "home": "/",
    "orders": "/orders/",
    "oversold": "/orders/?state=oversold",
    "no-orders": "/orders/?q=nothing-like-it",
    "order": "/orders/{partial}/",
    "order-waiting": "/orders/{waiting}/",
    "order-review": "/orders/{review}/",
    "order-cancel": "/orders/{waiting}/cancel/",
    "runs": "/runs/",
    "run": "/runs/{run}/",
    "run-new": "/runs/new/",
    "reports": "/reports/",
    "alerts": "/alerts/",
    "force-offline": "/connection/force-offline/",
    "missing": "/orders/999999/",
}


def path_of(name: str, outage: scene.Scene) -> str:
    return PAGES[name].format(
        partial=outage.partial.pk,
        waiting=outage.waiting.pk,
        review=outage.review.pk,
        run=outage.run.pk,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility_or_scrolls_sideways(
    outage: scene.Scene, open_page: Open, scheme: str
) -> None:
    scene.set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    faults = {}
    for width in (1280, 360):
        page = open_page("/", scheme=scheme, width=width)
        for name in PAGES:
            page.goto(path_of(name, outage))
            found = axe_findings(page)
            if scrolls_sideways(page):
                found.append("scrolls sideways")
            if found:
                faults[f"{name} {width}"] = found
            if SHOTS:
                shot = Path(SHOTS) / f"{name}-{scheme}-{width}.png"
                page.screenshot(path=shot, full_page=True)
    assert faults == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_is_accessible(outage: scene.Scene, open_page: Open, scheme: str) -> None:
    page = open_page("/orders/", scheme=scheme, width=360, signed_in=False)
    assert page.url.endswith("/login/?next=/orders/")
    assert axe_findings(page) == []
    assert not scrolls_sideways(page)
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"login-{scheme}-360.png", full_page=True)


def test_signing_in_leads_to_the_page_that_was_wanted(
    outage: scene.Scene, open_page: Open, operator: Any
) -> None:
    page = open_page("/orders/?state=oversold", signed_in=False)
    page.get_by_label("User name").fill("otto")
    page.get_by_label("Password", exact=True).fill("a long password")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/orders/?state=oversold")
    assert page.get_by_role("link", name=outage.partial.order_no).is_visible()


def test_the_home_page_updates_itself(outage: scene.Scene, open_page: Open) -> None:
    scene.set_connection(ConnectionState.ONLINE)
    page = open_page("/")
    page.evaluate("window.stays = true")
    assert page.get_by_text("has not been answering").count() == 0
    before = page.locator("main").inner_text()

    scene.set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)

    page.wait_for_function(
        "before => document.querySelector('main').innerText !== before", arg=before, timeout=15_000
    )
    assert "Offline" in page.locator("main").inner_text()
    assert page.evaluate("window.stays") is True


@pytest.mark.parametrize("javascript", [True, False])
def test_rerun_says_what_it_would_do_before_it_does_it(
    outage: scene.Scene, open_page: Open, javascript: bool
) -> None:
    scene.set_connection(ConnectionState.ONLINE)
    page = open_page("/", javascript=javascript)
    runs = Run.objects.count()
    page.get_by_role("link", name="Rerun reconciliation").first.click()
    page.wait_for_url("**/runs/new/**")
    told = page.locator("main").inner_text()
    assert "Nothing has been changed yet" in told
    assert outage.waiting.order_no in told
    assert Run.objects.count() == runs

    page.get_by_label("Reason").fill("new delivery")
    page.get_by_role("button", name="Start reconciliation").click()

    page.wait_for_url(re.compile(r"/runs/\d+/"))
    started = Run.objects.order_by("-pk").first()
    assert started is not None
    assert (started.actor, started.reason, started.scope) == ("otto", "new delivery", "missing")


@pytest.mark.parametrize("javascript", [True, False])
def test_an_order_is_cancelled_after_a_reason_and_a_confirmation(
    outage: scene.Scene, open_page: Open, javascript: bool
) -> None:
    page = open_page(f"/orders/{outage.waiting.pk}/", javascript=javascript)
    page.get_by_role("link", name="Cancel order").first.click()
    page.get_by_label("Reason").fill("The shopper asked for it")
    page.get_by_role("button", name="Cancel the order").click()
    page.wait_for_url(f"**/orders/{outage.waiting.pk}/")
    outage.waiting.refresh_from_db()
    assert Order.objects.get(pk=outage.waiting.pk).resolution == "cancelled"
    assert "The shopper asked for it" in page.locator("main").inner_text()
