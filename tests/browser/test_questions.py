"""Writing a question to the customers of ticked orders, and a split, in a real browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from coc_admin.models import Profile
from orders.models import Ask, InventoryRecord, Order, OrderItem, Replacement
from tests.browser.conftest import Open, axe_findings, look, scrolls_sideways
from tests.coc_admin.console.bulk.test_bulk_asks import short as short
from tests.coc_admin.console.scene import Scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")
TEXT = "{customerName}: {offeredProduct} / {product} / {orderNo} / {deadline}"
WORDS = {
    "en": ("Days to answer", "Show the messages as typed"),
    "de": ("Tage bis zur Antwort", "Nachrichten wie eingegeben zeigen"),
}


@pytest.fixture
def language(request: pytest.FixtureRequest, operator: User) -> str:
    """The language of the operator."""
    Profile.objects.update_or_create(user=operator, defaults={"language": request.param})
    return str(request.param)


def look_at(page: Page, name: str, width: int) -> None:
    """Check a page in both colour schemes at the width it has."""
    for colours in ("light", "dark"):
        look(page, colours, width)
        page.wait_for_timeout(400)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{colours}.png", full_page=True)
        assert axe_findings(page) == []
        assert not scrolls_sideways(page)


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("de", 360)], indirect=["language"])
def test_the_question_to_many_is_typed_read_and_sent(
    outage: Scene, short: list[Order], open_page: Open, language: str, width: int
) -> None:
    days, show = WORDS[language]
    page = open_page("/desk/", width=width)
    for order in short:
        page.locator(f"input[name=order][value='{order.pk}']").check()
    page.locator("#chosen [value=ask]").click()
    page.wait_for_url("**/bulk/**")
    field = page.locator("#ask-body")
    assert "{deadline}" in field.input_value()
    look_at(page, f"questions-{language}", width)

    page.get_by_label(days).fill("5")
    field.fill(TEXT + " {price}")
    page.get_by_role("button", name=show).click()
    expect(page.locator(".field-error")).to_contain_text("{price}")
    expect(field).to_have_value(TEXT + " {price}")
    expect(page.get_by_label(days)).to_have_value("5")
    look_at(page, f"questions-wrong-{language}", width)
    assert not Ask.objects.exists()

    field.fill(TEXT)
    page.get_by_role("button", name=show).click()
    samples = page.locator(".question-samples .summary-text")
    expect(samples).to_have_count(3)
    expect(samples.nth(1)).to_contain_text("Stoneware beaker / Stoneware CUP-02 / ask-1 / ")
    look_at(page, f"questions-shown-{language}", width)
    read = samples.nth(1).inner_text()
    page.locator("main form button.btn-primary").click()
    expect(page.locator("td .pill").first).to_be_visible()
    assert Ask.objects.get(order=short[1]).message.body == read
    assert Ask.objects.count() == 3


@pytest.mark.parametrize(
    ("language", "width", "javascript"),
    [("en", 1440, True), ("de", 360, True), ("de", 360, False)],
    indirect=["language"],
)
def test_the_question_to_one_is_typed_read_and_sent(
    outage: Scene,
    short: list[Order],
    open_page: Open,
    language: str,
    width: int,
    javascript: bool,
) -> None:
    days, show = WORDS[language]
    page = open_page(f"/desk/?order={short[0].pk}", width=width, javascript=javascript)
    page.locator("details.decision", has=page.locator("#ask-body")).locator("> summary").click()
    page.get_by_label(days).fill("5")
    if not javascript:
        # The answer to a script would be a complaint of the page.
        page.locator("#ask-body").fill(TEXT + " {price}")
        page.get_by_role("button", name=show).click()
        expect(page.locator(".field-error")).to_contain_text("{price}")
        expect(page.locator("#ask-body")).to_have_value(TEXT + " {price}")
        expect(page.get_by_label(days)).to_have_value("5")
    page.locator("#ask-body").fill(TEXT)
    page.get_by_role("button", name=show).click()
    sample = page.locator(".question-samples .summary-text")
    expect(sample).to_contain_text("Stoneware beaker / Stoneware CUP-02 / ask-0 / ")
    if javascript:
        look_at(page, f"question-{language}", width)
    read = sample.inner_text()
    page.locator("form:has(#ask-body) .decision-do button").click()
    expect(page.locator("#result")).to_be_visible()
    assert Ask.objects.get().message.body == read
    assert (Ask.objects.get().due_at - timezone.now()).days == 4


@pytest.mark.parametrize(
    ("language", "width"), [("en", 1440), ("en", 360), ("de", 360)], indirect=["language"]
)
def test_a_split_is_one_act(
    outage: Scene, short: list[Order], open_page: Open, language: str, width: int
) -> None:
    order = outage.nothing
    OrderItem.objects.filter(order=order, sku="MUG-01").update(product_name="Wooden tray")
    InventoryRecord.objects.filter(sku="MUG-01").update(snapshot_ato=0, ato=0)
    page = open_page(f"/desk/?order={order.pk}", width=width)
    split: Any = page.locator("details.decision[open]")
    expect(split.locator(".split-lines li")).to_have_count(2)
    expect(split.locator("textarea")).to_have_value(split.locator("textarea").input_value())
    assert "Wooden tray" in split.locator("textarea").input_value()
    look_at(page, f"split-{language}", width)
    split.locator("[data-do]").click()
    expect(page.locator("#result")).to_be_visible()
    assert Replacement.objects.get(order=order).parts.count() == 1
    page.goto(f"/orders/{order.pk}/")
    look_at(page, f"split-order-{language}", width)
