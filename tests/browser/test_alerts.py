"""The inbox in a browser: chosen and acknowledged, by keyboard and without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from reconciliation.models import Alert
from tests.browser.conftest import Open
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("javascript", [True, False])
def test_alerts_are_chosen_and_acknowledged(
    outage: scene.Scene, open_page: Open, javascript: bool
) -> None:
    page = open_page("/alerts/?priority=ACTION", javascript=javascript)
    if javascript:
        page.locator("body").press("j")
        page.keyboard.press("x")
        page.keyboard.press("e")
    else:
        page.get_by_role("checkbox", name="Oversold orders need a decision").check()
        page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("1 alert was updated.").wait_for()
    expect(page).to_have_url(re.compile(r"/alerts/\?priority=ACTION$"))
    expect(page.get_by_text("No alert matches.")).to_be_visible()
    alert = Alert.objects.get(descriptor="reconciliation_shortages")
    assert alert.handling == "acknowledged"
