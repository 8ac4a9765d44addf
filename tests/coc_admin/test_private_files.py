"""Real commands leave nothing that other users of the host can read."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coc_admin import checks, private_files
from reconciliation.reports.atomic_files import replacing
from tests import migrated
from tests.processes.product import ROOT, environment


def open_to_others(folder: Path, *, group: int = 0) -> list[str]:
    """Return what below a folder, and of itself, has permissions beyond its owner's and `group`."""
    return [
        f"{path.relative_to(folder)} {stat.S_IMODE(path.lstat().st_mode):o}"
        for path in [folder, *sorted(folder.rglob("*"))]
        if stat.S_IMODE(path.lstat().st_mode) & 0o077 & ~group
    ]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run(folder: Path, *arguments: str, **env: str) -> str:
    told = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(folder) | env,
        capture_output=True,
        text=True,
        timeout=120,
        umask=0o022,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout + told.stderr


TIGHTEN = "from coc_admin import private_files; print('tightened', private_files.tighten())"


def command(*arguments: str) -> str:
    return f"call_command(*{list(arguments)!r})"


def run_all(folder: Path, lines: list[str], **env: str) -> str:
    """Run lines of Python in one process of the product: a start takes most of a second."""
    code = "\n".join(["from django.core.management import call_command", *lines])
    return run(folder, "shell", "--no-imports", "-c", code, **env)


@pytest.mark.processes
@pytest.mark.own_sqlite
def test_commands_write_for_their_own_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    stock, orders = tmp_path / "stock.csv", tmp_path / "orders.csv"
    stock.write_text("sku,ato\nMUG,9\n")
    orders.write_text("orderNo,sku,quantity,basePrice\nA1,MUG,1,2\n")
    migrated.copy_sqlite(folder / "coc.sqlite3")
    database = folder / "coc.sqlite3"
    database.chmod(0o644)
    report = folder / "impex/src/continuous_order_capture/20260101_offline_shop.json"
    report.parent.mkdir(parents=True)
    report.write_text("{}")
    for path in (report, report.parent, report.parent.parent, folder / "impex"):
        path.chmod(path.stat().st_mode | 0o055)

    # A command that does not put it right says so.
    assert "coc.W030" in run(folder, "check")
    told = run_all(folder, [TIGHTEN, command("check")])
    assert "coc.W030" not in told
    assert int(re.findall(r"tightened (\d+)", told)[0]) >= 5
    assert open_to_others(folder) == []

    run_all(
        folder,
        [
            command("create_site", "shop", "--inventory-list=web"),
            command("import_inventory", str(stock), "--inventory-list=web"),
            command("import_orders", str(orders), "--site=shop"),
            command("merge_reports"),
        ],
    )
    day = [path for path in report.parent.glob("*_offline_shop.json") if path != report]
    assert len(day) == 1
    assert open_to_others(folder) == []

    # Others of the group may fetch reports where the setting says so, those from before as well.
    day[0].unlink()
    run_all(folder, [TIGHTEN, command("merge_reports")], COC_FILE_GROUP_ACCESS="true")
    assert [mode(path) for path in (report, day[0], report.parent)] == [0o640, 0o640, 0o750]
    assert open_to_others(folder, group=0o050) == []


@pytest.fixture
def private(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    settings.COC_IMPEX_DIR = tmp_path / "impex"
    settings.DATABASES = {
        "default": settings.DATABASES["default"]
        | {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "coc.sqlite3")}
    }
    return tmp_path


def test_what_is_not_the_products_is_left_alone(private: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    elsewhere.write_text("x")
    elsewhere.chmod(0o644)
    (private / "link").symlink_to(elsewhere)
    other = private / "of-somebody" / "file"
    other.parent.mkdir()
    other.write_text("x")
    other.chmod(0o644)
    reports = private / "impex/src/continuous_order_capture"
    reports.mkdir(parents=True)
    with replacing(reports / "day.json") as file:
        file.write(b"{}")
    assert mode(reports / "day.json") == 0o600
    for path in (private, reports, reports / "day.json"):
        path.chmod(0o755)
    [warning] = checks.files_are_private(None)
    assert warning.id == "coc.W030"
    assert private_files.tighten() == 3
    assert [mode(p) for p in (private, reports, reports / "day.json")] == [0o700, 0o700, 0o700]
    assert (mode(elsewhere), mode(other)) == (0o644, 0o644)
    assert private_files.tighten() == 0
    assert checks.files_are_private(None) == []


def test_the_product_runs_under_a_private_umask() -> None:
    before = os.umask(0)
    os.umask(before)
    assert before == 0o077
