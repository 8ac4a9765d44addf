"""What a browser without a cache loads for the home page: few requests, few bytes."""

from __future__ import annotations

import gzip
import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from scripts import trim_css
from tests.coc_admin.console.scene import Scene

MOST_REQUESTS = 8
MOST_BYTES = 80_000


def test_home_is_light_when_nothing_is_cached(viewer: Client, outage: Scene) -> None:
    page = viewer.get("/", headers={"Accept-Encoding": "gzip"})
    assert page["Content-Encoding"] == "gzip"
    html = gzip.decompress(page.content).decode()
    found = re.findall(r'<(?:link|script|use)[^>]* (?:href|src)="/static/([^"#]*)', html)
    sizes = {path: len(gzip.compress(_read(path), 9)) for path in set(found)}
    assert {"console/console.css", "console/console.js", "console/icon.svg"} <= sizes.keys()
    assert len(sizes) + 1 <= MOST_REQUESTS, sorted(sizes)
    assert len(page.content) + sum(sizes.values()) <= MOST_BYTES, sizes


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
