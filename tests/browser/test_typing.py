"""Every field of every form takes what a person types into it, in each language.

The forms are found without a browser; it opens only as many pages as show them all. The short form
takes the forms of some pages, other ones each day.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from coc_admin.models import Profile
from reconciliation.models import Channel
from tests import sampling
from tests.browser import test_pages, test_settings_pages
from tests.browser.conftest import Open
from tests.coc_admin.console import scene
from tests.coc_admin.console.test_form_fuzz import Form, Reader, is_page, text_of
from tests.factories import browser_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WORDS = "Ann Example, 2,000 mugs: ä–ß (not 1.5)"
PICKED = {"date": "2026-02-28", "time": "03:00", "datetime-local": "2026-02-28T03:00"}
PICKED |= {"month": "2026-02"}
TYPED = {"number": "5", "email": "ann@example.test", "url": "https://example.test/x"}
# Choosing a site loads the page again.
FIELDS = "input, textarea, select:not([data-submits])"


@pytest.fixture
def operator(transactional_db: None) -> User:
    """Return a person with every permission."""
    return User.objects.create_superuser("otto", "otto@example.test", "a long password")


def pages_with_all_forms(user: User, paths: list[str]) -> list[str]:
    """Return pages on which each form of `paths` is shown; of two alike the first."""
    client = browser_of(user)
    known: set[Any] = set()
    found = []
    for path in paths:
        answer = client.get(path)
        if not is_page(answer):
            continue
        reader = Reader(path)
        reader.feed(text_of(answer))
        keys = {_kind_of(form) for form in reader.forms if form.fields or form.files}
        if keys - known:
            found.append(path)
            known |= keys
    return found


def _kind_of(form: Form) -> tuple[str, ...]:
    """Return by what forms are alike: where they go, and their fields."""
    path, method, fields = form.key
    return (path, method, *(name for name in fields if not name.isdigit()))


# Shows all fields, and returns of each its kind, name, length, number of choices and form.
_FIND = """selector => {
  document.querySelectorAll('main details').forEach(one => one.open = true);
  window.fields = Array.from(document.querySelectorAll(selector)).filter(
    one => one.checkVisibility({visibilityProperty: true}) && !one.disabled && !one.readOnly
      && !['hidden', 'submit', 'button'].includes(one.type));
  return window.fields.map(one => [one.type, one.name || one.id, one.getAttribute('maxlength'),
    one.options ? one.options.length : 0, one.form ? one.form.method + one.form.action : '']);
}"""
# A box that is ticked in one menu closes the others, as a click does: people open them again.
_FOCUS = """at => {
  const one = fields[at];
  for (let up = one.closest('details'); up; up = up.parentElement.closest('details'))
    up.open = true;
  one.focus();
  if (one.select) one.select();
}"""
_HELD = """() => fields.map(one => one.type === 'checkbox' ? one.checked
  : one.type === 'file' ? one.files.length : one.options ? one.selectedIndex : one.value)"""


def fields_that_refuse(page: Page, known: set[tuple[str, ...]]) -> list[str]:
    """Type into the fields of the page that are not known; return those that hold another text."""
    found = page.evaluate(_FIND, FIELDS)
    wanted: dict[int, Any] = {}
    refused = []
    for at, (kind, name, longest, choices, form) in enumerate(found):
        key = (kind, re.sub(r"\d+", "N", name), re.sub(r"[0-9a-f-]{36}|\d+", "N", form))
        if key in known or kind == "radio":
            continue
        known.add(key)
        page.evaluate(_FOCUS, at)
        if kind == "checkbox":
            # Read at once: one box may tick others.
            before = page.evaluate("at => fields[at].checked", at)
            page.keyboard.press("Space")
            if page.evaluate("at => fields[at].checked", at) is before:
                refused.append(f"{name} (checkbox) cannot be ticked")
        elif kind == "select-one":
            page.keyboard.press("End")
            wanted[at] = choices - 1
        elif kind == "file":
            mug = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"sku,ato\nMUG-01,1\n"}
            page.locator(FIELDS).and_(page.locator("[type=file]")).set_input_files(mug)
            wanted[at] = 1
        elif kind in PICKED:
            page.evaluate("([at, text]) => { fields[at].value = text; }", [at, PICKED[kind]])
            wanted[at] = PICKED[kind]
        else:
            assert longest is None or longest.isdecimal(), (name, longest)
            words = WORDS[: int(longest) if longest else None].strip()
            wanted[at] = TYPED.get(kind, words)
            page.keyboard.insert_text(wanted[at])
    held = page.evaluate(_HELD)
    return refused + [
        f"{found[at][1]} ({found[at][0]}) holds {held[at]!r} instead of {put!r}"
        for at, put in wanted.items()
        if held[at] != put
    ]


def test_every_field_takes_what_is_typed(
    outage: scene.Scene, open_page: Open, operator: User
) -> None:
    test_pages.put_on_every_page(outage)
    paths = [test_pages.path_of(name, outage) for name in test_pages.PAGES]
    person = scene.make_user("vera", *scene.VIEWER).pk
    # The page of an import that a person has uploaded has no field to type into.
    with_fields = [path for path in test_settings_pages.PAGES.values() if "{import_}" not in path]
    paths += [path.format(person=person) for path in with_fields]
    paths = [path for path in paths if path != "/orders/999999/"]
    paths = pages_with_all_forms(operator, sampling.part(paths, one_in=5))
    profile = Profile.objects.create(user=operator)
    page = open_page("/alerts/channels/new/", signed_in=False)
    assert fields_that_refuse(page, set()) == []
    page.locator("[name=username]").fill("otto")
    page.locator("[name=password]").fill("a long password")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"^[^?]+/alerts/channels/new/$"))
    for language in ("en", "de"):
        Profile.objects.filter(pk=profile.pk).update(language=language)
        known: set[tuple[str, ...]] = set()
        refused = {}
        for path in paths:
            page.goto(path)
            assert page.locator("html").get_attribute("lang") == language
            found = fields_that_refuse(page, known)
            if found:
                refused[path] = found
        assert refused == {}
        assert len(known) > sampling.short_or_long(10, 100)
        make_mail_channel(page, language)
    assert len(paths) > sampling.short_or_long(3, 30)


def make_mail_channel(page: Page, language: str) -> None:
    """Make an e-mail channel as a person does, and see it saved."""
    page.goto("/alerts/channels/new/")
    address = f"the.people.on.call.{language}@example.test"
    page.locator("[name=name]").press_sequentially(f"On call {language}")
    page.locator("[name=kind][value=email]").check()
    page.locator("[name=addresses]").press_sequentially(address)
    page.locator("[name=every_site]").check()
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/alerts/channels/\d+/$"))
    expect(page.locator("main")).to_contain_text(address)
    channel = Channel.objects.get(name=f"On call {language}")
    assert (channel.kind, channel.target, channel.every_site) == ("email", address, True)
