"""The back office for sites and inventory lists. Orders and the ledger are not written there."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from orders.fields import MoneyField, QuantityField
from orders.models import InventoryList, Order, PermittedList, Site


class _KeepsItsId(admin.ModelAdmin):  # type: ignore[type-arg]
    """A row whose id is used by others, here and outside: given once, and not deleted."""

    formfield_overrides = {QuantityField: {"min_value": 0}, MoneyField: {"min_value": 0}}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return the id of a row that exists."""
        return ("created_at",) if obj is None else ("id", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: orders, stock and reports refer to it."""
        return False


class _PermittedLists(admin.TabularInline):  # type: ignore[type-arg]
    """The lists that a site may sell from beside its own."""

    model = PermittedList
    extra = 0
    autocomplete_fields = ("inventory_list",)


@admin.register(Site)
class SiteAdmin(_KeepsItsId):
    """Sites, and their limits while OCI is offline."""

    list_display = ("id", "name", "inventory_list", "time_zone", "currency", "offline_capture")
    search_fields = ("id", "name")
    list_filter = ("offline_capture",)
    autocomplete_fields = ("inventory_list",)
    inlines = (_PermittedLists,)
    fieldsets = (
        (None, {"fields": ("id", "name", "inventory_list", "time_zone", "currency", "created_at")}),
        (
            "While OCI is away",
            {
                "fields": (
                    "offline_capture",
                    "cap_units_per_order",
                    "cap_total_value",
                    "cap_offline_minutes",
                )
            },
        ),
        ("Stock", {"fields": ("unknown_sku_policy", "keeps_promises")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return the id, and the time zone once there are orders: it decides their day."""
        fields = super().get_readonly_fields(request, obj)
        has_orders = obj is not None and Order.objects.filter(site=obj).exists()
        return (*fields, "time_zone") if has_orders else fields


@admin.register(InventoryList)
class InventoryListAdmin(_KeepsItsId):
    """Inventory lists, and the stock kept back while selling offline."""

    list_display = ("id", "name", "list_type", "offline_floor_units", "offline_floor_percent")
    search_fields = ("id", "name")
    fields = (
        "id",
        "name",
        "list_type",
        "offline_floor_units",
        "offline_floor_percent",
        "use_bundle_inventory_only",
        "part_quantity_per_bundle",
        "created_at",
    )
