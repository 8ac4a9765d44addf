"""What a browser without a cache loads for the home page: few requests, few bytes."""

from __future__ import annotations

import gzip
import posixpath
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from scripts import subset_font, trim_css
from tests.coc_admin.console.scene import Scene

MOST_REQUESTS = 8
MOST_BYTES = 80_000
FONT = "vendor/inter-4.1/inter-latin.woff2"


def test_home_is_light_when_nothing_is_cached(viewer: Client, outage: Scene) -> None:
    page = viewer.get("/", headers={"Accept-Encoding": "gzip"})
    assert page["Content-Encoding"] == "gzip"
    html = gzip.decompress(page.content).decode()
    found = set(re.findall(r'<(?:link|script|use)[^>]* (?:href|src)="/static/([^"#]*)', html))
    for sheet in [path for path in found if path.endswith(".css")]:
        found |= _asked_by(sheet)
    sizes = {path: _size(path) for path in found}
    assert {"console/console.css", "console/console.js", FONT} <= sizes.keys()
    assert len(sizes) + 1 <= MOST_REQUESTS, sorted(sizes)
    assert len(page.content) + sum(sizes.values()) <= MOST_BYTES, sizes


def _asked_by(sheet: str) -> set[str]:
    """Return the files that a stylesheet asks for."""
    asked = re.findall(r'url\("?(?!data:)([^")]+)', _read(sheet).decode())
    return {posixpath.normpath(posixpath.join(posixpath.dirname(sheet), path)) for path in asked}


def _size(path: str) -> int:
    """Return the bytes sent; whitenoise sends a font as it is."""
    plain = _read(path)
    return len(plain) if path.endswith(".woff2") else len(gzip.compress(plain, 9))


def _read(path: str) -> bytes:
    with open(str(finders.find(path)), "rb") as stream:
        return stream.read()


@pytest.mark.parametrize("path", ["/live/home/", "/alerts/"])
def test_pages_are_compressed_and_what_programs_read_is_not(
    viewer: Client, outage: Scene, path: str
) -> None:
    accepts = {"Accept-Encoding": "gzip"}
    answer = viewer.get(path, headers=accepts)
    assert gzip.decompress(answer.content).decode().strip().startswith("<")
    assert "Content-Encoding" not in viewer.get("/orders/export.csv", headers=accepts)
    assert "Content-Encoding" not in viewer.get("/api/v1/openapi.json", headers=accepts)


def test_the_stylesheet_has_what_pages_use_now() -> None:
    same = trim_css.USED.read_text(encoding="utf-8") == trim_css.trimmed()
    assert same, "Run `python scripts/trim_css.py`: pages use other classes than it has."


def test_a_rule_stays_if_a_page_may_use_one_of_its_selectors() -> None:
    css = (
        ':root{--a:1;--b:url("data:x;{y}")}.card,.nav{color:var(--a)}.nav{x:1}'
        "@media print{.nav{x:1}.card:not(.nav){y:2}}@media screen{.nav{x:1}}a{b:c}"
    )
    kept = trim_css.used_rules(css.replace("{y}", "y"), frozenset({"card"}))
    assert kept == (
        ':root{--a:1;--b:url("data:x;y")}.card{color:var(--a)}'
        "@media print{.card:not(.nav){y:2}}a{b:c}"
    )
    assert trim_css.used_properties(kept, "").startswith(":root{--a:1;}.card")


def test_the_typeface_has_every_character_of_the_pages() -> None:
    root = Path(settings.BASE_DIR)
    texts = [
        *(root / "templates").rglob("*.html"),
        *(root / "coc_admin" / "locale").rglob("*.po"),
        *(root / "coc_admin" / "static" / "console").glob("*.[cj]s*"),
        *(root / "docs" / "guide").rglob("*.md"),
    ]
    assert len(texts) > 100
    for path in texts:
        letters = {one for one in path.read_text(encoding="utf-8") if one.isprintable()}
        missing = sorted(one for one in letters if not subset_font.covers(one))
        assert not missing, (path, "add them to scripts/subset_font.py", missing)


def test_the_typeface_is_small_and_its_licence_lies_beside_it() -> None:
    assert len(_read(FONT)) <= 30_000
    assert b"SIL OPEN FONT LICENSE Version 1.1" in _read("vendor/inter-4.1/LICENSE")


def test_the_icons_of_a_page_need_no_request(viewer: Client, outage: Scene) -> None:
    html = viewer.get("/").content.decode()
    for part, name in (
        ("href", "icon"),
        ("data-bad", "icon-bad"),
        ("data-warn", "icon-warn"),
        ("data-info", "icon-info"),
    ):
        found = re.search(
            r'<link rel="icon"[^>]*\s' + part + r'="data:image/svg\+xml,([^"]*)"', html
        )
        assert found, part
        assert unquote(unescape(found[1])).encode() == _read(f"console/{name}.svg").strip()
