"""The reports of an outage as one ZIP file, and what a site-limited person gets of it."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.console.outages import report_views
from coc_admin.models import Profile
from orders.models import Site
from reconciliation.models import AttemptOutcome, Outage, ReportDay
from reconciliation.queue import leases
from reconciliation.reports import names, publish
from tests.coc_admin.console.scene import (
    NOW,
    answer,
    make_outage,
    make_run,
    make_shop,
    make_user,
    place,
)


@pytest.fixture
def made(db: None, tmp_path: Path, settings: Any) -> Outage:
    """Return an outage during which two sites captured orders, with its reports written."""
    settings.COC_IMPEX_DIR = tmp_path / "impex"
    north, south = make_shop(), make_shop("South Shop & Co")
    run = make_run()
    answer(run, place(north, "N1"), 1, 0, outcome=AttemptOutcome.PARTIAL)
    place(south, "../S1")
    place(north, "earlier", minutes_ago=3 * 24 * 60)
    publish.project_and_merge(now=NOW)
    return make_outage(run)


def entries(response: Any) -> dict[str, bytes]:
    content = b"".join(response.streaming_content)
    assert int(response["Content-Length"]) == len(content)
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        assert bundle.testzip() is None
        return {name: bundle.read(name) for name in bundle.namelist()}


def test_all_reports_of_the_days_of_an_outage_in_one_file(viewer: Client, made: Outage) -> None:
    response = viewer.get(f"/outages/{made.pk}/reports.zip")
    assert response["Content-Type"] == "application/zip"
    assert response["Content-Disposition"] == (
        f'attachment; filename="outage_{made.pk}_reports.zip"'
    )
    found = entries(response)
    assert sorted(found) == [
        "20260202_offline_NorthShop.json",
        "20260202_offline_South%20Shop%20%26%20Co.json",
        "20260202_oversold_NorthShop.json",
        "summary.txt",
    ]
    for report in ReportDay.objects.filter(date="2026-02-02"):
        assert found[names.name_of(report)] == names.path_of(report).read_bytes()
    summary = found["summary.txt"].decode()
    assert summary.startswith(f"Outage {made.pk} of Omnichannel Inventory\n")
    assert "Captured offline: 2 orders, 6 units, worth 57.00 EUR" in summary


def test_a_person_of_one_site_gets_and_reads_of_that_site_alone(
    viewer: Client, made: Outage
) -> None:
    profile = Profile.objects.create(user=User.objects.get(username="vera"), every_site=False)
    profile.sites.set(Site.objects.filter(pk="NorthShop"))
    found = entries(viewer.get(f"/outages/{made.pk}/reports.zip"))
    assert sorted(found) == [
        "20260202_offline_NorthShop.json",
        "20260202_oversold_NorthShop.json",
        "summary.txt",
    ]
    summary = found["summary.txt"].decode()
    assert "South" not in summary
    assert "Captured offline: 1 order, 3 units" in summary
    context = viewer.get(f"/outages/{made.pk}/").context
    assert (context["figures"].orders, context["figures"].sites) == (1, ["NorthShop"])
    assert {report.site_id for report in context["reports"]} == {"NorthShop"}
    assert context["chart"].points[-1].captured == 1
    assert [counts.captured for _, counts in viewer.get("/outages/").context["rows"]] == [1]


def test_a_torn_file_is_made_good_first(viewer: Client, made: Outage) -> None:
    report = ReportDay.objects.get(report_type="oversold")
    names.path_of(report).write_bytes(b"{}")
    found = entries(viewer.get(f"/outages/{made.pk}/reports.zip"))
    assert b'"orderNo":"N1"' in found["20260202_oversold_NorthShop.json"]


def test_nothing_is_sent_when_one_file_cannot_be_had(viewer: Client, made: Outage) -> None:
    report = ReportDay.objects.get(report_type="oversold")
    names.path_of(report).unlink()
    leases.take(
        name="reports:NorthShop",
        holder="another",
        seconds=600,
        now=datetime.now(tz=NOW.tzinfo) + timedelta(seconds=1),
    )
    response = viewer.get(f"/outages/{made.pk}/reports.zip")
    assert (response.status_code, response["Location"]) == (302, f"/outages/{made.pk}/")
    assert "is being written. Try again in a moment" in viewer.get("/outages/").content.decode()


def test_too_many_files_are_refused(
    viewer: Client, made: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_views, "MOST_FILES", 2)
    assert viewer.get(f"/outages/{made.pk}/reports.zip").status_code == 302
    assert "too many files for one" in viewer.get("/outages/").content.decode()


@pytest.mark.parametrize("held", ["reconciliation.view_run", "reconciliation.download_report"])
def test_the_file_needs_both_rights(client: Client, made: Outage, held: str) -> None:
    client.force_login(make_user("nina", "orders.view_order", held))
    assert client.get(f"/outages/{made.pk}/reports.zip").status_code == 403


def test_outage_page_offers_the_file(viewer: Client, made: Outage) -> None:
    assert (
        f'href="/outages/{made.pk}/reports.zip"'
        in viewer.get(f"/outages/{made.pk}/").content.decode()
    )
    assert viewer.get("/outages/999999/reports.zip").status_code == 404


def test_the_file_can_hold_tables_of_all_sites_or_of_each_report(
    viewer: Client, made: Outage
) -> None:
    found = entries(viewer.get(f"/outages/{made.pk}/reports.zip?tables=xlsx"))
    assert len(found) == 5
    sheet = openpyxl.load_workbook(io.BytesIO(found["reports.xlsx"])).active
    assert sheet is not None
    rows = [[cell.value for cell in row][:4] for row in sheet.iter_rows(min_row=2)]
    assert [row for row in rows if row[1] == "Oversold"] == [
        ["2026-02-02", "Oversold", "NorthShop", "N1"],
        ["2026-02-02", "Oversold", "NorthShop", "N1"],
    ]
    assert {row[2] for row in rows} == {"NorthShop", "South Shop & Co"}
    each = entries(viewer.get(f"/outages/{made.pk}/reports.zip?tables=csv-local&per_site=1"))
    assert sorted(name for name in each if name.endswith(".csv")) == [
        "20260202_offline_NorthShop.csv",
        "20260202_offline_South%20Shop%20%26%20Co.csv",
        "20260202_oversold_NorthShop.csv",
    ]
    assert b",N1," in each["20260202_oversold_NorthShop.csv"]
    assert viewer.get(f"/outages/{made.pk}/reports.zip?tables=json").status_code == 404
