"""`manage.py demo` tells its story to the end, and everything is as the story promises."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.coc_admin.test_private_files import open_to_others
from tests.processes.product import ROOT, free_port, outer_environment

pytestmark = [pytest.mark.processes, pytest.mark.own_sqlite]


def test_the_story_ends_well_and_leaves_reports_and_alerts(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    told = subprocess.run(
        [
            *(sys.executable, "manage.py", "demo", "--fast", "--exit-after-story"),
            f"--folder={folder}",
        ],
        cwd=ROOT,
        env=outer_environment()
        | {"PORT": str(free_port()), "COC_STATIC_ROOT": str(tmp_path / "static")},
        capture_output=True,
        text=True,
        timeout=500,
    )

    # Exit code 0 says more than these lines: the demo ends with `coc_check` and its own look at
    # outcomes and files.
    assert told.returncode == 0, told.stdout + told.stderr
    for line in (
        "OCI goes down",
        "the product has noticed",
        "another channel sells",
        "OCI is back",
        "is over: Completed with shortages",
        "What happened to order",
    ):
        assert line in told.stdout, f"no line says {line!r}:\n{told.stdout}"
    assert "Traceback" not in told.stdout + told.stderr
    reports = list((folder / "impex" / "src" / "continuous_order_capture").glob("*.json"))
    assert len(reports) == 6  # three kinds for each of two sites
    assert open_to_others(tmp_path / "demo") == []
    # A web server of another user may serve these, the compressed copies too.
    static = list((tmp_path / "static").rglob("*"))
    assert any(path.suffix == ".gz" for path in static)
    assert {stat.S_IMODE(path.stat().st_mode) for path in static} == {0o644, 0o755}
    assert all(json.loads(path.read_text())["orderCount"] > 0 for path in reports)
