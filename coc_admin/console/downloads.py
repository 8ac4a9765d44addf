"""Tables as downloads: in the format that the reader chose, in one file or one per site."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone

from coc_admin.accounts.site_access import profile_of
from coc_admin.report_responses import file_response
from orders import statement_limit
from orders.tables import ENDINGS, Form, Reader, Table, table_file
from reconciliation.reports.archives import zip_of

# Query parameter of a download: one file for each site, all of them in a ZIP file.
PER_SITE = "per_site"


def preferred_form(request: HttpRequest) -> Form:
    """Return the format the person has chosen on their page; by default a workbook."""
    profile = profile_of(request)
    return Form(profile.table_form) if profile and profile.table_form in Form.values else Form.XLSX


def form_or_404(form: str) -> Form:
    """Return the format in an address. Raises Http404."""
    if form not in Form.values:
        raise Http404
    return Form(form)


def table_response(table: Table, form: Form, *, stem: str) -> HttpResponseBase:
    """Send a table as the download `stem`."""
    with statement_limit.for_work():
        file = table_file(form, table, reader=Reader.now())
    return file_response(file, stem=stem, form=ENDINGS[form])


def tables_response(
    tables: Iterable[tuple[str, Table]], form: Form, *, stem: str, now: datetime
) -> HttpResponseBase:
    """Send tables by their names as one ZIP file `stem`."""
    reader = Reader.now()
    with statement_limit.for_work():
        file = zip_of(
            (
                (f"{name}.{ENDINGS[form]}", partial(table_file, form, table, reader=reader))
                for name, table in tables
            ),
            now=now,
        )
    return file_response(file, stem=stem, form="zip")


def stamped(name: str) -> str:
    """Return a download's name with the time, so that two names differ."""
    return f"{name}_{timezone.now():%Y%m%d_%H%M%S}"
