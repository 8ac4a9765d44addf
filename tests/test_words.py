"""Retired words (docs/glossary.md) are in no name of the product."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.sources import ROOT

RETIRED = re.compile(
    r"(?:^|_)(rearrang\w*|keeping|rhythms?|timetable|sight|tellings?|told|said|recorded|wording"
    r"|deeds?|stories|undoing|undone|asking|adopt|anew|whoever|somebody)(?:_|$)"
    r"|under_way|is_busy|why_not|keep_up|carry(?:ing)?_on",
)


def product_files() -> Iterator[Path]:
    for package in ("orders", "reconciliation", "coc_admin"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path
    yield from sorted((ROOT / "templates").rglob("*.html"))


def names_in(path: Path) -> Iterator[str]:
    yield path.stem
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name


def in_words(name: str) -> str:
    """Return CamelCase as snake_case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_no_name_has_a_retired_word() -> None:
    found = {
        name
        for path in product_files()
        for name in names_in(path)
        if RETIRED.search(in_words(name))
    }
    assert found == set(), "use the words of docs/glossary.md"


def test_a_retired_word_is_noticed() -> None:
    seen = [
        name
        for name in (
            "keep_up",
            "why_not_replace",
            "Rearrangement",
            "sight_of",
            "foresight",
            "wake_up",
        )
        if RETIRED.search(in_words(name))
    ]
    assert seen == ["keep_up", "why_not_replace", "Rearrangement", "sight_of"]
