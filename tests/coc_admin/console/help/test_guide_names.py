"""What the guide calls a page, a button or a word is called so in the console."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator
from functools import lru_cache

import pytest
from django.conf import settings

from coc_admin.console.help import guide
from tests.sources import ROOT

LANGUAGES = [code for code, _name in settings.LANGUAGES]
CATALOGUE = ROOT / "coc_admin" / "locale" / "de" / "LC_MESSAGES" / "django.mo"
# Kinds of report as in file names, and emphasised words.
NO_NAMES = {"offline", "oversold", "reserved", "reserviert"}

_EMPHASIS = re.compile(r"(?<![*\w])\*([^*]+)\*(?![*\w])")
_VALUE = re.compile(r"%\(\w+\)s")
_ANY = "…"


@lru_cache
def texts(language: str) -> frozenset[str]:
    """Return the console's texts in a language, with `…` for the placeholders."""
    with CATALOGUE.open("rb") as file:
        found = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    pairs = [(key[0] if isinstance(key, tuple) else key, text) for key, text in found.items()]
    chosen = [text if language == "de" else key for key, text in pairs]
    return frozenset(_VALUE.sub(_ANY, text.rpartition("\x04")[2]).rstrip(".") for text in chosen)


def names_in(text: str) -> Iterator[str]:
    """Return the names that a guide uses: `A › B` are two, a dialog's button ends in ` …`."""
    for found in _EMPHASIS.findall(text):
        for name in re.sub(r"\s+", " ", found).split(" › "):
            yield name.removesuffix(f" {_ANY}")


def exists(name: str, known: frozenset[str]) -> bool:
    """Return whether a text is so, or becomes so when it is filled."""
    if name in known:
        return True
    filled = (text for text in known if _ANY in text and len(text) < 60 and re.search(r"\w", text))
    return any(re.fullmatch(re.escape(text).replace(_ANY, r"\S+"), name) for text in filled)


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_in_the_guide_exist_in_the_console(language: str) -> None:
    source = guide.file_of(language).read_text(encoding="utf-8")
    used = set(names_in(source)) - NO_NAMES
    known = texts(language)
    assert len(used) > 50
    assert sorted(name for name in used if not exists(name, known)) == []


def test_a_name_that_is_none_is_noticed() -> None:
    known = texts("en")
    names = list(
        names_in("Press *Force offline*, *Watch*, *Place 2 for MUG-01* or *Home › Nowhere*.")
    )
    assert [name for name in names if not exists(name, known)] == ["Watch", "Nowhere"]
