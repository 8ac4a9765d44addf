"""Pages that compare our stock with Omnichannel Inventory, and take a new snapshot of it."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext

from coc_admin.console import audit
from coc_admin.console.access import console_page
from coc_admin.console.stock.views import record_or_404, stock_page_of
from orders.models import InventoryRecord
from reconciliation.stock_mirror import comparison


@console_page("orders.view_inventoryrecord")
def compare_list(request: HttpRequest) -> HttpResponse:
    """Compare the SKUs of a page of the list with OCI's current figures."""
    shown = stock_page_of(request)
    context = {
        "told": comparison.compare(shown.page.rows, now=timezone.now()),
        "page": shown.page,
        "refresh_url": f"{reverse('stock_refresh')}?{request.GET.urlencode()}",
        "back_url": f"{reverse('inventory')}?{request.GET.urlencode()}",
    }
    return render(request, "console/stock/stock_compare.html", context)


@console_page("orders.view_inventoryrecord")
def compare_sku(request: HttpRequest, pk: int) -> HttpResponse:
    """Compare one SKU with OCI's current figure."""
    record = record_or_404(request, pk)
    context = {
        "told": comparison.compare([record], now=timezone.now()),
        "record": record,
        "refresh_url": reverse("sku_refresh", args=[record.pk]),
        "back_url": reverse("sku", args=[record.pk]),
    }
    return render(request, "console/stock/stock_compare.html", context)


@console_page("reconciliation.start_run", methods=("POST",))
def refresh_list(request: HttpRequest) -> HttpResponse:
    """Take a new snapshot of the SKUs of a page of the list."""
    _refresh(request, stock_page_of(request).page.rows)
    return redirect(f"{reverse('stock_compare')}?{request.GET.urlencode()}")


@console_page("reconciliation.start_run", methods=("POST",))
def refresh_sku(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a new snapshot of one SKU."""
    record = record_or_404(request, pk)
    _refresh(request, [record])
    return redirect("sku_compare", pk=record.pk)


def _refresh(request: HttpRequest, records: Sequence[InventoryRecord]) -> None:
    try:
        number = comparison.refresh(records)
    except comparison.OciSilent as silent:
        messages.error(request, silent.detail)
        return
    with transaction.atomic():
        audit.record(
            request=request,
            action="stock.refreshed",
            target="stock",
            detail={"asked": len(records), "renewed": number},
        )
    words = ngettext(
        "%(number)s figure was refreshed.", "%(number)s figures were refreshed.", number
    )
    messages.success(request, words % {"number": number})
