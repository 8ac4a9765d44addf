"""Reports that are missing, damaged or half written, and two writers at once."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from orders.models import OrderEvent, Site
from reconciliation.models import ReportDay
from reconciliation.queue import leases
from reconciliation.reports import atomic_files, daily, faithful, lines, publish
from tests.coc_admin.console.scene import NOW, place
from tests.reconciliation.reports.test_publish import Files, merge, read, three_orders

pytestmark = pytest.mark.usefixtures("impex")


@pytest.mark.parametrize("damage", ["remove", "tear", "change"])
def test_a_missing_or_damaged_report_is_found_and_rebuilt(
    site: Site, impex: Path, damage: str
) -> None:
    three_orders(site)
    merge()
    path = impex / "20260202_oversold_NorthShop.json"
    good = json.loads(path.read_text())
    if damage == "remove":
        path.unlink()
    elif damage == "tear":
        os.truncate(path, 100)
    else:
        path.write_bytes(path.read_bytes().replace(b"A-2", b"A-9"))
    assert [found.name for found in faithful.unfaithful_days()] == [path.name]

    publish.rebuild(now=NOW)

    rebuilt = json.loads(path.read_text())
    assert rebuilt["orders"] == good["orders"]
    assert rebuilt["revision"] == 2
    assert list(faithful.unfaithful_days()) == []


def test_a_missing_file_of_the_last_days_is_found_without_asking(site: Site, impex: Path) -> None:
    three_orders(site)
    merge()
    (impex / "20260202_oversold_NorthShop.json").unlink()
    assert merge().reports == 1
    assert (impex / "20260202_oversold_NorthShop.json").is_file()


def test_a_day_is_made_from_its_orders_when_its_rows_are_lost(site: Site, impex: Path) -> None:
    three_orders(site)
    merge()
    ReportDay.objects.all().delete()
    assert [found.name for found in faithful.unfaithful_days()] == ["offline of NorthShop"]
    for path in impex.glob("*.json"):
        path.unlink()

    done = publish.rebuild(now=NOW, site=site, day=date(2026, 2, 2))

    assert done.reports == 3
    assert len(list(impex.glob("*.json"))) == 3
    assert list(faithful.unfaithful_days()) == []


def test_a_count_that_is_not_the_database_s_is_named(site: Site) -> None:
    three_orders(site)
    merge()
    ReportDay.objects.filter(report_type="oversold").update(order_count=7)
    (found,) = faithful.unfaithful_days()
    assert (found.name, found.fault) == (
        "20260202_oversold_NorthShop.json",
        "holds 7 orders, the database 1",
    )
    assert found.report_id == ReportDay.objects.get(report_type="oversold").pk


def test_a_folder_that_cannot_be_written_keeps_the_outbox_and_says_so(
    site: Site, impex: Path, settings: Any, tmp_path: Path
) -> None:
    blocker = tmp_path / "blocked"
    blocker.write_text("a file where a folder should be")
    settings.COC_IMPEX_DIR = blocker
    place(site, "1")

    done = merge()

    assert (done.failed, done.reports, done.work_files) == (1, 0, 0)
    assert OrderEvent.objects.filter(projected=False).count() == 1
    report = ReportDay.objects.get()
    assert report.last_error == "Not a directory"
    assert (report.revision, report.needs_merge) == (0, True)

    settings.COC_IMPEX_DIR = tmp_path / "impex"
    assert merge().reports == 1
    assert ReportDay.objects.get().last_error == ""
    assert not OrderEvent.objects.filter(projected=False).exists()


def test_a_writer_that_fails_half_way_leaves_the_old_file(
    site: Site, impex: Path, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_orders(site)
    merge()
    before = (impex / "20260202_offline_NorthShop.json").read_bytes()
    place(site, "late", minutes_ago=1)

    def full(members: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(lines, "line_of", full)
        assert merge().failed == 1
    assert (impex / "20260202_offline_NorthShop.json").read_bytes() == before
    assert [name for name in files() if name.endswith(".tmp")] == []
    merge()
    assert read(impex, "20260202_offline_NorthShop.json")["orderCount"] == 4


def test_two_mergers_do_not_interleave(site: Site, files: Files) -> None:
    place(site, "1")
    now = datetime.now(UTC)
    leases.take(name="reports:NorthShop", holder="other", seconds=60, now=now)

    done = merge()

    assert (done.busy, done.work_files, done.reports) == (1, 0, 0)
    assert OrderEvent.objects.filter(projected=False).count() == 1
    leases.give_back(name="reports:NorthShop", holder="other", now=now)
    assert merge().reports == 1


def test_a_merger_that_lost_its_lease_puts_nothing_in_place(site: Site, files: Files) -> None:
    place(site, "1")
    publish.project(now=NOW)
    report = ReportDay.objects.select_related("site").get()
    before = files()
    with pytest.raises(daily.LeaseLost):
        daily.merge(report, keep_lease=lambda: False, now=NOW)
    assert files() == before
    assert ReportDay.objects.get().revision == 1


def test_two_writers_of_one_revision_are_noticed(site: Site) -> None:
    place(site, "1")
    publish.project(now=NOW)
    stale = ReportDay.objects.select_related("site").get()
    daily.merge(stale, keep_lease=lambda: True, now=NOW)
    with pytest.raises(daily.LeaseLost):
        daily.merge(stale, keep_lease=lambda: True, now=NOW)
    assert ReportDay.objects.get().needs_merge
    merge()
    assert list(faithful.unfaithful_days()) == []


def test_old_temporary_files_are_removed_and_young_ones_stay(tmp_path: Path) -> None:
    old, young = tmp_path / ".a.tmp", tmp_path / ".b.tmp"
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    assert atomic_files.remove_left_overs(tmp_path) == 1
    assert not old.exists()
    assert young.exists()
