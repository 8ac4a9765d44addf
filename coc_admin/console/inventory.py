"""Pages about stock as last known: the list, and one SKU with what its figure is made of."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from coc_admin.console import stock
from coc_admin.console.access import console_page
from coc_admin.console.forms import StockFilterForm
from orders.models import InventoryList, InventoryRecord

_LARGEST_KEY = 2**63 - 1


@console_page("orders.view_inventoryrecord")
def stock_list(request: HttpRequest) -> HttpResponse:
    """List SKUs with their ATO by list, beginning of the SKU, and how much is left."""
    form = StockFilterForm(request.GET)
    form.is_valid()
    wanted = form.cleaned_data
    found = stock.records(
        list_=wanted.get("list"),
        prefix=wanted.get("sku", ""),
        most=wanted.get("most"),
    )
    if form.has_mistakes:
        found = found.none()
    context = {
        "page": stock.page_of_records(found, cursor=request.GET.get("cursor", "")),
        "form": form,
        "lists": list(InventoryList.objects.all()),
        "list": wanted.get("list"),
        "is_narrowed": any(form.data.get(name) for name in ("list", "sku", "most")),
    }
    return render(request, "console/inventory.html", context)


@console_page("orders.view_inventoryrecord")
def stock_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one SKU of one list: its figure, the orders that hold some of it, and the ledger."""
    record = get_object_or_404(
        InventoryRecord.objects.select_related("inventory_list"), pk=min(pk, _LARGEST_KEY)
    )
    context: dict[str, Any] = {
        "record": record,
        "makeup": stock.makeup_of(record),
        "holds": stock.page_of_holds(record, after=_key(request, "holds_after")),
        "movements": stock.page_of_movements(record, before=_key(request, "before")),
    }
    return render(request, "console/sku.html", context)


def _key(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None
