"""What the remedies of single items did, in words for the story of an order."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from coc_admin.console.formats import format_change, format_quantity
from orders.models import EventKind, OrderEvent, OrderItem

_MOST_ITEMS = 5
_OF_REPLACEMENTS = (EventKind.REPLACING, EventKind.REPLACED, EventKind.NOT_REPLACED)


def notes_of(
    event: OrderEvent, items: Mapping[str, OrderItem], *, currency: str
) -> tuple[str, ...]:
    """Return what the event says beyond its title and reason; `items` by primary key as text."""
    if event.kind == EventKind.ITEMS_CANCELLED:
        return (_units(event.data.get("cancelled", {}), items),)
    if event.kind in _OF_REPLACEMENTS:
        return _replacement(event.data, currency)
    if event.kind == EventKind.ADJUSTED:
        return (_units(event.data.get("released", {}), items),)
    return ()


def _units(told: Mapping[str, Any], items: Mapping[str, OrderItem]) -> str:
    words = [
        f"{format_quantity(Decimal(str(units)))} × {items[pk].sku}"
        for pk, units in told.items()
        if pk in items
    ]
    more = len(words) - _MOST_ITEMS
    shown = "; ".join(words[:_MOST_ITEMS])
    if more > 0:
        return _("%(items)s; and %(more)d more") % {"items": shown, "more": more}
    return shown


def _replacement(data: Mapping[str, Any], currency: str) -> tuple[str, ...]:
    notes = [
        _("%(units)s × %(old)s by %(new)s")
        % {
            "units": format_quantity(Decimal(str(data.get("quantity", 0)))),
            "old": data.get("replaced", ""),
            "new": data.get("sku", ""),
        }
    ]
    difference = data.get("priceDifference")
    if difference is not None:
        notes.append(
            _("Price difference: %(amount)s %(currency)s")
            % {"amount": format_change(Decimal(str(difference))), "currency": currency}
        )
    return tuple(notes)
