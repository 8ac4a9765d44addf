"""The guide inside the console, from the files of docs/guide, and the section of each page."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language

from coc_admin.console.help.guide_sections import SECTION_OF
from coc_admin.console.help.markdown import Document, Picture, Renderer, Section
from coc_admin.console.help.terms import TERMS

FOLDER = Path(settings.BASE_DIR) / "docs" / "guide"
_PNG = b"\x89PNG\r\n\x1a\n"
_GLOSSARY = "glossary.md#"


def languages() -> list[str]:
    """Return the languages of the guide, the original first."""
    return [code for code, _name in settings.LANGUAGES if file_of(code).is_file()]


def file_of(language: str) -> Path:
    """Return the guide's file in a language."""
    is_original = language == settings.LANGUAGE_CODE.partition("-")[0]
    return (FOLDER if is_original else FOLDER / language) / "README.md"


def language_of(wanted: str = "") -> str:
    """Return the language to show: the wanted one, else the reader's, else the original's."""
    there = languages()
    for code in (wanted, (get_language() or "").partition("-")[0]):
        if code in there:
            return code
    return there[0]


def document(language: str) -> Document:
    """Return the guide in a language; rendered again after its file has changed."""
    path = file_of(language)
    return _rendered(language, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _rendered(language: str, _changed_ns: int) -> Document:
    renderer = Renderer(link=_address, picture=_picture)
    return renderer.render(file_of(language).read_text(encoding="utf-8"))


def address_of(page: str) -> str:
    """Return the guide's address for the page with that URL name; by default its beginning."""
    section = SECTION_OF.get(page, "")
    return reverse("guide") + (f"#{section}" if section else "")


def sections_named(text: str) -> list[Section]:
    """Return sections in the reader's language with every word of `text` in their heading."""
    words = text.casefold().split()
    found = document(language_of()).sections
    return [one for one in found if words and all(word in one.name.casefold() for word in words)]


def _address(href: str) -> str | None:
    """Return the console address for a link of the guide; None for files it lacks."""
    if href.startswith("#"):
        return href
    name = href.removeprefix("../")
    for code in languages():
        if name == file_of(code).relative_to(FOLDER).as_posix():
            return f"{reverse('guide')}?language={code}"
    _before, is_term, key = href.rpartition(_GLOSSARY)
    if is_term and key in TERMS:
        return f"{reverse('glossary')}#{key}"
    return None


def _picture(source: str) -> Picture | None:
    """Return a picture from the guide's own folder, a PNG."""
    name = source.removeprefix("../").removeprefix("images/")
    path = FOLDER / "images" / name
    if "/" in name or not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(24)
    if not start.startswith(_PNG) or len(start) < 24:
        return None
    width, height = struct.unpack(">II", start[16:24])
    return Picture(static(f"guide/{name}"), width, height)
