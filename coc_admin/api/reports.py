"""Daily reports: the list, and their files."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Path, Query, Router, Schema
from pydantic import Field

from coc_admin.api.access import BearerToken, sites_of, token_of
from coc_admin.api.pages import page_of, refuse_unknown
from coc_admin.api.problems import NotFound, Unavailable
from coc_admin.api.serializers import Cursor, Day, Limit
from coc_admin.models import TokenScope
from coc_admin.pager import Column, Keyset
from coc_admin.report_responses import report_response
from orders.members import Members, MomentOrNull, Read
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports import downloads, names

router = Router(tags=["Reports"])

READ = BearerToken(TokenScope.REPORTS_READ)
_LATEST_FIRST = Keyset(Column("date", date, True), Column("pk"))


class ReportAnswer(Members):
    """A daily report."""

    fileName: Annotated[str, Read(names.name_of)]
    reportType: ReportType
    siteId: str
    date: Day
    revision: int = Field(description="0 until it is written for the first time.")
    orderCount: int
    byteCount: int
    generatedAt: MomentOrNull
    upToDate: Annotated[bool, Read(lambda report: not report.needs_merge)] = Field(
        description="Whether nothing has changed since."
    )


class ReportPage(Schema):
    """Daily reports, the latest day first."""

    reports: list[ReportAnswer]
    nextCursor: str | None


class ReportFilters(Schema):
    """Which reports are wanted."""

    site: Annotated[str | None, Field(max_length=32)] = None
    date: Annotated[Day | None, Field(description="The day, in the site's time zone.")] = None
    kind: ReportType | None = None
    limit: Limit = 50
    cursor: Cursor = None


class FileFormat(StrEnum):
    """How a report can be had."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


class FileChoice(Schema):
    """The format of a report's file."""

    format: FileFormat = FileFormat.JSON


@router.get("/reports", auth=READ, response=ReportPage, operation_id="listReports")
def list_reports(request: HttpRequest, filters: Query[ReportFilters]) -> Any:
    """List the daily reports of the token's sites, the latest day first."""
    refuse_unknown(request, filters)
    found = ReportDay.objects.filter(site__in=sites_of(token_of(request), filters.site))
    if filters.date is not None:
        found = found.filter(date=filters.date)
    if filters.kind is not None:
        found = found.filter(report_type=filters.kind)
    page = page_of(_LATEST_FIRST, found, filters)
    return {
        "reports": [ReportAnswer.of(report) for report in page.rows],
        "nextCursor": page.next_cursor or None,
    }


@router.get("/reports/{fileName}", auth=READ, operation_id="getReport")
def get_report(
    request: HttpRequest,
    file_name: Annotated[str, Path(alias="fileName")],
    choice: Query[FileChoice],
) -> HttpResponseBase:
    """Download a daily report: the JSON file itself, or its order lines as CSV or XLSX."""
    refuse_unknown(request, choice)
    report = downloads.find(file_name)
    if report is None or report.site_id not in sites_of(token_of(request)):
        raise NotFound("There is no such report, or it is of another site.")
    try:
        return report_response(report, choice.format.value)
    except downloads.ReportUnavailable as error:
        raise Unavailable(str(error)) from None
