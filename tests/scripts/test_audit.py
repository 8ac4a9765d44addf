"""`make audit` never reports "safe" for packages that nobody looked up."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from tests.sources import ROOT

_spec = importlib.util.spec_from_file_location("audit", ROOT / "scripts" / "audit.py")
assert _spec is not None
assert _spec.loader is not None
audit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(audit)

SAFE = {"name": "asgiref", "version": "3.13.0", "vulns": []}
UNKNOWN = {"name": "django", "skip_reason": "Dependency not found"}
FAULTY = {
    "name": "requests",
    "version": "2.0",
    "vulns": [
        {"id": "CVE-2018-18074", "fix_versions": ["2.20.0"]},
        {"id": "X-1", "fix_versions": []},
    ],
}


@pytest.mark.parametrize(
    ("found", "code", "lines"),
    [
        ([SAFE], 0, ["no known vulnerability; packages checked: 1"]),
        (
            [UNKNOWN, SAFE],
            3,
            ["not checked: 1 of 2 packages could not be looked up (django, ...)"],
        ),
        (
            [UNKNOWN, FAULTY],
            1,
            [
                "requests 2.0: CVE-2018-18074, fixed in 2.20.0",
                "requests 2.0: X-1, fixed in no release yet",
            ],
        ),
        ([], 3, ["not checked: the vulnerability data could not be reached"]),
        (None, 3, ["not checked: the vulnerability data could not be reached"]),
    ],
)
def test_a_package_counts_as_safe_only_when_it_was_looked_up(
    found: list[dict[str, Any]] | None, code: int, lines: list[str]
) -> None:
    assert audit.judge(found) == (code, lines)
