"""The guide in the console: the same files, each page has its part, in both languages."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from coc_admin.console.help import guide
from coc_admin.console.help.guide_sections import SECTION_OF
from coc_admin.models import Profile
from tests.coc_admin.authorisation import TABLE

pytestmark = pytest.mark.django_db

LANGUAGES = [code for code, _name in settings.LANGUAGES]
# Parts of pages, files, and addresses that only take forms or lead on.
NO_PAGE = re.compile(r"(_live|_export|_download|_zip)\Z")
NOT_SHOWN = {
    "healthz",
    "readyz",
    "metrics",
    "login",
    "logout",
    "set_password",
}


def pages() -> set[str]:
    """Return the URL names that answer a GET with a page of the console."""
    return {
        name
        for name, (address, _answers) in TABLE.items()
        if not address.startswith("POST ") and not NO_PAGE.search(name) and name not in NOT_SHOWN
    }


def test_each_page_of_the_console_has_its_part_of_the_guide() -> None:
    assert pages() - SECTION_OF.keys() == set(), "add them to console/help/guide_sections.py"
    assert SECTION_OF.keys() - TABLE.keys() == set(), "no such page"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_part_exists_in_each_language(language: str) -> None:
    document = guide.document(language)
    assert set(SECTION_OF.values()) - document.anchors == set()
    assert document.title


def test_the_languages_have_the_same_parts() -> None:
    first, *others = [
        [(one.key, one.level) for one in guide.document(code).sections] for code in LANGUAGES
    ]
    assert all(one == first for one in others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_in_the_guide_is_rendered(language: str) -> None:
    """Markdown that the renderer does not know would be shown as it is written."""
    source = guide.file_of(language).read_text(encoding="utf-8")
    html = guide.document(language).html
    shown = re.sub(r"<code>.*?</code>", "", html)
    assert re.findall(r"&lt;|\*\*|\]\(|\|---|```|(?m:^#)", shown) == []
    assert html.count("<img ") == source.count("![")
    assert len(re.findall(r"(?<!!)\[[^\]]+\]\(", source)) == html.count("<a ") - html.count("<img ")


def test_the_pictures_are_served_from_the_same_files() -> None:
    found = finders.find("guide/home.png")
    assert found is not None
    assert str(found) == str(guide.FOLDER / "images" / "home.png")


def test_the_reader_gets_his_language_and_may_ask_for_another(viewer: Client) -> None:
    english = viewer.get(reverse("guide")).content.decode()
    Profile.objects.create(user=User.objects.get(username="vera"), language="de")
    german = viewer.get(reverse("guide")).content.decode()
    other = viewer.get(reverse("guide"), {"language": "en"}).content.decode()
    unknown = viewer.get(reverse("guide"), {"language": "../.."}).content.decode()
    assert "The merchandiser&#x27;s day" in english
    assert "Der Arbeitstag im Merchandising" in german
    assert "Der Arbeitstag im Merchandising" in unknown
    assert 'lang="en">The merchandiser' in other


def test_a_page_links_to_its_part_and_the_search_finds_parts(viewer: Client) -> None:
    desk = viewer.get(reverse("desk")).content.decode()
    found = viewer.get(reverse("search"), {"q": "tell customer"}).content.decode()
    assert 'href="/help/guide/#desk"' in desk
    assert 'href="/help/guide/#customer"' in found
