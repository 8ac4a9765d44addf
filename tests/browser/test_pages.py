"""Every page in a real browser: accessible in light and dark, usable at 360 px, silent console.

The pages are opened on an outage with an order of each kind. `open_page` fails a test on any
console error, which includes what the content security policy refuses. The short form opens some of
the pages, other ones each day.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from coc_admin import stock_uploads
from coc_admin.models import Profile, StockUpload
from orders.models import InventoryRecord, Order
from reconciliation.models import (
    Alert,
    ConnectionState,
    OfflineCause,
    Outage,
    PlannedOutage,
    ReportDay,
    Run,
)
from reconciliation.reports import names, publish
from tests import sampling
from tests.browser.conftest import Open, axe_findings, look, looks_at, scrolls_sideways
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# COC_SHOTS names a folder for screenshots of every page, to be looked at.
SHOTS = os.environ.get("COC_SHOTS", "")

PAGES = {
    "home": "/",
    "orders": "/orders/",
    "search": "/search/?q=mug",
    "search-numbers": "/search/?q=0000012342+000-none",
    "glossary": "/help/glossary/",
    "guide": "/help/guide/",
    "oversold": "/orders/?state=oversold",
    "no-orders": "/orders/?q=nothing-like-it",
    "orders-mistaken": "/orders/?captured_from=2026-02-30&value_from=2&value_to=1",
    "inventory": "/inventory/",
    "no-inventory": "/inventory/?sku=nothing-like-it",
    "sku": "/inventory/{sku}/",
    "outages": "/outages/",
    "outage": "/outages/{outage}/",
    "outage-open": "/outages/{open_outage}/",
    "outage-plan": "/outages/plan/",
    "outage-extend": "/outages/planned/{planned}/extend/",
    "outage-end": "/outages/planned/{planned}/end/",
    "desk": "/desk/",
    "desk-skus": "/desk/skus/",
    "views": "/views/",
    "no-desk": "/desk/?sku=nothing-like-it",
    "desk-order": "/desk/orders/{partial}/",
    "order": "/orders/{partial}/",
    "order-waiting": "/orders/{waiting}/",
    "order-review": "/orders/{review}/",
    "order-cancel": "/orders/{waiting}/cancel/",
    "order-settle": "/orders/{partial}/settle/",
    "order-reopen": "/orders/{partial}/reopen/",
    "order-end-review": "/orders/{review}/end-review/",
    "order-cancel-items": "/orders/{partial}/cancel-items/",
    "order-replace": "/orders/{partial}/replace/",
    "order-replace-search": "/orders/{partial}/replace/?item={item}&q=JUG",
    "order-replace-preview": "/orders/{partial}/replace/?item={item}&sku=JUG-03",
    "order-give-back": "/orders/{partial}/documents/{document}/give-back/",
    "order-adjust": "/orders/{partial}/documents/{document}/adjust/",
    "runs": "/runs/",
    "run": "/runs/{run}/",
    "run-new": "/runs/new/",
    "run-batches": "/runs/{run}/batches/",
    "run-calls": "/runs/{run}/calls/",
    "reports": "/reports/",
    "report-calendar": "/reports/calendar/",
    "report": "/reports/{report}/",
    "report-missing": "/reports/{no_report}/",
    "order-payload": "/orders/{partial}/payload/",
    "stock-compare": "/inventory/compare/",
    "stock-import": "/inventory/import/",
    "stock-import-confirm": "/inventory/import/{upload}/",
    "alerts": "/alerts/",
    "alert": "/alerts/{alert}/",
    "alert-my-view": "/alerts/my-view/",
    "channels": "/alerts/channels/",
    "channel": "/alerts/channels/{channel}/",
    "channel-edit": "/alerts/channels/{channel}/edit/",
    "order-message": "/orders/{cancelled}/message/",
    "message-templates": "/messages/",
    "message-template": "/messages/NorthShop/template/replaced/",
    "message-route": "/messages/NorthShop/sending/",
    "me": "/me/",
    "password": "/me/password/",
    "force-offline": "/connection/force-offline/",
    "release": "/connection/release/",
    "channel-new": "/alerts/channels/new/",
    "deliveries": "/alerts/channels/log/",
    "missing": "/orders/999999/",
}


def path_of(name: str, outage: scene.Scene) -> str:
    return PAGES[name].format(
        partial=outage.partial.pk,
        waiting=outage.waiting.pk,
        review=outage.review.pk,
        cancelled=outage.cancelled.pk,
        alert=Alert.objects.get(descriptor="reconciliation_shortages").pk,
        channel=scene.make_channel().pk,
        item=outage.partial.items.earliest("position").pk,
        document=outage.partial.documents.get().pk,
        run=outage.run.pk,
        report=ReportDay.objects.get(report_type="oversold").pk,
        no_report=ReportDay.objects.get(report_type="reserved").pk,
        upload=StockUpload.objects.get().pk,
        sku=InventoryRecord.objects.filter(sku="MUG-01").earliest("pk").pk,
        outage=Outage.objects.earliest("pk").pk,
        open_outage=Outage.objects.latest("pk").pk,
        planned=PlannedOutage.objects.get().pk,
    )


def put_on_every_page(outage: scene.Scene) -> None:
    """Give each page of PAGES something to show."""
    scene.make_outage(outage.run)
    scene.make_outage(over=False, minutes_ago=40)
    scene.make_planned_outage()
    publish.project_and_merge(now=scene.NOW)
    names.path_of(ReportDay.objects.get(report_type="reserved")).unlink()
    stock_uploads.keep(
        io.BytesIO(b"sku,ato\nMUG-01,3\nNEW-9,7\n"),
        name="stock.csv",
        list_=outage.site.inventory_list,
        user=User.objects.get(username="otto"),
        now=timezone.now(),
    )
    scene.set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)


# Each page is loaded once, and looked at as wide, dark and narrow; narrow pages have the colours of
# wide ones.
LOOKS = (("light", 1280), ("dark", 1280), ("light", 360))


def test_no_page_has_a_serious_fault_of_accessibility_or_scrolls_sideways(
    outage: scene.Scene, open_page: Open
) -> None:
    put_on_every_page(outage)
    faults = {}
    page = open_page("/", still=True)
    for name, looks in looks_at(PAGES, LOOKS, one_in=8).items():
        page.goto(path_of(name, outage))
        for scheme, width in looks:
            look(page, scheme, width)
            found = axe_findings(page)
            if scrolls_sideways(page):
                found.append("scrolls sideways")
            if found:
                faults[f"{name} {scheme} {width}"] = found
            if SHOTS:
                shot = Path(SHOTS) / f"{name}-{scheme}-{width}.png"
                page.screenshot(path=shot, full_page=True)
        look(page, *LOOKS[0])
    assert faults == {}


def test_german_fits_a_narrow_page(outage: scene.Scene, open_page: Open, operator: User) -> None:
    """Its words are longer than the English ones."""
    put_on_every_page(outage)
    Profile.objects.create(user=operator, language="de")
    page = open_page("/", width=360)
    wide = []
    for name in sampling.part(PAGES, one_in=8):
        page.goto(path_of(name, outage))
        if name != "missing":
            assert page.locator("html").get_attribute("lang") == "de", name
        if scrolls_sideways(page):
            wide.append(name)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-german-360.png", full_page=True)
    assert wide == []


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
    expect(page.get_by_role("link", name=outage.partial.order_no)).to_be_visible()


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
    expect(page.locator("main")).to_contain_text("Offline")
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
    expect(page.locator("main")).to_contain_text("The shopper asked for it")


def test_orders_are_filtered_and_exported_without_javascript(
    outage: scene.Scene, open_page: Open
) -> None:
    page = open_page("/orders/", javascript=False)
    page.get_by_text("Filter by time and value").click()
    page.get_by_label("Captured from").fill("2026-02-02")
    page.get_by_label("Value from").fill("28.50")
    page.get_by_role("searchbox", name="Customer", exact=True).fill("ada")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**captured_from=2026-02-02**")
    page.get_by_role("columnheader", name="Captured").get_by_role("link").click()
    page.wait_for_url("**sort=oldest**")
    numbers = page.locator("tbody th").all_inner_texts()
    assert numbers == [f"00000123{number}" for number in range(40, 46)]
    expect(page.get_by_label("Value from")).to_be_visible()
    page.get_by_text("Other formats").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV for programs").click()
    rows = download.value.path().read_text(encoding="utf-8-sig").splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == numbers


LISTS = ("orders", "desk", "desk-skus", "inventory", "outages", "runs", "reports")
# Pixels from the top of a window of 1440 x 900.
FIRST_ROW = 320


def test_the_first_row_of_each_list_is_near_the_top(outage: scene.Scene, open_page: Open) -> None:
    scene.make_outage(outage.run)
    publish.project_and_merge(now=scene.NOW)
    low = {}
    for name in LISTS:
        page = open_page(PAGES[name], width=1440)
        row = page.locator("main tbody tr").first.bounding_box()
        if row is None or row["y"] > FIRST_ROW:
            low[name] = row
    assert low == {}


def test_an_outage_has_a_table_of_its_chart_and_a_text_to_copy(
    outage: scene.Scene, open_page: Open
) -> None:
    made = scene.make_outage(outage.run)
    page = open_page(f"/outages/{made.pk}/", javascript=False)
    table = page.get_by_role("group", name="Orders captured and settled over time").last
    page.get_by_text("Show as a table").click()
    assert table.locator("tbody tr").count() == 25
    text = page.get_by_label("The outage as text, to copy").input_value()
    assert text.startswith(f"Outage {made.pk} of Omnichannel Inventory\n\nCause: ")
    assert page.get_by_label("The outage as text, to copy").is_editable() is False
