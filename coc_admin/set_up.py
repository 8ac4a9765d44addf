"""Missing parts of a new installation that can't take orders yet."""

from __future__ import annotations

from enum import StrEnum

from django.db.models import Q

from coc_admin.models import ApiToken, TokenScope
from orders.models import InventoryList, InventoryRecord, Site


class Missing(StrEnum):
    """What an order needs, in the order in which people set it up."""

    LIST = "list"
    SITE = "site"
    STOCK = "stock"
    TOKEN = "token"  # noqa: S105


def missing() -> list[Missing]:
    """Return the missing parts; four small queries at most, none of which counts rows."""
    found = {
        Missing.LIST: InventoryList.objects.exists(),
        Missing.SITE: Site.objects.exists(),
        # An order at a site that accepts unknown SKUs needs no figure.
        Missing.STOCK: InventoryRecord.objects.exists()
        or Site.objects.exclude(unknown_sku_policy="refuse").exists(),
        Missing.TOKEN: has_token(),
    }
    return [name for name, is_there in found.items() if not is_there]


def has_token() -> bool:
    live = ApiToken.objects.filter(revoked_at=None)
    good_for_a_site = Q(every_site=True) | Q(site__isnull=False) | Q(sites__isnull=False)
    scopes = live.filter(good_for_a_site).values_list("scopes", flat=True)
    return any(TokenScope.ORDERS_WRITE.value in of_token for of_token in scopes[:200])
