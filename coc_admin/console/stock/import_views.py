"""Pages to import a stock file: a preview of the changes, then the import."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from coc_admin import stock_uploads
from coc_admin.accounts.site_access import site_access
from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page, person_of
from coc_admin.models import StockUpload
from orders.imports.csv_files import lines_in_words
from orders.imports.stock_csv import StockRefused
from orders.imports.stock_files import StockBusy
from orders.models import InventoryList

SHOWN_FAULTS = 50


class StockUploadForm(forms.Form):
    """A stock file, and its list."""

    list = forms.ModelChoiceField(
        InventoryList.objects.all(),
        error_messages={
            "required": gettext_lazy("Choose the list that the file is for."),
            "invalid_choice": gettext_lazy("Choose one of the lists."),
        },
    )
    file = forms.FileField(
        max_length=200,
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("The file is empty."),
            "max_length": gettext_lazy("The name of the file is too long."),
        },
    )

    def __init__(self, *args: Any, lists: QuerySet[InventoryList]) -> None:
        super().__init__(*args)
        self.fields["list"].queryset = lists  # type: ignore[attr-defined]


@console_page("orders.change_inventorylist", methods=READ_AND_POST)
def upload(request: HttpRequest) -> HttpResponse:
    """Check an uploaded stock file completely; nothing is imported yet."""
    lists = site_access(request).permitted_lists()
    form = StockUploadForm(*_given(request), lists=lists)
    bad, total = [], 0
    notes: list[str] = []
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            kept = stock_uploads.keep(
                file,
                name=file.name,
                list_=form.cleaned_data["list"],
                user=person_of(request),
                now=timezone.now(),
                notes=notes,
            )
        except StockRefused as refused:
            bad, total = lines_in_words(refused.bad[:SHOWN_FAULTS]), len(refused.bad)
        else:
            for note in notes:
                messages.info(request, note)
            return redirect("stock_import_confirm", pk=kept.pk)
    context = {
        "form": form,
        "lists": list(lists),
        "bad": bad,
        "bad_total": total,
        "most_mb": stock_uploads.MOST_BYTES // 1024**2,
        "most_skus": stock_uploads.MOST_SKUS,
    }
    is_refused = bool(bad) or (request.method == "POST" and not form.is_valid())
    return render(
        request, "console/stock/stock_import.html", context, status=400 if is_refused else 200
    )


def _given(request: HttpRequest) -> tuple[Any, ...]:
    return (request.POST, request.FILES) if request.method == "POST" else ()


@console_page("orders.change_inventorylist", methods=READ_AND_POST)
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the changes of an uploaded file (GET), then import it (POST), once."""
    kept = get_object_or_404(
        StockUpload.objects.select_related("inventory_list"),
        pk=min(pk, 2**63 - 1),
        user=person_of(request),
        inventory_list__in=site_access(request).permitted_lists(),
    )
    if kept.imported_at is not None:
        messages.info(request, _("This file has been imported already."))
        return redirect(_list_url(kept))
    if request.method != "POST":
        context = {
            "upload": kept,
            "would": stock_uploads.preview(kept),
            "back": reverse("stock_import"),
        }
        return render(request, "console/stock/stock_import_confirm.html", context)
    try:
        is_first = stock_uploads.confirm(kept, now=timezone.now())
    except StockBusy:
        messages.error(
            request,
            _(
                "Some SKUs change too often and could not be written. Import the file again: SKUs"
                " that were already written stay, and the rest is added."
            ),
        )
        return redirect("stock_import_confirm", pk=kept.pk)
    if is_first:
        _note(request, kept)
    return redirect(_list_url(kept))


def _note(request: HttpRequest, kept: StockUpload) -> None:
    with transaction.atomic():
        audit.record(
            request=request,
            action="stock.imported",
            target=f"list:{kept.inventory_list_id}",
            detail={"file": kept.file_name, "skus": kept.sku_count},
        )
    words = ngettext(
        "%(number)s SKU has been imported.", "%(number)s SKUs have been imported.", kept.sku_count
    )
    messages.success(request, words % {"number": kept.sku_count})


def _list_url(kept: StockUpload) -> str:
    return f"{reverse('inventory')}?{urlencode({'list': kept.inventory_list_id})}"
