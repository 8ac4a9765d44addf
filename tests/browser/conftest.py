"""A browser that fails a test on any console error, and people to sign in with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import sampling
from tests.coc_admin.console import scene
from tests.factories import browser_of

# Playwright's synchronous interface runs an event loop in this thread; the ORM calls of the tests
# beside it are safe all the same.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"

# A page is committed before it has been parsed, so a test waits for what it expects of one; a busy
# machine takes longer than Playwright's five seconds.
expect.set_options(timeout=20_000)

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start Debian's Chromium, which calls home for nothing."""
    return {
        "executable_path": "/usr/bin/chromium",
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture
def outage(transactional_db: None) -> scene.Scene:
    """Return an outage with an order of each kind."""
    return scene.build_scene()


@pytest.fixture
def operator(transactional_db: None) -> User:
    """Return an operator."""
    return scene.make_user("otto", *scene.OPERATOR)


class Watched:
    """A page that collects console errors, failed requests and uncaught exceptions."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        page.on("response", self._answered)

    def _said(self, message: Any) -> None:
        # A failed request is told by its response; that of the page itself may be meant.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.errors.append(f"{message.type}: {message.text}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            self.errors.append(f"{response.status}: {response.url}")


@pytest.fixture
def open_page(browser: Browser, live_server: Any, operator: User) -> Iterator[Open]:
    """Return a function that opens a path; at the end no page may have complained.

    `scheme` is light or dark, `width` in pixels, `javascript` can be switched off,
    `signed_in=False` opens the page as a stranger, and `still=True` without transitions.
    """
    contexts: list[BrowserContext] = []
    watched: list[Watched] = []

    def opened(
        path: str,
        *,
        scheme: Any = "light",
        width: int = 1280,
        javascript: bool = True,
        signed_in: bool = True,
        still: bool = False,
    ) -> Page:
        context = browser.new_context(
            color_scheme=scheme,
            reduced_motion="reduce" if still else None,
            viewport={"width": width, "height": 900},
            java_script_enabled=javascript,
            base_url=live_server.url,
        )
        contexts.append(context)
        if signed_in:
            context.add_cookies([_session_cookie(operator, live_server.url)])
        page = context.new_page()
        watched.append(Watched(page))
        page.goto(path)
        return page

    yield opened
    complaints = [error for one in watched for error in one.errors]
    for context in contexts:
        context.close()
    assert complaints == []


def _session_cookie(user: User, url: str) -> Any:
    client = browser_of(user)
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    return {"name": settings.SESSION_COOKIE_NAME, "value": value, "url": url}


def axe_findings(page: Page) -> list[str]:
    """Return what axe finds serious or critical on the page: rule, element, and why."""
    page.wait_for_load_state()
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations'], selectors: false,"
        " preload: false})).violations"
    )
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def looks_at(
    names: Iterable[str], looks: Sequence[tuple[str, int]], *, one_in: int
) -> dict[str, list[tuple[str, int]]]:
    """Return the looks at each page, one in so many of them in the short form.

    Pages take turns: one is looked at as wide and the next one as narrow, and another day the other
    way round.
    """
    every = [
        (name, looks[(at + turn) % len(looks)])
        for at, name in enumerate(names)
        for turn in range(len(looks))
    ]
    found: dict[str, list[tuple[str, int]]] = {}
    for name, one in sampling.part(every, one_in=one_in):
        found.setdefault(name, []).append(one)
    return found


def look(page: Page, scheme: Any, width: int) -> None:
    """Let the page have this colour scheme and width, without loading it again."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(
        "([scheme, width]) => document.documentElement.dataset.bsTheme === scheme"
        " && innerWidth === width",
        arg=[scheme, width],
    )


def scrolls_sideways(page: Page) -> bool:
    """Return whether the page itself is wider than its window."""
    page.wait_for_load_state()
    return bool(
        page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    )
