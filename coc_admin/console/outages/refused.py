"""The refused orders on an outage's page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import SiteAccess
from orders.models import RefusedOrder
from orders.refused_orders import still_refused
from reconciliation.models import Outage
from reconciliation.outages.demand import refused_of


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One refused order, with the reason in words."""

    at: datetime
    site_id: str
    order_no: str
    why: str
    skus: str
    units: Decimal
    value: Decimal
    currency: str
    attempts: int


def refused_rows(outage: Outage, *, access: SiteAccess, most: int) -> list[RefusedRow]:
    """Return the newest orders refused during `outage`, of the shown sites; one query."""
    rows = access.narrow(RefusedOrder.objects.filter(refused_of(outage)))
    return [
        RefusedRow(
            at=row.at,
            site_id=row.site_id,
            order_no=row.order_no,
            why=refusal_word(f"{row.why}:{row.cap}".rstrip(":")),
            skus=_skus(row),
            units=row.units,
            value=row.value,
            currency=row.currency,
            attempts=row.attempts,
        )
        for row in still_refused(rows).order_by("-at", "-id")[:most]
    ]


def _skus(row: RefusedOrder) -> str:
    shown = ", ".join(row.skus[:3])
    more = row.sku_count - 3
    return f"{shown} (+{more})" if more > 0 else shown


def refusal_word(name: str) -> str:
    """Return why an order was refused, in words for people."""
    words = {
        "offline-capture-off": _("Offline capture is off"),
        "offline-cap:unitsPerOrder": _("Too many units for one order"),
        "offline-cap:duration": _("Time for offline selling is over"),
        "offline-cap:totalValue": _("Value that may wait is reached"),
        "short-on-stock": _("Not enough stock, as last known"),
        "unknown-sku": _("Unknown SKU"),
    }
    return words.get(name, name)
