"""Take the pictures of docs/guide from a demo that runs: `make screenshots`.

Starts `manage.py demo --fast` on a free port with a folder of its own, signs in as the operator,
and follows the story: the home page while orders wait, then every page of the guide. Pictures are
reduced to 256 colours where ImageMagick is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, FilePayload, Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "guide" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CONVERT = shutil.which("convert")
PATIENCE = 180.0

ORDERS = """orderNo,sku,quantity,basePrice,customerName,email
N-2041,STMUG-OAT-1,2,12.50,Mina Keller,mina.keller@example.test
N-2042,HIKSO-INK-2,1,14.00,Theo Hayes,theo.hayes@example.test
N-2042,COTEE-SAN-3,2,19.90,Theo Hayes,theo.hayes@example.test
N-2043,OAKCB-PLU-1,0,34.00,Lea Sato,lea.sato@example.test
"""


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
    _open_order(page, "desk")
    _first(page, "/desk/", "main tbody th a", "order")
    _take(page, page.url.split(str(demo.port))[1] + "replace/", "replace")
    _tick(page)
    _replace_in_bulk(page)
    _take(page, "/runs/new/?scope=oversold", "dry-run")
    _first(page, "/runs/", "main tbody tr:has-text('with shortages') th a", "run")
    _take(page, "/reports/calendar/", "calendar")
    _first(page, "/reports/?kind=oversold", "main tbody th a", "report")
    _take(page, "/inventory/", "inventory")
    _first(page, "/outages/", "main tbody th a", "outage")
    _plan_an_outage(page)
    _practise(page)
    _import_orders(page)
    _take(page, "/alerts/", "alerts")
    _take(page, "/settings/", "settings")
    dark = _signed_in(demo, browser, page_scheme="dark", cookies_of=page)
    _open_order(dark, "desk-dark")
    narrow = _signed_in(demo, browser, width=360, cookies_of=page)
    _take(narrow, "/", "home-narrow")


def _open_order(page: Page, name: str) -> None:
    """Take the desk with its first order open beside the list."""
    page.goto("/desk/")
    page.locator("a.desk-open").first.click()
    page.wait_for_selector("#panel .decision[open]")
    _shoot(page, name)


def _tick(page: Page) -> None:
    """Take the desk with three ticked orders and the bar at the bottom."""
    page.goto("/desk/")
    for row in range(3):
        page.locator("tr[data-key-row] input[name=order]").nth(row).check()
    page.get_by_text("3 orders chosen").wait_for()
    _shoot(page, "desk-chosen")
    page.get_by_role("button", name="Clear").first.click()


def _replace_in_bulk(page: Page) -> None:
    """Take the preview of replacing the first short SKU in all its orders; nothing is confirmed."""
    page.goto("/desk/skus/")
    page.locator("main tbody button").first.click()
    page.get_by_role("heading", name="What replaces").wait_for()
    page.locator("main tbody th a").first.click()
    page.get_by_role("heading", name="Replace ").first.wait_for()
    _shoot(page, "replace-bulk")


def _plan_an_outage(page: Page) -> None:
    """Take the preview of a window; nothing is planned."""
    starts_at = (datetime.now() + timedelta(days=2)).replace(hour=22, minute=0)  # noqa: DTZ005
    page.goto("/outages/plan/")
    page.get_by_label("Start").fill(f"{starts_at:%Y-%m-%dT%H:%M}")
    page.get_by_label("End").fill(f"{starts_at + timedelta(hours=2):%Y-%m-%dT%H:%M}")
    page.get_by_label("Responsible").fill("Ines Okafor")
    page.get_by_label("Note for the staff").fill("Maintenance of OCI")
    page.get_by_role("button", name="Show what will happen").click()
    page.get_by_role("button", name="Plan the outage").wait_for()
    _shoot(page, "plan-outage")


def _practise(page: Page) -> None:
    """Take what a practice would do; it is not started."""
    page.goto("/outages/practice/")
    page.get_by_role("button", name="Show what will happen").click()
    page.get_by_role("button", name="Start the practice now").wait_for()
    _shoot(page, "practice")


def _import_orders(page: Page) -> None:
    """Take the preview of an order file in which one order is refused; nothing is imported."""
    page.goto("/settings/maintenance/import/")
    page.get_by_label("Site", exact=True).first.select_option("shop-us")
    file: FilePayload = {"name": "orders.csv", "mimeType": "text/csv", "buffer": ORDERS.encode()}
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    page.wait_for_url("**/import/*/")
    _shoot(page, "import-orders")


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
        locale="en-GB",
    )
    page = context.new_page()
    if cookies_of is not None:
        context.add_cookies(cookies_of.context.cookies())  # type: ignore[arg-type]
        return page
    page.goto("/login/")
    page.fill("#id_username", "operator")
    page.fill("#id_password", password)
    page.click("button[type=submit]")
    # The form has a heading as well: only another address shows that the login has ended.
    page.wait_for_url(lambda address: "/login/" not in address)
    page.wait_for_load_state()
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
    """Write the picture of the window as it is."""
    page.wait_for_selector("main h1")
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    if CONVERT:
        colours = ["+dither", "-colors", "256", "-strip", "-define", "png:compression-level=9"]
        subprocess.run([CONVERT, str(path), *colours, f"PNG8:{path}"], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
