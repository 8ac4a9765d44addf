"""Take the pictures of docs/guide from a demo that runs: `make screenshots`.

Starts `manage.py demo --fast` on a free port with a folder of its own, signs in as the operator,
and follows the story: the home page while orders wait, then every page of the guide.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "guide" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE = 180.0


class Demo:
    """The demo as a process, and its output."""

    def __init__(self, folder: str) -> None:
        self.port = _free_port()
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--fast", "--with-parent", "--folder", folder],
            cwd=ROOT,
            env={**os.environ, "PORT": str(self.port), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first printed line that matches; ends the script when none comes."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            for line in self.lines:
                if found := re.search(pattern, line):
                    return found
            time.sleep(0.05)
        raise SystemExit(f"The demo did not say {pattern!r}:\n" + "\n".join(self.lines))

    def stop(self) -> None:
        """End it and everything it has started."""
        self._process.terminate()
        self._process.wait(30)


def main() -> int:
    """Take every picture; 0 if all exist."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        demo = Demo(folder)
        try:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            _follow(demo, browser)
            browser.close()
        finally:
            demo.stop()
    print(f"{len(list(IMAGES.glob('*.png')))} pictures in {IMAGES.relative_to(ROOT)}")
    return 0


def _follow(demo: Demo, browser: Browser) -> None:
    password = demo.wait_for(r"log in as +operator +(\S+)|^ +operator +(\S+)")
    page = _signed_in(demo, browser, next(word for word in password.groups() if word))
    demo.wait_for("orders wait for a reservation")
    _take(page, "/", "home-outage")
    demo.wait_for("the day's reports are written")
    _take(page, "/", "home")
    _take(page, "/desk/", "desk")
    _first(page, "/desk/", "main tbody th a", "order")
    _take(page, page.url.split(str(demo.port))[1] + "replace/", "replace")
    _replace_in_bulk(page)
    _take(page, "/runs/new/?scope=oversold", "dry-run")
    _first(page, "/runs/", "main tbody th a", "run")
    _take(page, "/reports/calendar/", "calendar")
    _first(page, "/reports/?kind=oversold", "main tbody th a", "report")
    _take(page, "/inventory/", "inventory")
    _first(page, "/outages/", "main tbody th a", "outage")
    _take(page, "/alerts/", "alerts")
    _take(page, "/settings/", "settings")
    dark = _signed_in(demo, browser, page_scheme="dark", cookies_of=page)
    _take(dark, "/desk/", "desk-dark")
    narrow = _signed_in(demo, browser, width=360, cookies_of=page)
    _take(narrow, "/", "home-narrow")


def _replace_in_bulk(page: Page) -> None:
    """Take the preview of replacing the first short SKU in all its orders; nothing is confirmed."""
    page.goto("/desk/skus/")
    page.locator("main tbody button").first.click()
    page.locator("main tbody th a").first.click()
    page.wait_for_load_state()
    _shoot(page, "replace-bulk")


def _signed_in(
    demo: Demo,
    browser: Browser,
    password: str = "",
    *,
    width: int = 1280,
    page_scheme: str = "light",
    cookies_of: Page | None = None,
) -> Page:
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{demo.port}",
        viewport={"width": width, "height": 860},
        color_scheme="dark" if page_scheme == "dark" else "light",
    )
    page = context.new_page()
    if cookies_of is not None:
        context.add_cookies(cookies_of.context.cookies())  # type: ignore[arg-type]
        return page
    page.goto("/login/")
    page.fill("#id_username", "operator")
    page.fill("#id_password", password)
    page.click("button[type=submit]")
    page.wait_for_selector("main h1")
    return page


def _take(page: Page, path: str, name: str) -> None:
    page.goto(path)
    _shoot(page, name)


def _first(page: Page, path: str, link: str, name: str) -> None:
    """Take the page behind the first link of a list."""
    page.goto(path)
    page.locator(link).first.click()
    page.wait_for_load_state()
    _shoot(page, name)


def _shoot(page: Page, name: str) -> None:
    page.wait_for_selector("main h1")
    page.screenshot(path=IMAGES / f"{name}.png")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
