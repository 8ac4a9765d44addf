"""Import orders from a file: upload, preview, confirmation, progress, result and refusals."""

from __future__ import annotations

import csv
import io
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.maintenance.pages import maintenance_page
from orders.imports.csv_files import lines_in_words
from orders.imports.csv_profiles import PLAIN, PROFILES
from orders.imports.found_orders import OrderFileRefused
from orders.models import Site
from orders.tables import neutral
from reconciliation.maintenance import import_confirmation, jobs, order_imports
from reconciliation.models import JobState, OrderImport

SHOWN = 50
_HISTORY = 10
_NAMES = {
    "shopify": "Shopify",
    "woocommerce": "WooCommerce",
    "magento": "Magento",
    "online-retail": "Online Retail",
}


def _profiles() -> list[tuple[str, Any]]:
    known = [(name, _NAMES.get(name, name)) for name in PROFILES]
    return [
        ("", gettext_lazy("Detect automatically")),
        (PLAIN.name, gettext_lazy("Columns as in our own files")),
        *known,
    ]


class OrderFileForm(forms.Form):
    """An order file, its site, and the format of a CSV file."""

    site = forms.ModelChoiceField(
        Site.objects.order_by("pk"),
        label=gettext_lazy("Site"),
        error_messages={
            "required": gettext_lazy("Choose the site that takes the orders."),
            "invalid_choice": gettext_lazy("Choose one of the sites."),
        },
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        max_length=200,
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("The file is empty."),
            "max_length": gettext_lazy("The name of the file is too long."),
        },
    )
    profile = forms.ChoiceField(
        label=gettext_lazy("CSV from"), choices=_profiles, required=False, initial=""
    )
    dates = forms.ChoiceField(
        label=gettext_lazy("12/1/2026 in a CSV file means"),
        choices=[
            ("", gettext_lazy("As usual for this source")),
            ("dmy", gettext_lazy("12 January")),
            ("mdy", gettext_lazy("December 1")),
        ],
        required=False,
        initial="",
    )


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def import_page(request: HttpRequest) -> HttpResponse:
    """Check an uploaded order file completely; nothing is imported yet."""
    given = (request.POST, request.FILES) if request.method == "POST" else ()
    form = OrderFileForm(*given)
    bad, total = [], 0
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            kept = order_imports.keep(
                values["file"],
                name=values["file"].name,
                site=values["site"],
                actor=actor_of(request),
                now=timezone.now(),
                profile=values["profile"],
                dates=values["dates"],
            )
        except OrderFileRefused as refused:
            bad, total = lines_in_words(refused.bad[:SHOWN]), len(refused.bad)
        else:
            return redirect("maintenance_import_file", pk=kept.pk)
    imports = OrderImport.objects.exclude(confirmed_at=None).select_related("job")
    context = {
        "form": form,
        "sites": list(Site.objects.order_by("pk")),
        "bad": bad,
        "bad_total": total,
        "most_mb": order_imports.MOST_BYTES // 1024**2,
        "most_orders": order_imports.MOST_ORDERS,
        "history": imports.defer("body", "refused").order_by("-pk")[:_HISTORY],
    }
    is_refused = bool(bad) or (request.method == "POST" and not form.is_valid())
    return maintenance_page(request, "import.html", context, status=400 if is_refused else 200)


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def import_file(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the preview of a file, then its progress and result; POST imports it, once."""
    found = _found(pk)
    if request.method == "POST":
        _confirm(request, found)
        return redirect("maintenance_import_file", pk=found.pk)
    context = {
        "upload": found,
        "counts": found.counts if found.is_done else found.preview,
        "refused_rows": order_imports.refusals(found, SHOWN),
        "refused_total": len(found.refused),
        "is_waiting": found.confirmed_at is None,
        "back": reverse("maintenance_import"),
    } | _progress(found)
    page = "import_confirm.html" if context["is_waiting"] else "import_result.html"
    return maintenance_page(request, page, context)


@console_page("orders.change_site", every_site=True)
def import_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the progress of an import."""
    context = _progress(_found(pk)) | {"is_live": True}
    return render(request, "console/maintenance/import_live.html", context)


@console_page("orders.change_site", every_site=True)
def import_download(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the refused orders as CSV: line, order number, reason in the reader's language."""
    found = _found(pk)
    text = io.StringIO()
    writer = csv.writer(text)
    rows = order_imports.refusals(found)
    writer.writerows([("line", "orderNo", "reason"), *(map(neutral, row) for row in rows)])
    # Spreadsheets need the mark to detect UTF-8.
    answer = HttpResponse(text.getvalue().encode("utf-8-sig", "replace"), content_type="text/csv")
    answer["Content-Disposition"] = f'attachment; filename="refused-orders-{found.pk}.csv"'
    return answer


def _found(pk: int) -> OrderImport:
    rows = OrderImport.objects.select_related("site", "job").defer("body")
    return get_object_or_404(rows, pk=min(pk, 2**63 - 1))


def _progress(found: OrderImport) -> dict[str, Any]:
    job = found.job
    return {
        "upload": found,
        "job": job,
        "is_open": job is not None and job.state in (JobState.QUEUED, JobState.RUNNING),
        "is_failed": not found.is_done and job is not None and job.state == JobState.FAILED,
    }


def _confirm(request: HttpRequest, found: OrderImport) -> None:
    actor = actor_of(request)
    try:
        with transaction.atomic():
            job = import_confirmation.confirm(import_id=found.pk, actor=actor, now=timezone.now())
            audit.record(
                request=request,
                action="maintenance.import",
                target=f"job:{job.pk}",
                detail={
                    "file": found.file_name,
                    "site": found.site_id,
                    "orders": found.order_count,
                },
            )
    except import_confirmation.NotOpen:
        messages.info(request, _("This file was confirmed before. This page shows the result."))
    except jobs.AlreadyOpen as refused:
        found.refresh_from_db(fields=["job"])
        if found.job_id == refused.job.pk:
            messages.info(request, _("It has been started already. This page shows how far it is."))
        else:
            messages.error(
                request,
                _("Another import is running. Nothing was started; try again when it ends."),
            )
    else:
        messages.success(request, _("Started. You can leave this page; the result is kept here."))
