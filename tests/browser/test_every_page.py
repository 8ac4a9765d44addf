"""Every page of the console: listed by its address, and looked at in both languages and all sizes.

A page is a view that answers a GET with a page of its own. A new one has to be added to PAGES here,
in `test_pages` or in `test_settings_pages`, or to the addresses that are none, with the reason.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils.http import urlsafe_base64_encode
from playwright.sync_api import Page

from coc_admin.models import ApiToken, Profile, StockUpload
from orders.models import InventoryRecord
from reconciliation.models import BulkRemedy, OrderImport
from tests import sampling
from tests.browser import test_pages, test_settings_pages
from tests.browser.conftest import AXE, Open, look
from tests.browser.test_settings_pages import operator, person
from tests.coc_admin.console import scene
from tests.factories import browser_of

__all__ = ["operator", "person"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")
SHOT_WIDTHS = (360, 1440)
WIDTHS = (360, 768, 1440, 1920)
# A window of 1440 at 200 and at 400 %.
ZOOMED = (720, 360)

# Elements that refuse the colours that the reader forces. Icons take that of the text around them.
OWN_COLOURS = """() => [...document.querySelectorAll("body *")]
  .filter((one) => getComputedStyle(one).forcedColorAdjust === "none")
  .map((one) => `own colours: ${one.outerHTML.slice(0, 160)}`)"""

PAGES = {
    "order-promise": "/orders/{partial}/promise/",
    "order-hand-over": "/orders/{partial}/hand-over/",
    "order-hold": "/orders/{partial}/hold/",
    "order-resubmit": "/orders/{partial}/resubmit/",
    "orders-resubmit": "/orders/resubmit/",
    "outage-practice": "/outages/practice/",
    "channel-delete": "/alerts/channels/{channel}/delete/",
    "list-new": "/settings/lists/new/",
    "token-revoke": "/settings/tokens/{token}/revoke/",
    "maintenance-repair": "/settings/maintenance/repair/",
    "sku-compare": "/inventory/{sku}/compare/",
    "bulk-cancel": "/bulk/{bulk_cancel}/",
    "bulk-settle": "/bulk/{bulk_settle}/",
    "bulk-replace": "/bulk/{bulk_replace}/",
    "set-password": "/set-password/{uid}/{link}/",
    "login": "/login/",
}
# Addresses that show no page of their own.
NO_PAGES = {
    "answers of the program": {"healthz", "readyz", "metrics"},
    "parts of pages": {r"\w+_live", "frame_live"},
    "files": {r"\w+_export", r"\w+_download", "outage_zip"},
    # They answer a form with a redirect, or with the page that the form is on.
    "acts": {
        "logout",
        "sign_out_elsewhere",
        "choose_site",
        "choose",
        "alert_handle",
        "bulk_tell_again",
        "bulk_undo",
        "channel_test",
        "desk_assign",
        "desk_sku_replace",
        "dry_run_start",
        "dry_run_stop",
        "end_practice",
        "first_run_hide",
        "order_message_again",
        "report_rebuild",
        "settings_person_invite",
        "settings_person_link",
        "sku_refresh",
        "stock_refresh",
    },
}
EVERY = test_pages.PAGES | test_settings_pages.PAGES | PAGES


def _names(resolver: Any = None) -> set[str]:
    """Return the names of all addresses outside the API and the back office."""
    found: set[str] = set()
    for one in (resolver or get_resolver()).url_patterns:
        if isinstance(one, URLResolver):
            if not str(one.pattern).startswith(("api/", "admin/")):
                found |= _names(one)
        elif isinstance(one, URLPattern) and one.name:
            found.add(one.name)
    return found


def _filled(path: str) -> str:
    return re.sub(
        r"\{bulk\w+\}",
        "0" * 8 + "-0000-0000-0000-" + "0" * 12,
        re.sub(r"\{(?!bulk)\w+\}", "1", path),
    )


def test_every_address_is_a_page_of_the_list_or_says_why_not() -> None:
    listed = {resolve(urlsplit(_filled(path)).path).url_name for path in EVERY.values()}
    none = "|".join(one for names in NO_PAGES.values() for one in names)
    missing = {name for name in _names() if name not in listed and not re.fullmatch(none, name)}
    assert missing == set()


def _begin(client: Client, kind: str, orders: list[int]) -> str:
    client.post("/chosen/desk/", {"do": "clear"})
    answer = client.post("/chosen/desk/", {"shown": orders, "order": orders, "do": kind})
    return answer["Location"].split("/")[2]


def _bulk(outage: scene.Scene, user: User) -> dict[str, str]:
    """Begin one bulk remedy of each kind; return their keys."""
    client = browser_of(user)
    orders = [outage.partial.pk, outage.waiting.pk]
    return {
        "bulk_cancel": _begin(client, "cancel", orders),
        "bulk_settle": _begin(client, "settle_outside", orders[:1]),
        "bulk_replace": _begin(client, "replace", orders),
    }


@pytest.fixture
def paths(outage: scene.Scene, person: User, operator: User) -> dict[str, str]:
    """Return the path of every page, each with something to show."""
    scene.make_user("otto", *scene.OPERATOR)
    test_pages.put_on_every_page(outage)
    StockUpload.objects.update(user=operator)
    keys = _bulk(outage, operator)
    known = {
        "partial": outage.partial.pk,
        "channel": scene.make_channel().pk,
        "sku": InventoryRecord.objects.filter(sku="MUG-01").earliest("pk").pk,
        "token": ApiToken.objects.earliest("pk").pk,
        "person": person.pk,
        "import_": OrderImport.objects.get().pk,
        "uid": urlsafe_base64_encode(str(person.pk).encode()),
        "link": default_token_generator.make_token(person),
    } | keys
    assert set(keys.values()) <= set(map(str, BulkRemedy.objects.values_list("pk", flat=True)))
    ours = {name: path.format(**known) for name, path in EVERY.items() if name not in OF_PAGES}
    return {name: test_pages.path_of(name, outage) for name in OF_PAGES} | ours


OF_PAGES = set(test_pages.PAGES)


def _axe(page: Page, ignored: tuple[str, ...] = ()) -> list[str]:
    """Return all that axe finds, best practices and the size of targets included."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations'], selectors: false,"
        " preload: false, rules: {'target-size': {enabled: true}}})).violations"
    )
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found
        if rule["id"] not in ignored
        for node in rule["nodes"]
    ]


def _wide(page: Page) -> list[int]:
    """Return the widths at which the page scrolls sideways."""
    wide = []
    for width in (*WIDTHS, *ZOOMED):
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        ):
            wide.append(width)
    return wide


def _shoot(page: Page, name: str) -> None:
    for width in SHOT_WIDTHS if SHOTS else ():
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png", full_page=True)


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_fits_each_size_and_is_accessible(
    paths: dict[str, str],
    operator: User,
    open_page: Open,
    language: str,
) -> None:
    Profile.objects.create(user=operator, language=language)
    faults: dict[str, Any] = {}
    page = open_page("/", still=True, width=1440)
    for name in sampling.part(paths, one_in=8):
        page.goto(paths[name])
        page.wait_for_load_state()
        if name not in ("missing", "login", "set-password"):
            assert page.locator("html").get_attribute("lang") == language, name
        if wide := _wide(page):
            faults[f"{name} scrolls sideways"] = wide
        for scheme, width in (("light", 360), ("dark", 1440)):
            look(page, scheme, width)
            if found := _axe(page):
                faults[f"{name} {scheme} {width}"] = found
        page.emulate_media(color_scheme="light", forced_colors="active")
        # axe takes the page's own colour of a text for the one that is seen, as the test below
        # shows: its contrasts say nothing here. What could have colours of its own is looked for.
        if found := _axe(page, ("color-contrast",)) + page.evaluate(OWN_COLOURS):
            faults[f"{name} forced colours"] = found
        page.emulate_media(color_scheme="light", forced_colors="none")
        _shoot(page, f"{name}-{language}")
    if SHOTS:
        (Path(SHOTS) / f"faults-{language}.json").write_text(json.dumps(faults, indent=1))
    assert faults == {}


@pytest.mark.parametrize("path", ["/desk/", "/orders/"])
def test_the_menus_of_a_list_stay_on_the_page(
    outage: scene.Scene, open_page: Open, path: str
) -> None:
    page = open_page(path, still=True, width=1440)
    for menu in page.locator(".page-head details.menu > summary").all():
        menu.click()
        assert _wide(page) == []
        page.set_viewport_size({"width": 360, "height": 900})
        assert _axe(page) == []
        menu.click()


def test_axe_compares_the_own_colour_of_a_text_where_another_is_forced(
    outage: scene.Scene, open_page: Open
) -> None:
    """The reader sees black on white; axe holds the text of the dark theme against the white."""
    page = open_page("/orders/", still=True, width=1440)
    page.evaluate("localStorage.setItem('coc-theme', 'dark')")
    page.emulate_media(color_scheme="light", forced_colors="active")
    page.goto("/orders/")
    page.wait_for_load_state()
    seen, own = page.locator("h1").evaluate(
        "(one) => [getComputedStyle(one).color, getComputedStyle(one).webkitTextFillColor]"
    )
    assert (seen, own) == ("rgb(0, 0, 0)", "rgb(228, 234, 241)")
    found = [one for one in _axe(page) if "<h1" in one]
    assert len(found) == 1
    assert "foreground color: #e4eaf1, background color: #ffffff" in found[0]
