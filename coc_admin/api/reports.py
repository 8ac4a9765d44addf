"""Daily reports: which there are, and their files."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Path, Query, Router, Schema

from coc_admin.api.access import BearerToken, sites_of, token_of
from coc_admin.api.pages import cursor_of, place_of, refuse_unknown
from coc_admin.api.problems import NotFound, Unavailable
from coc_admin.api.serializers import ReportFilters, ReportPage
from coc_admin.models import TokenScope
from coc_admin.report_responses import report_response
from orders.serializers import iso
from reconciliation.models import ReportDay
from reconciliation.reports import downloads, names

router = Router(tags=["Reports"])

READ = BearerToken(TokenScope.REPORTS_READ)


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
    if filters.cursor:
        found = found.filter(_after(*place_of(filters.cursor, date, int)))
    rows = list(found.order_by("-date", "pk")[: filters.limit + 1])
    page = rows[: filters.limit]
    more = len(rows) > len(page)
    return {
        "reports": [_report(report) for report in page],
        "nextCursor": cursor_of(page[-1].date.isoformat(), page[-1].pk) if more else None,
    }


def _after(day: date, pk: int) -> Q:
    return Q(date__lt=day) | Q(date=day, pk__gt=pk)


def _report(report: ReportDay) -> dict[str, Any]:
    return {
        "fileName": names.name_of(report),
        "reportType": report.report_type,
        "siteId": report.site_id,
        "date": report.date,
        "revision": report.revision,
        "orderCount": report.order_count,
        "byteCount": report.byte_count,
        "generatedAt": iso(report.generated_at),
        "upToDate": not report.needs_merge,
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
