"""The daily reports of an outage: the list, and all of them as one ZIP file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial, reduce
from itertools import chain
from operator import or_

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import SiteAccess, site_access
from coc_admin.console.access import console_page
from coc_admin.console.downloads import PER_SITE, form_or_404
from coc_admin.console.outages import timeline
from coc_admin.console.runs.queries import seen_runs, shown_runs
from coc_admin.report_responses import file_response
from orders import statement_limit
from orders.models import Order, Site
from orders.tables import ENDINGS, Form, Reader, table_file
from reconciliation.models import Outage, ReportDay
from reconciliation.outages.demand import JUST_BEFORE
from reconciliation.outages.demand import orders_of as orders_of_outage
from reconciliation.outages.figures import figures_of
from reconciliation.reports.archives import Entry, report_entries, zip_of
from reconciliation.reports.downloads import ReportUnavailable, joint_table, report_table
from reconciliation.reports.names import day_of, stem_of

MOST_FILES = 1_000
MOST_RUNS = 50


def reports_of_outage(outage: Outage, *, access: SiteAccess, now: datetime) -> QuerySet[ReportDay]:
    """Return the reports of the days, in each site's zone, on which orders were captured."""
    end = outage.drained_at or now
    captured = access.orders(Order.objects.filter(orders_of_outage(outage))).order_by()
    days = [
        Q(
            site=site,
            date__gte=day_of(outage.lost_at - JUST_BEFORE, site),
            date__lte=day_of(end, site),
        )
        for site in Site.objects.filter(pk__in=captured.values("site"))
    ]
    reports = ReportDay.objects.filter(reduce(or_, days)) if days else ReportDay.objects.none()
    return reports.order_by("date", "site", "report_type")


@console_page("reconciliation.download_report")
def outage_zip(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send the reports of an outage and its summary as one file; all of them or none.

    With a Form as `tables` in the query it also contains their items as a table: one of all sites,
    or with `per_site=1` one per report.
    """
    form = form_or_404(request.GET["tables"]) if request.GET.get("tables") else None
    if not request.user.has_perm("reconciliation.view_run"):
        raise PermissionDenied
    outage = get_object_or_404(Outage, pk=min(pk, 2**63 - 1))
    access, now = site_access(request), timezone.now()
    found = reports_of_outage(outage, access=access, now=now).select_related("site")
    reports = list(found.filter(revision__gt=0)[: MOST_FILES + 1])
    if len(reports) > MOST_FILES:
        messages.error(
            request, _("There are too many files for one download. Choose a site above.")
        )
        return redirect("outage", pk=outage.pk)
    runs = list(shown_runs(access).filter(outage=outage).order_by("-pk")[:MOST_RUNS])
    seen_runs(runs, access)
    # The content of files does not depend on the reader.
    with translation.override(settings.LANGUAGE_CODE):
        summary = timeline.summary(
            outage,
            figures=figures_of(outage, site_ids=access.site_ids),
            runs=runs,
            reports=reports,
            now=now,
        )
    try:
        entries = chain(
            report_entries(reports, texts={"summary.txt": summary + "\n"}),
            () if form is None else _tables(request, reports, form),
        )
        with statement_limit.for_work():
            file = zip_of(entries, now=now)
    except ReportUnavailable as fault:
        messages.error(request, str(fault))
        return redirect("outage", pk=outage.pk)
    return file_response(file, stem=f"outage_{outage.pk}_reports", form="zip")


def _tables(request: HttpRequest, reports: list[ReportDay], form: Form) -> Iterator[Entry]:
    """Yield the tables of an archive of reports."""
    reader = Reader.now()
    if request.GET.get(PER_SITE) == "1":
        tables = [(stem_of(report), report_table([report])) for report in reports]
    else:
        tables = [("reports", joint_table(reports))]
    for name, table in tables:
        yield f"{name}.{ENDINGS[form]}", partial(table_file, form, table, reader=reader)
