"""Template lines have at most 140 characters."""

from __future__ import annotations

from tests.sources import ROOT

LONGEST = 140


def test_no_template_line_is_too_long() -> None:
    folder = ROOT / "templates"
    found = [
        f"{path.relative_to(folder).as_posix()}:{number}"
        for path in sorted(folder.rglob("*.html"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LONGEST
    ]
    assert found == [], "wrap lines between elements and attributes"
