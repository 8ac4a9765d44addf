"""Take the pictures of docs/guide from a demo that runs: `make screenshots`.

Starts `manage.py demo --fast` on a free port with a folder of its own, signs in as the operator,
and follows the story: every page of the guide, and then home during and after a practice outage.
Home draws orders by minute, so this takes a quarter of an hour. The first run is taken
from an installation with nothing in it; it and home are for docs/old-and-new.md as well. Pictures
are reduced to 256 colours where ImageMagick is installed.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from django.conf import settings
from playwright.sync_api import Browser, FilePayload, Page, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from coc_admin.demo import environment

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "guide" / "images"
COMPARED = ROOT / "docs" / "images" / "old-and-new"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CONVERT = shutil.which("convert")
PATIENCE = 180.0
USUAL: ViewportSize = {"width": 1280, "height": 860}
NARROW: ViewportSize = {"width": 360, "height": 860}
WIDE: ViewportSize = {"width": 1440, "height": 900}
PASSWORD = "only for pictures"  # of an installation that lives for a minute
# Lines of the set-up list that are done without a person.
REACHED = 2
# Minutes of orders before the practice outage, in it, and after it.
BEFORE, LASTS, AFTER = 5, 4, 4
MINUTES = BEFORE + LASTS + AFTER
ORDERS_A_MINUTE = 20

ORDERS = """orderNo,sku,quantity,basePrice,customerName,email
N-2041,STMUG-OAT-1,2,12.50,Mina Keller,mina.keller@example.test
N-2042,HIKSO-INK-2,1,14.00,Theo Hayes,theo.hayes@example.test
N-2042,COTEE-SAN-3,2,19.90,Theo Hayes,theo.hayes@example.test
N-2043,OAKCB-PLU-1,0,34.00,Lea Sato,lea.sato@example.test
"""


class Program:
    """A program of this repository as a process, and its output."""

    def __init__(self, *arguments: str, port: int, env: Mapping[str, str] = os.environ) -> None:
        self.port = port
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**env, "PORT": str(self.port), "PYTHONUNBUFFERED": "1"},
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
        raise SystemExit(f"It did not say {pattern!r}:\n" + "\n".join(self.lines))

    def stop(self) -> None:
        """End it and everything it has started."""
        self._process.terminate()
        self._process.wait(30)


def main() -> int:
    """Take every picture; 0 if all exist."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        _first_run(Path(folder) / "empty", browser)
        arguments = ("demo", "--fast", "--with-parent", "--folder", f"{folder}/demo")
        demo = Program("manage.py", *arguments, port=_free_port())
        try:
            _follow(demo, browser)
        finally:
            demo.stop()
        browser.close()
    print(f"{len(list(IMAGES.glob('*.png')))} pictures in {IMAGES.relative_to(ROOT)}")
    return 0


def _first_run(folder: Path, browser: Browser) -> None:
    """Take home of an installation that reaches OCI and has nothing else."""
    folder.mkdir(mode=0o700)
    env = environment.build(folder=folder, outer=os.environ)
    env.pop(environment.READY)
    env |= {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    user = ("createsuperuser", "--noinput", "--username", "operator", "--email", "")
    for command in (("migrate", "--verbosity", "0"), user):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True)
    oci = Program(
        "-m",
        "reconciliation.simulator",
        f"--port={env[environment.SIMULATOR_PORT]}",
        f"--control-port={env[environment.CONTROL_PORT]}",
        f"--tenant-group-id={environment.TENANT_GROUP_ID}",
        f"--client-id={environment.CLIENT_ID}",
        f"--client-secret={env['COC_OCI_CLIENT_SECRET']}",
        "--with-parent",
        port=0,
    )
    product = Program("manage.py", "serve", "--with-parent", port=_free_port(), env=env)
    try:
        _wait_until_ready(product)
        page = _signed_in(product, browser, PASSWORD, size=WIDE)
        done = page.locator(".first-run li").filter(has_text="Done")
        deadline = time.monotonic() + PATIENCE
        while done.count() < REACHED and time.monotonic() < deadline:
            page.wait_for_timeout(1000)
            page.goto("/")
        _shoot(page, "first-run-new", COMPARED)
    finally:
        product.stop()
        oci.stop()


def _wait_until_ready(product: Program) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{product.port}/readyz", timeout=5).ok:
                return
        time.sleep(0.5)
    raise SystemExit("It is not ready:\n" + "\n".join(product.lines))


def _follow(demo: Program, browser: Browser) -> None:
    words = demo.wait_for(r"operator +(operator-\w+)")
    page = _signed_in(demo, browser, words[1])
    demo.wait_for("the day's reports are written")
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
    admin = _signed_in(demo, browser, demo.wait_for(r"admin +(admin-\w+)")[1], name="admin")
    shoppers = Shoppers(demo.port, _token(admin))
    try:
        _practise_for_real(demo, browser, page)
    finally:
        shoppers.stop()


class Shoppers:
    """Place orders in the shops of the demo, more and less from minute to minute."""

    def __init__(self, port: int, token: str) -> None:
        self._address = f"http://127.0.0.1:{port}/api/v1/sites"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # The plan of the demo has words to translate; nothing else of Django is needed here.
        settings.configure(USE_I18N=False)
        from coc_admin.demo.plan import Posting, shop_plan

        plan = shop_plan(orders=3 * ORDERS_A_MINUTE * MINUTES)
        postings = [*plan.before, *plan.during, *plan.after]
        for number, posting in enumerate(postings):
            body = {**posting.payload, "orderNo": f"P-{number:05}"}
            wave = 1 + 0.6 * math.sin(time.monotonic() / 70)
            if self._ended.wait(60 / (ORDERS_A_MINUTE * wave)):
                return
            dated = Posting(posting.site_id, body).body(datetime.now(UTC))
            with contextlib.suppress(requests.RequestException):
                address = f"{self._address}/{posting.site_id}/orders"
                requests.post(address, data=dated, headers=self._headers, timeout=15)

    def stop(self) -> None:
        """Place no more."""
        self._ended.set()
        self._thread.join()


def _token(page: Page) -> str:
    """Return a token that may place orders in every shop."""
    page.goto("/settings/tokens/new/")
    page.locator("[name=name]").fill("Shoppers of the pictures")
    for box in page.locator("main input[name=site]").all():
        box.check()
    page.locator("main input[name=scopes][value='orders:write']").check()
    page.locator("main form button[type=submit]").first.click()
    return page.locator("#token").input_value()


def _practise_for_real(demo: Program, browser: Browser, page: Page) -> None:
    """Take home after some minutes of a practice, and some minutes after its end."""
    page.wait_for_timeout(BEFORE * 60_000)
    page.goto("/outages/practice/")
    for name in ("Show what will happen", "Start the practice now"):
        page.get_by_role("button", name=name).click()
    page.wait_for_url(lambda address: "/practice/" not in address)
    page.wait_for_timeout(LASTS * 60_000)
    _take(page, "/", "home-outage")
    page.get_by_role("button", name="End practice now").click()
    page.wait_for_timeout(AFTER * 60_000)
    _take(page, "/", "home")
    for size, folder, name in ((WIDE, COMPARED, "home-new"), (NARROW, IMAGES, "home-narrow")):
        other = _signed_in(demo, browser, size=size, cookies_of=page)
        other.goto("/")
        _shoot(other, name, folder)


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
    demo: Program,
    browser: Browser,
    password: str = "",
    *,
    name: str = "operator",
    size: ViewportSize = USUAL,
    page_scheme: str = "light",
    cookies_of: Page | None = None,
) -> Page:
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{demo.port}",
        viewport=size,
        color_scheme="dark" if page_scheme == "dark" else "light",
        locale="en-GB",
    )
    page = context.new_page()
    if cookies_of is not None:
        context.add_cookies(cookies_of.context.cookies())  # type: ignore[arg-type]
        return page
    page.goto("/login/")
    page.fill("#id_username", name)
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


def _shoot(page: Page, name: str, folder: Path = IMAGES) -> None:
    """Write the picture of the window as it is."""
    page.wait_for_selector("main h1")
    path = folder / f"{name}.png"
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
