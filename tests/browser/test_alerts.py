"""The inbox in a browser: chosen and acknowledged, by keyboard and without JavaScript."""

from __future__ import annotations

import pytest

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
        page.get_by_role("checkbox", name="Reconciliation finished with shortages").check()
        page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("1 alert was updated.").wait_for()
    assert page.url.endswith("/alerts/?priority=ACTION")
    assert page.get_by_text("No alert fits.").is_visible()
    alert = Alert.objects.get(descriptor="reconciliation_shortages")
    assert alert.handling == "acknowledged"
