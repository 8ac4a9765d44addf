"""The dry run of a large backlog in a browser: started, left, watched, and the rerun from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from reconciliation import tasks
from reconciliation.models import JobState, MaintenanceJob, Run
from reconciliation.runs import dry_run, scopes
from tests import sampling
from tests.browser.conftest import Open, axe_findings, scrolls_sideways
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")


@pytest.fixture(autouse=True)
def backlog(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve orders, of which a request plans no more than four; OCI has nine mugs."""
    monkeypatch.setattr(scopes, "ROUND", 4)
    monkeypatch.setattr(dry_run, "ROUND", 4)
    monkeypatch.setattr(
        dry_run, "_stock", lambda keys: {key: 9 if key[1] == "MUG-01" else 100 for key in keys}
    )
    site = scene.make_shop()
    for number in range(12):
        items: Any = [("MUG-01", 2)] if number % 2 else [("MUG-01", 2), ("CUP-02", 1)]
        scene.place(site, f"00000204{number:02}", items=items, minutes_ago=60 - number)


@pytest.mark.parametrize(
    ("javascript", "width", "scheme"),
    [
        *sampling.part(
            [(True, 360, "light"), (True, 1440, "dark"), (True, 1440, "light")], one_in=3
        ),
        (False, 1280, "light"),
    ],
)
def test_a_large_dry_run_is_started_left_and_rerun_from(
    open_page: Open, javascript: bool, width: int, scheme: str
) -> None:
    def look(name: str) -> None:
        if SHOTS:
            shot = Path(SHOTS) / f"dry-run-{name}-{width}-{scheme}-{javascript}.png"
            page.screenshot(path=shot, full_page=True)
        if javascript:
            assert axe_findings(page) == []
            assert not scrolls_sideways(page)

    page = open_page("/runs/new/", javascript=javascript, width=width, scheme=scheme)
    page.get_by_text("More than 4 orders would be planned").wait_for()
    look("offer")
    page.get_by_role("button", name="Start the dry run").click()
    page.get_by_role("button", name="Stop the dry run").wait_for()
    page.get_by_role("button", name="Stop the dry run").click()
    page.get_by_text("The latest dry run was stopped.").wait_for()
    look("stopped")
    page.get_by_role("button", name="Repeat the dry run").click()
    page.get_by_text("Waits for a worker").wait_for()
    show_progress(page, javascript=javascript)
    look("running")
    MaintenanceJob.objects.filter(state=JobState.RUNNING).update(state=JobState.QUEUED)
    page.goto("/runs/")
    page.get_by_role("heading", name="Dry runs in the background").wait_for()
    look("list")
    tasks.maintenance_job(MaintenanceJob.objects.latest("pk").pk)
    page.get_by_role("link", name="Everything that is waiting").first.click()
    page.get_by_text("Planned in the background.").wait_for()
    look("result")
    page.get_by_label("Reason").fill("A delivery has arrived")
    page.get_by_role("button", name="Start reconciliation").click()
    page.get_by_text("The reconciliation has been started.").wait_for()
    assert Run.objects.get().reason == "A delivery has arrived"


def show_progress(page: Page, *, javascript: bool) -> None:
    """Complete half of the job; with JavaScript the page refreshes itself."""
    MaintenanceJob.objects.filter(state=JobState.QUEUED).update(
        state=JobState.RUNNING, started_at=scene.NOW, steps=41_250, steps_done=18_000
    )
    if not javascript:
        page.get_by_role("link", name="Refresh").click()
    page.get_by_text("18,000 of 41,250 orders planned").wait_for()
