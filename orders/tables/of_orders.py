"""The columns of tables about orders: one row per order, and one row per item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.models import ExportStatus, ItemKind, OrderStatus, ReservationState, Resolution
from orders.tables.columns import Column, Kind


def _labels(choices: Iterable[tuple[str, str | Promise]]) -> Mapping[str, str | Promise]:
    return {str(value): label for value, label in choices if value}


_STATES = _labels(ReservationState.choices)
_RESOLUTIONS = _labels(Resolution.choices)

_RESOLUTION_COLUMNS = (
    Column("resolution", _("Resolution"), Kind.CHOICE, choices=_RESOLUTIONS),
    Column("resolutionAt", _("Settled"), Kind.MOMENT),
    Column("resolutionBy", _("Settled by")),
    Column("resolutionNote", _("Note")),
)

ORDER_COLUMNS = (
    Column("siteId", _("Site")),
    Column("orderNo", _("Order number")),
    Column("capturedAt", _("Captured"), Kind.MOMENT),
    Column("capturedOffline", _("Captured offline"), Kind.YES_NO),
    Column("status", _("Status"), Kind.CHOICE, choices=_labels(OrderStatus.choices)),
    Column("reservationState", _("Reservation state"), Kind.CHOICE, choices=_STATES),
    Column("reconciledAt", _("Reconciled"), Kind.MOMENT),
    Column("exportStatus", _("Export status"), Kind.CHOICE, choices=_labels(ExportStatus.choices)),
    Column("currency", _("Currency")),
    Column("orderTotal", _("Order total"), Kind.MONEY, currency="currency"),
    Column("units", _("Units"), Kind.QUANTITY),
    Column("reservedUnits", _("Reserved units"), Kind.QUANTITY),
    Column("customerName", _("Customer")),
    Column("customerEmail", _("E-mail address")),
    Column("needsReviewSince", _("Needs review since"), Kind.MOMENT),
    Column("needsReviewReason", _("Reason for the review")),
    *_RESOLUTION_COLUMNS,
)

ITEM_COLUMNS = (
    Column("siteId", _("Site")),
    Column("orderNo", _("Order number")),
    Column("capturedAt", _("Captured"), Kind.MOMENT),
    Column("reconciledAt", _("Reconciled"), Kind.MOMENT),
    Column("reservationState", _("Reservation state"), Kind.CHOICE, choices=_STATES),
    Column("reservationId", _("Reservation")),
    Column("currency", _("Currency")),
    Column("orderTotal", _("Order total"), Kind.MONEY, currency="currency"),
    Column("customerName", _("Customer")),
    Column("customerEmail", _("E-mail address")),
    Column("itemId", _("Item")),
    Column("sku", _("SKU")),
    Column("productName", _("Product")),
    Column("inventoryListId", _("Inventory list")),
    Column("quantity", _("Ordered units"), Kind.QUANTITY),
    Column("reservedQuantity", _("Reserved units"), Kind.QUANTITY),
    Column("shortQuantity", _("Short units"), Kind.QUANTITY),
    Column("cancelledQuantity", _("Cancelled units"), Kind.QUANTITY),
    Column("replacedQuantity", _("Replaced units"), Kind.QUANTITY),
    Column("replacesItemId", _("Replaces item")),
    Column("unitPrice", _("Unit price"), Kind.MONEY, currency="currency"),
    Column("runId", _("Reconciliation"), Kind.NUMBER),
    *_RESOLUTION_COLUMNS,
    Column("parentItemId", _("Part of item")),
    Column("kind", _("Kind of item"), Kind.CHOICE, choices=_labels(ItemKind.choices)),
    Column("takesStock", _("Takes stock"), Kind.YES_NO),
)
