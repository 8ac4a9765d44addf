"""Adjusting a reservation in a real browser, with and without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from coc_admin.models import Profile
from orders.models import Adjustment, InventoryList, Order
from reconciliation.models import ConnectionState, ReservationDocument
from tests import factories, sampling
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.browser.test_pages import SHOTS
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def put_a_second_list(outage: scene.Scene) -> str:
    """Let another list know the order's SKUs; return the path of the page."""
    document = ReservationDocument.objects.get(order=outage.partial)
    InventoryList.objects.get_or_create(pk="outlet")
    factories.permit_lists(outage.site, "outlet")
    stock = {line["sku"]: 9 for line in document.held}
    factories.know_stock(stock, list_id="outlet", at=timezone.now() - timedelta(minutes=1))
    scene.set_connection(ConnectionState.ONLINE)
    return f"/orders/{outage.partial.pk}/documents/{document.pk}/adjust/"


@pytest.mark.parametrize(
    ("scheme", "width", "javascript", "language"),
    [
        *sampling.part(
            [("light", 1280, True, ""), ("light", 360, True, "de"), ("dark", 360, True, "")],
            one_in=3,
        ),
        ("light", 360, False, ""),
    ],
)
def test_what_is_kept_is_chosen_shown_and_chosen_again(
    outage: scene.Scene,
    open_page: Open,
    operator: User,
    scheme: str,
    width: int,
    javascript: bool,
    language: str,
) -> None:
    Profile.objects.create(user=operator, language=language)
    path = put_a_second_list(outage)
    page = open_page(path, scheme=scheme, width=width, javascript=javascript)
    name = f"order-adjust-{scheme}-{width}-{'js' if javascript else 'plain'}{language}"
    faults = []

    def look(step: str) -> None:
        if javascript:
            faults.extend(axe_findings(page))
            if scrolls_sideways(page):
                faults.append(f"{step} scrolls sideways")
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{step}.png", full_page=True)

    page.locator("[name=keep]").first.fill("99")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    look("mistaken")
    page.locator("[name=keep]").first.fill("1")
    page.locator("[name=to]").first.select_option("outlet")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("button[name=confirm]")).to_be_visible()
    look("preview")
    page.locator("button[name=change]").click()
    expect(page.locator("select[name=to]").first).to_have_value("outlet")
    look("again")
    assert faults == []
    assert not Adjustment.objects.exists()


@pytest.mark.parametrize("width", [1280, 360])
def test_the_order_says_what_is_under_way(outage: scene.Scene, open_page: Open, width: int) -> None:
    put_a_second_list(outage)
    document = ReservationDocument.objects.get(order=outage.partial)
    one = Adjustment.objects.create(
        order=outage.partial,
        document=document,
        actor_kind="person",
        actor="otto",
        reason="One piece is damaged.",
        asked_at=timezone.now(),
    )
    Order.objects.filter(pk=outage.partial.pk).update(open_remedy="adjustment")
    for line in document.held:
        one.lines.create(
            inventory_list_id=line["id"], sku=line["sku"], held=1, kept=1, to_list_id="outlet"
        )
    page = open_page(f"/orders/{outage.partial.pk}/", width=width)
    notice = page.get_by_role("status").filter(has_text="is being adjusted")
    expect(notice).to_contain_text("moved from")
    expect(notice.get_by_role("link")).to_have_attribute("href", "#story-title")
    assert axe_findings(page) == []
    assert not scrolls_sideways(page)
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"order-being-adjusted-{width}.png", full_page=True)
