"""Daily reports: the list, and their files."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from orders.models import Site
from reconciliation.models import ReportDay
from reconciliation.reports import downloads, names, publish
from tests.coc_admin.api.conftest import Api, api_for, problem
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import Scene

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def outage(db: None, settings: Any, tmp_path: Path) -> Scene:
    """Return an outage with written reports."""
    settings.COC_IMPEX_DIR = tmp_path
    made = scene.build_scene()
    ReportDay.objects.all().delete()
    scene.place(Site.objects.get(pk="South Shop & Co"), "THEIRS")
    publish.project_and_merge(now=timezone.now())
    return made


@pytest.fixture
def api(outage: Scene) -> Api:
    return api_for(outage.site)


@pytest.fixture
def theirs(outage: Scene) -> Api:
    return api_for(Site.objects.get(pk="South Shop & Co"))


def listed(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = json.loads(answer.content)["reports"]
    return rows


def content(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


class TestList:
    def test_those_of_the_site(self, api: Api, outage: Scene) -> None:
        rows = listed(api.get("reports"))

        assert [row["fileName"] for row in rows] == [
            names.name_of(report)
            for report in ReportDay.objects.filter(site=outage.site).order_by("-date", "pk")
        ]
        offline = next(row for row in rows if row["reportType"] == "offline")
        report = ReportDay.objects.get(site=outage.site, report_type="offline")
        assert datetime.fromisoformat(offline.pop("generatedAt")).tzinfo == UTC
        assert offline == {
            "fileName": "20260202_offline_NorthShop.json",
            "reportType": "offline",
            "siteId": "NorthShop",
            "date": "2026-02-02",
            "revision": 1,
            "orderCount": 6,
            "byteCount": report.byte_count,
            "upToDate": True,
        }

    def test_those_of_the_other_site(self, theirs: Api) -> None:
        assert {row["siteId"] for row in listed(theirs.get("reports"))} == {"South Shop & Co"}

    @pytest.mark.parametrize(
        ("query", "kinds"),
        [
            ("site=NorthShop&kind=oversold", {"oversold"}),
            ("kind=reserved", {"reserved"}),
            ("date=2026-02-02", {"offline", "reserved", "oversold"}),
            ("date=2026-02-03", set()),
        ],
    )
    def test_filters(self, api: Api, query: str, kinds: set[str]) -> None:
        assert {row["reportType"] for row in listed(api.get(f"reports?{query}"))} == kinds

    @pytest.mark.in_turn(3)
    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("kind=all", "kind"),
            ("date=today", "date"),
            ("date=2026-02-30", "date"),
            ("date=0", "date"),
            ("date=1769990400", "date"),
            ("date=20260202", "date"),
            ("site=" + "x" * 33, "site"),
            ("limit=0", "limit"),
            ("cursor=x", "cursor"),
            ("day=2026-02-02", "day"),
        ],
    )
    def test_a_query_that_makes_no_sense(self, api: Api, query: str, field: str) -> None:
        found = problem(api.get(f"reports?{query}"), 400, "invalid-request")
        assert [one["field"] for one in found["problems"]] == [field]

    def test_another_site_is_not_there(self, api: Api) -> None:
        for site in ("South%20Shop%20%26%20Co", "Nowhere", "%00"):
            problem(api.get(f"reports?site={site}"), 404, "not-found")

    def test_pages(self, api: Api, outage: Scene) -> None:
        for days in range(1, 5):
            for kind in ("offline", "oversold"):
                ReportDay.objects.create(
                    site=outage.site, date=date(2026, 2, 2) - timedelta(days=days), report_type=kind
                )
        everything = [row["fileName"] for row in listed(api.get("reports"))]
        assert len(everything) == 11
        for limit in (1, 3, 11):
            found, cursor = [], ""
            while True:
                answer = api.get(f"reports?limit={limit}{cursor}")
                found += [row["fileName"] for row in listed(answer)]
                after = json.loads(answer.content)["nextCursor"]
                if after is None:
                    break
                cursor = f"&cursor={after}"
            assert found == everything


class TestFiles:
    NAME = "20260202_offline_NorthShop.json"

    def test_the_file_itself(self, api: Api, tmp_path: Path) -> None:
        answer = api.get(f"reports/{self.NAME}")

        on_disk = (tmp_path / "src" / "continuous_order_capture" / self.NAME).read_bytes()
        assert content(answer) == on_disk
        assert answer["Content-Type"] == "application/json"
        assert answer["Content-Disposition"] == f'attachment; filename="{self.NAME}"'
        assert answer["Cache-Control"] == "no-store"
        assert json.loads(on_disk)["orderCount"] == 6

    def test_as_csv(self, api: Api) -> None:
        answer = api.get(f"reports/{self.NAME}?format=csv")

        rows = list(csv.DictReader(io.StringIO(content(answer).decode("utf-8-sig"))))
        assert len(rows) == 12
        assert rows[0]["orderNo"] == "0000012340"
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert (
            answer["Content-Disposition"] == 'attachment; filename="20260202_offline_NorthShop.csv"'
        )

    def test_as_xlsx(self, api: Api) -> None:
        answer = api.get(f"reports/{self.NAME}?format=xlsx")

        assert content(answer)[:4] == b"PK\x03\x04"
        assert answer["Content-Type"] == XLSX
        assert answer["Content-Disposition"].endswith('.xlsx"')

    def test_a_site_with_a_strange_name(self, theirs: Api) -> None:
        name = listed(theirs.get("reports"))[0]["fileName"]
        body = json.loads(content(theirs.get(f"reports/{quote(name)}")))
        assert body["siteId"] == "South Shop & Co"
        for form in ("csv", "xlsx"):
            assert content(theirs.get(f"reports/{quote(name)}?format={form}"))

    def test_a_lost_file_is_written_again(self, api: Api, tmp_path: Path) -> None:
        path = tmp_path / "src" / "continuous_order_capture" / self.NAME
        before = json.loads(path.read_bytes())["orders"]
        path.unlink()
        assert json.loads(content(api.get(f"reports/{self.NAME}")))["orders"] == before

    @pytest.mark.parametrize("form", ["json", "csv", "xlsx"])
    def test_a_file_that_cannot_be_had_now(
        self, api: Api, outage: Scene, monkeypatch: pytest.MonkeyPatch, form: str
    ) -> None:
        def unavailable(report: ReportDay) -> None:
            raise downloads.ReportUnavailable(report)

        monkeypatch.setattr(downloads, "open_json", unavailable)
        answer = api.get(f"reports/{self.NAME}?format={form}")
        problem(answer, 503, "unavailable")
        assert answer["Retry-After"] == "5"

    def test_a_report_of_another_site_is_not_there(self, api: Api, theirs: Api) -> None:
        theirs_name = listed(theirs.get("reports"))[0]["fileName"]
        details = {
            problem(api.get(f"reports/{name}"), 404, "not-found")["detail"]
            for name in (quote(theirs_name), "20260202_offline_Nowhere.json")
        }
        assert len(details) == 1
        problem(theirs.get(f"reports/{self.NAME}"), 404, "not-found")

    @pytest.mark.parametrize(
        "name",
        [
            "..",
            "..%2f..%2fetc%2fpasswd",
            "20260202_offline_NorthShop.json%00",
            "20260202_offline_NorthShop.json%2f",
            "20260202_offline_NorthShop.JSON",
            "20260202_offline_..%2fNorthShop.json",
            "20260202_other_NorthShop.json",
            "20260230_offline_NorthShop.json",
            "99999999_offline_NorthShop.json",
            "00000000_offline_NorthShop.json",
            "work%2Foffline_NorthShop_20260202_110000_0000012340.json",
            "x" * 5000,
            "%ED%A0%80.json",
        ],
    )
    def test_what_is_no_name_of_a_report(self, api: Api, name: str) -> None:
        problem(api.get(f"reports/{name}"), 404, "not-found")

    def test_an_unknown_format(self, api: Api) -> None:
        found = problem(api.get(f"reports/{self.NAME}?format=pdf"), 400, "invalid-request")
        assert [one["field"] for one in found["problems"]] == ["format"]
