"""What the placeholders of a message to a customer stand for, in the active language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from orders.fields import ZERO
from orders.models import Order, OrderItem, OrderStatus
from orders.units import to_deliver_of

LONGEST_BODY = 10_000
# There are three lists to choose from, and the text around them.
_LONGEST_LIST = LONGEST_BODY // 4


def values_of(
    order: Order, known: Iterable[OrderItem] | None = None, *, longest_list: int = _LONGEST_LIST
) -> dict[str, str]:
    """Return the value of each placeholder that every message has.

    `known` are the order's items, read if None. A list is at most `longest_list` characters long.
    """
    if known is None:
        known = OrderItem.objects.filter(order=order).select_related("replaces", "parent")
    items = list(known)
    items.sort(key=lambda item: item.position)
    gone = order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED)
    delivered = [] if gone else _lines(items, to_deliver_of)
    return {
        "orderNo": order.order_no,
        "siteName": order.site.name or order.site_id,
        "customerName": str(order.customer.get("customerName") or "")
        or pgettext("of unknown name, after Dear", "customer"),
        "orderTotal": amount_text(order.order_total, order.currency),
        "items": _listed(delivered, longest_list),
        "cancelledItems": _listed(_lines(items, _ordered if gone else _dropped), longest_list),
        "replacements": _listed([_instead(i) for i in items if _stands_in(i)], longest_list),
    }


def amount_text(amount: Decimal, currency: str) -> str:
    """Return an amount with two decimals and its currency."""
    number = number_format(round(amount, 2), 2, use_l10n=True, force_grouping=True)
    return f"{number} {currency}"


def units_text(units: Decimal) -> str:
    """Return units without zeros at the end."""
    return str(number_format(Decimal(f"{units.normalize():f}"), use_l10n=True))


def _ordered(item: OrderItem) -> Decimal:
    """Return the ordered units of a line; bundles count for parts, items for their replacements."""
    was_ordered = item.parent_id is None and item.replaces_id is None
    return item.ordered_quantity if was_ordered else ZERO


def _dropped(item: OrderItem) -> Decimal:
    dropped: Decimal = item.cancelled_quantity
    return dropped


def _stands_in(item: OrderItem) -> bool:
    return item.replaces is not None and to_deliver_of(item) > 0


def _lines(items: Iterable[OrderItem], units_of: Callable[[OrderItem], Decimal]) -> list[str]:
    return [_line(item, units) for item in items if (units := units_of(item)) > 0]


def _listed(lines: Sequence[str], longest: int) -> str:
    """Return lines below each other, as many as fit a message; the last one counts the rest."""
    length, shown = 0, list(lines)
    for number, line in enumerate(lines):
        length += len(line) + 1
        if length > longest:
            left = len(lines) - number
            words = ngettext("… and %(number)s more", "… and %(number)s more", left)
            shown[number:] = [words % {"number": number_format(left, use_l10n=True)}]
            break
    return "\n".join(shown) or "–"


def _line(item: OrderItem, units: Decimal) -> str:
    name = item.product_name or item.sku
    if item.parent is not None:
        name = f"{name} ({item.parent.product_name or item.parent.sku})"
    return f"{units_text(units)} × {name}"


def _instead(item: OrderItem) -> str:
    old = item.replaces
    name = "" if old is None else old.product_name or old.sku
    line = _line(item, to_deliver_of(item))
    return _("%(line)s (instead of %(name)s)") % {"line": line, "name": name}
