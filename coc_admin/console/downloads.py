"""Tables as downloads: in the format that the reader chose, in one file or one per site."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import profile_of
from coc_admin.console.formats import format_quantity
from coc_admin.report_responses import file_response
from orders import statement_limit
from orders.models import Order
from orders.tables import ENDINGS, Form, Reader, Table, table_file
from reconciliation.reports import names
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


def orders_response(
    request: HttpRequest,
    orders: QuerySet[Order],
    table_of: Callable[[QuerySet[Order]], Table],
    form: Form,
    *,
    stem: str,
) -> HttpResponseBase:
    """Send orders as one table, or with `per_site=1` in the query as one per site."""
    if request.GET.get(PER_SITE) != "1":
        return table_response(table_of(orders), form, stem=stamped(stem))
    sites = sorted(set(orders.order_by().values_list("site", flat=True).distinct()))
    tables = ((f"{stem}_{names.escape(pk)}", table_of(orders.filter(site=pk))) for pk in sites)
    return tables_response(tables, form, stem=stamped(stem), now=timezone.now())


def refuse_too_many(request: HttpRequest, page: str, most: int) -> HttpResponse:
    """Return to the list `page` with its filters; a partial file would look complete."""
    words = _("More than %(number)s orders match. Narrow the list before you export it.")
    messages.error(request, words % {"number": format_quantity(most)})
    return redirect(f"{reverse(page)}?{request.GET.urlencode()}")


def stamped(name: str) -> str:
    """Return a download's name with the time, so that two names differ."""
    return f"{name}_{timezone.now():%Y%m%d_%H%M%S}"
