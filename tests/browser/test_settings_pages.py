"""The settings in a real browser: accessible, usable at 360 px, and with a silent console."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode
from playwright.sync_api import expect

from coc_admin.accounts import tokens
from coc_admin.models import AuditEntry
from orders import actors
from orders.models import Site
from reconciliation.maintenance import order_imports, schedules
from reconciliation.models import OrderImport
from reconciliation.queue import heartbeats
from tests.browser.conftest import Open, axe_findings, look, looks_at, scrolls_sideways
from tests.coc_admin.console import scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("COC_SHOTS", "")
SITE = "/settings/sites/edit/NorthShop/"
PAGES = {
    "settings": "/settings/",
    "settings-none": "/settings/?q=nothing-like-it",
    "settings-sites": "/settings/sites/",
    "settings-site": SITE,
    "settings-site-new": "/settings/sites/new/",
    "settings-lists": "/settings/lists/",
    "settings-list": "/settings/lists/edit/NorthShop-stock/",
    "settings-schedules": "/settings/schedules/",
    "settings-interval": "/settings/schedules/retry/",
    "settings-interval-daily": "/settings/schedules/retention/",
    "settings-oci": "/settings/oci/",
    "settings-tokens": "/settings/tokens/",
    "settings-token-new": "/settings/tokens/new/",
    "settings-people": "/settings/people/",
    "settings-person": "/settings/people/{person}/",
    "settings-person-new": "/settings/people/new/",
    "settings-person-act": "/settings/people/{person}/disable/",
    "settings-audit": "/settings/audit/",
    "settings-audit-mistaken": "/settings/audit/?since=x",
    "maintenance": "/settings/maintenance/",
    "maintenance-health": "/settings/maintenance/health/",
    "maintenance-check": "/settings/maintenance/check/",
    "maintenance-audit": "/settings/maintenance/audit/",
    "maintenance-import": "/settings/maintenance/import/",
    "maintenance-import-file": "/settings/maintenance/import/{import_}/",
    "maintenance-erase": "/settings/maintenance/erase/",
    "maintenance-retention": "/settings/maintenance/retention/",
}


@pytest.fixture
def operator(transactional_db: None) -> User:
    """Return the person who opens the pages, with every permission."""
    return User.objects.create_superuser("ada", "ada@example.test", "a long password")


@pytest.fixture
def person(outage: scene.Scene) -> User:
    """Return a person to show, with a schedule, a token and log entries."""
    now = timezone.now()
    schedules.ensure()
    heartbeats.beat(component=heartbeats.WORKER, instance="host:1", now=now)
    heartbeats.beat(component=heartbeats.MONITOR, now=now)
    scopes = ["orders:read", "orders:write"]
    tokens.make(name="storefront", site=Site.objects.get(pk="NorthShop"), scopes=scopes)
    for action, target in (("site.changed", "site:NorthShop"), ("run.started", "run:1")):
        AuditEntry.objects.create(
            at=now,
            actor="otto",
            action=action,
            target=target,
            detail={"time_zone": {"before": "UTC", "after": "America/Argentina/Buenos_Aires"}},
            reason="a reason that somebody wrote down at some length, to be shown here",
        )
    order_imports.keep(
        io.BytesIO(b"orderNo,sku,quantity,basePrice\nN-1,MUG-01,1,2\nN-2,MUG-01,none,2\n"),
        name="orders.csv",
        site=outage.site,
        actor=actors.person("otto"),
        now=now,
    )
    return scene.make_user("a.person.with.a.long.name@example.test", *scene.VIEWER)


def test_no_page_has_a_serious_fault_of_accessibility_or_scrolls_sideways(
    person: User, open_page: Open
) -> None:
    faults = {}
    page = open_page("/", still=True, width=360)
    for name, looks in looks_at(PAGES, (("light", 360), ("dark", 1280)), one_in=6).items():
        page.goto(PAGES[name].format(person=person.pk, import_=OrderImport.objects.get().pk))
        for scheme, width in looks:
            look(page, scheme, width)
            found = axe_findings(page)
            if scrolls_sideways(page):
                found.append("scrolls sideways")
            if found:
                faults[f"{name} {scheme} {width}"] = found
            if SHOTS:
                shot = Path(SHOTS) / f"{name}-{scheme}-{width}.png"
                page.screenshot(path=shot, full_page=True)
        look(page, "light", 360)
    assert faults == {}


def test_loser_of_a_race_saves_after_looking_without_javascript(
    person: User, open_page: Open
) -> None:
    page = open_page(SITE, javascript=False)
    page.get_by_label("Name", exact=True).fill("Mine")
    Site.objects.filter(pk="NorthShop").update(currency="CHF")
    page.get_by_role("button", name="Save").click()
    told = page.get_by_role("alert")
    expect(told).to_contain_text("these settings were changed while you had them open")
    expect(told).to_contain_text("Currency: it was “EUR” when you opened it, and is “CHF” now.")
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / "settings-site-lost.png", full_page=True)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Site NorthShop was changed.").wait_for()
    site = Site.objects.get(pk="NorthShop")
    assert (site.name, site.currency) == ("Mine", "CHF")


def test_page_to_choose_a_password_is_accessible(person: User, open_page: Open) -> None:
    key = urlsafe_base64_encode(str(person.pk).encode())
    link = f"/set-password/{key}/{default_token_generator.make_token(person)}/"
    for scheme in ("light", "dark"):
        page = open_page(link, scheme=scheme, width=360, signed_in=False)
        page.get_by_label("New password", exact=True).fill("12345678")
        page.get_by_role("button", name="Save this password").click()
        page.get_by_text("This field is required").first.wait_for()
        assert axe_findings(page) == []
        assert not scrolls_sideways(page)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"set-password-{scheme}.png", full_page=True)
