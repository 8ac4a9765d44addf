"""The units to keep of a reservation document, line by line, and their validation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from orders.fields import ZERO
from orders.give_back import shares
from orders.ledger import Key
from orders.models import OrderItem


@dataclass(frozen=True, slots=True, order=True)
class Keep:
    """The plan for `held` units of one SKU of one list: keep `units` in `to_list`."""

    list_id: str
    sku: str
    held: Decimal
    units: Decimal
    to_list: str

    @property
    def key(self) -> Key:
        """Where the units are held now."""
        return (self.list_id, self.sku)

    @property
    def moves(self) -> bool:
        """Whether units are kept in another list."""
        return self.units > 0 and self.to_list != self.list_id


def kept_of(keeps: Iterable[Keep]) -> dict[Key, Decimal]:
    """Return the quantities to reserve again, by list and SKU."""
    kept: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for one in keeps:
        if one.units > 0:
            kept[(one.to_list, one.sku)] += one.units
    return dict(kept)


def lines_refusal(items: Sequence[OrderItem], keeps: Sequence[Keep]) -> str:
    """Return why this is not valid for an order with these items, or None; no query."""
    for one in keeps:
        if not 0 <= one.units <= one.held:
            words = _("Keep 0 to %(held)s units of %(sku)s.")
            return words % {"sku": one.sku, "held": f"{one.held.normalize():f}"}
    if not any(one.units < one.held or one.moves for one in keeps):
        return _("Nothing would change: everything is kept where it is.")
    if not any(one.units for one in keeps):
        return _("Nothing would be kept. Give the whole document back instead.")
    for one in keeps:
        mine = (item for item in items if (item.inventory_list_id, item.sku) == one.key)
        reserved = sum((item.reserved_quantity for item in mine), ZERO)
        if one.moves and reserved > one.held:
            words = _(
                "Another reservation document holds %(more)s more of %(sku)s in %(list)s for this"
                " order, and an item is delivered from one list. Give the other document back"
                " first; its units are short then and can be reserved in the new list."
            )
            more = f"{(reserved - one.held).normalize():f}"
            return words % {"more": more, "sku": one.sku, "list": one.list_id}
    return ""


def given_up(
    items: Sequence[OrderItem], keeps: Sequence[Keep], *, replacements_first: bool = False
) -> dict[int, Decimal]:
    """Return the reserved units that each item (primary key) loses.

    Raises orders.errors.CannotAdjust if the items have less reserved than the document holds.
    """
    shares(items, {one.key: one.held for one in keeps}, replacements_first=replacements_first)
    less = {one.key: one.held - one.units for one in keeps if one.units < one.held}
    return shares(items, less, replacements_first=replacements_first)
