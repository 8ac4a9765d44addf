"""Pages about stock as last known: the list, and one SKU with the parts of its figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import console_page
from coc_admin.console.forms import StockFilterForm
from coc_admin.console.stock import queries
from coc_admin.pager import Page
from orders.capture import offline_floor
from orders.fields import ZERO
from orders.models import InventoryList, InventoryRecord, Site
from reconciliation.stock_mirror import age

_LARGEST_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StockPage:
    """The SKUs matching the list's URL, and its filters."""

    page: Page[InventoryRecord]
    form: StockFilterForm
    lists: list[InventoryList]

    @property
    def list(self) -> InventoryList | None:
        """The chosen list."""
        chosen: InventoryList | None = self.form.cleaned_data.get("list")
        return chosen

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter is set."""
        return any(self.form.data.get(name) for name in self.form.fields)


def stock_page_of(request: HttpRequest) -> StockPage:
    """Return the page of SKUs for the URL, of the lists that the person sees."""
    access = site_access(request)
    form = StockFilterForm(request.GET, lists=access.permitted_lists())
    form.is_valid()
    wanted = form.cleaned_data
    lists = list(access.lists())
    found = queries.records(
        list_=wanted.get("list"),
        lists=None if access.site_ids is None else lists,
        prefix=wanted.get("sku", ""),
        most=wanted.get("most"),
        name=wanted.get("name", ""),
    )
    if form.has_mistakes:
        found = found.none()
    page = queries.page_of_records(found, cursor=request.GET.get("cursor", ""))
    return StockPage(page, form, lists)


@console_page("orders.view_inventoryrecord")
def stock_list(request: HttpRequest) -> HttpResponse:
    """List SKUs with their ATO by list, SKU, product name, and how much is left."""
    shown = stock_page_of(request)
    context = {
        "page": shown.page,
        "form": shown.form,
        "lists": shown.lists,
        "list": shown.list,
        "is_narrowed": shown.is_narrowed,
        "ages": age.ages(timezone.now(), lists=[one.pk for one in shown.lists]),
        "promise": age.promise(),
    }
    return render(request, "console/stock/inventory.html", context)


@console_page("orders.view_inventoryrecord")
def stock_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one SKU of one list: its figure, the orders with holds on it, and the ledger.

    A list can serve several sites. A person who does not see all of them sees the holds and
    movements of their own sites; the figure itself belongs to the list.
    """
    access, record = site_access(request), record_or_404(request, pk)
    sites = access.allowed
    floor, now = offline_floor(record, record.inventory_list), timezone.now()
    context: dict[str, Any] = {
        "record": record,
        "now": now,
        "is_limited": access.is_limited,
        "floor": floor,
        "sellable_offline": max(ZERO, record.ato - floor),
        "capped_sites": [site for site in access.sites if _is_capped(site, record)],
        "makeup": queries.makeup_of(record, now=now, sites=sites),
        "holds": queries.page_of_holds(record, cursor=request.GET.get("holds", ""), sites=sites),
        "movements": queries.page_of_movements(
            record, cursor=request.GET.get("cursor", ""), sites=sites
        ),
    }
    return render(request, "console/stock/sku.html", context)


def record_or_404(request: HttpRequest, pk: int) -> InventoryRecord:
    """Return a SKU of a list that the person may see, or raise Http404."""
    access = site_access(request)
    records = InventoryRecord.objects.select_related("inventory_list")
    if access.is_limited:
        records = records.filter(inventory_list__in=access.permitted_lists())
    return get_object_or_404(records, pk=min(pk, _LARGEST_KEY))


def _is_capped(site: Site, record: InventoryRecord) -> bool:
    caps = (site.cap_units_per_order, site.cap_total_value, site.cap_offline_minutes)
    return site.inventory_list_id == record.inventory_list_id and any(
        cap is not None for cap in caps
    )
