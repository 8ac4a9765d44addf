"""The command that places a first order, for people who have no storefront at hand."""

from __future__ import annotations

import json
import shlex
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest

from orders.models import InventoryRecord, Order, Site

PLACEHOLDER = "TOKEN"


def command(request: HttpRequest, *, site: Site | None, token: str = PLACEHOLDER) -> str:
    """Return a curl command that orders one unit of a SKU in stock; "" if there is none.

    Two small queries at most. `token` stands in the command as it is.
    """
    if site is None:
        return ""
    in_stock = InventoryRecord.objects.filter(inventory_list=site.inventory_list_id, ato__gte=1)
    sku = in_stock.order_by("pk").values_list("sku", flat=True).first()
    if sku is None:
        return ""
    order = {
        "orderNo": "TRIAL-1",
        "currency": site.currency,
        "customerInfo": {"customerName": "Trial Customer"},
        "productItems": [{"itemId": "1", "productId": sku, "quantity": 1, "basePrice": 1}],
        "orderTotal": 1,
    }
    path = f"/api/v1/sites/{quote(site.pk, safe='')}/orders"
    base = (settings.COC_CONSOLE_URL or request.build_absolute_uri("/")).rstrip("/")
    return " \\\n  ".join(
        (
            f"curl -i {shlex.quote(base + path)}",
            f'-H "Authorization: Bearer {token}"',
            '-H "Content-Type: application/json"',
            f"-d {shlex.quote(json.dumps(order, ensure_ascii=False))}",
        )
    )


def of_empty_installation(request: HttpRequest) -> str:
    """Return the command for those who may make its token, until there is an order; else ""."""
    if not request.user.has_perm("coc_admin.add_apitoken") or Order.objects.order_by().exists():
        return ""
    return command(request, site=Site.objects.order_by("pk").first())
