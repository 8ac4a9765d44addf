"""The effects of item remedies, in words for the history of an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from coc_admin.console.formats import format_change, format_day, format_money, format_quantity
from orders.models import AskAnswer, EventKind, OrderEvent, OrderItem

_MOST_ITEMS = 5
_OF_ADJUSTMENTS = (
    EventKind.ADJUSTMENT_BEGUN,
    EventKind.ADJUSTMENT_DONE,
    EventKind.ADJUSTMENT_REFUSED,
)
_OF_REPLACEMENTS = (EventKind.REPLACING, EventKind.REPLACED, EventKind.NOT_REPLACED)


def notes_of(
    event: OrderEvent, items: Mapping[str, OrderItem], *, currency: str
) -> tuple[str, ...]:
    """Return details of the event besides title and reason; `items` are by primary key as text."""
    if event.kind == EventKind.ITEMS_CANCELLED:
        return (_units(event.data.get("cancelled", {}), items),)
    if event.kind in _OF_REPLACEMENTS:
        return _replacement(event.data, currency)
    if event.kind == EventKind.GIVEN_BACK:
        return (_units(event.data.get("released", {}), items),)
    if event.kind in _OF_ADJUSTMENTS:
        return kept_words(event.data.get("lines", ()))
    if event.kind == EventKind.ASKED:
        return _offer(event.data, currency)
    if event.kind == EventKind.ASK_ENDED and event.data.get("answer") in AskAnswer.values:
        return (str(AskAnswer(event.data["answer"]).label),)
    return ()


def kept_words(lines: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Describe the effect on each line of an adjusted document, at most five lines."""
    notes = []
    for line in lines:
        kept, held = Decimal(str(line["kept"])), Decimal(str(line["held"]))
        values = {
            "kept": format_quantity(kept),
            "held": format_quantity(held),
            "sku": line["sku"],
            "list": line["inventoryListId"],
            "to": line["toListId"],
        }
        if not kept:
            notes.append(_("%(held)s × %(sku)s of %(list)s released") % values)
        elif line["toListId"] != line["inventoryListId"]:
            words = _("%(kept)s of %(held)s × %(sku)s moved from %(list)s to %(to)s")
            notes.append(words % values)
        elif kept < held:
            notes.append(_("%(kept)s of %(held)s × %(sku)s kept in %(list)s") % values)
    if len(notes) > _MOST_ITEMS:
        more = len(notes) - _MOST_ITEMS
        notes = [*notes[:_MOST_ITEMS], _("and %(more)d more") % {"more": more}]
    return tuple(notes)


def _units(units_by_item: Mapping[str, Any], items: Mapping[str, OrderItem]) -> str:
    words = [
        f"{format_quantity(Decimal(str(units)))} × {items[pk].sku}"
        for pk, units in units_by_item.items()
        if pk in items
    ]
    more = len(words) - _MOST_ITEMS
    shown = "; ".join(words[:_MOST_ITEMS])
    if more > 0:
        return _("%(items)s; and %(more)d more") % {"items": shown, "more": more}
    return shown


def _replacement(data: Mapping[str, Any], currency: str) -> tuple[str, ...]:
    notes = [
        _("%(new)s instead of %(units)s × %(old)s")
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


def _offer(data: Mapping[str, Any], currency: str) -> tuple[str, ...]:
    if "lastDay" in data:
        day = format_day(date.fromisoformat(data["lastDay"]))
        return (_("Offered: delivery by %(day)s") % {"day": day},)
    units = format_quantity(Decimal(str(data.get("quantity") or 0)))
    values = {"units": units, "old": data.get("replaced", ""), "new": data.get("sku", "")}
    notes = [_("Offered: %(new)s instead of %(units)s × %(old)s") % values]
    if data.get("unitPrice") is not None:
        price = format_money(Decimal(str(data["unitPrice"])), currency)
        notes.append(_("at %(price)s each") % {"price": price})
    return tuple(notes)
