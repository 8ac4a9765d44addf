"""Template lines have at most 140 characters, but for the files that are still to be wrapped."""

from __future__ import annotations

from tests.sources import ROOT

LONGEST = 140
# Files from before with longer lines.
LEFT = set((ROOT / "tests" / "long_template_lines.txt").read_text(encoding="utf-8").split())


def test_no_template_line_is_too_long() -> None:
    folder = ROOT / "templates"
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.html")
        if any(len(line) > LONGEST for line in path.read_text(encoding="utf-8").splitlines())
    }
    assert found - LEFT == set(), "wrap lines between elements and attributes"
