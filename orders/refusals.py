"""Sentences that several refusals share, in the language of whoever asked."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from orders.models import Order, OrderItem, OrderStatus


def moved_on() -> str:
    """Say that somebody was faster."""
    return _("The order is being reserved just now, or somebody has changed it; look at it again.")


def being_replaced() -> str:
    """Say that an item of the order is being replaced."""
    return _("A replacement for an item of the order is being reserved; wait for its end.")


def being_adjusted() -> str:
    """Say that the reservation of the order is being adjusted."""
    return _("A reservation of the order is being adjusted; wait for its end.")


def not_accepted(order: Order) -> str:
    """Say that `order` is none that stands."""
    if order.status == OrderStatus.CREATED:
        return _("The order has only just been captured.")
    if order.status == OrderStatus.CANCELLING:
        return _("The order is being cancelled.")
    if order.status == OrderStatus.CANCELLED:
        return _("The order is cancelled.")
    return _("The order has failed.")


def settled_already(order: Order) -> str:
    """Say how `order` was settled, and by whom."""
    words = {"how": order.get_resolution_display(), "who": order.resolution_by}
    if order.resolution_by:
        return _("The order was settled as “%(how)s” by %(who)s.") % words
    return _("The order was settled as “%(how)s”.") % words


def short_differs(item: OrderItem, wanted: Decimal) -> str:
    """Say that not `wanted` units of an item are short, as was thought."""
    words = _("The order has moved on: %(short)s of %(sku)s are short now, not %(wanted)s.")
    return words % {
        "short": f"{item.open_quantity.normalize():f}",
        "sku": item.sku,
        "wanted": f"{wanted.normalize():f}",
    }


def not_in_list(inventory_list_id: str, sku: str) -> str:
    """Say that the inventory list does not know a SKU."""
    words = {"list": inventory_list_id, "sku": sku}
    return _("The inventory list %(list)s does not know %(sku)s.") % words


def not_enough(sku: str, *, available: Decimal, needed: Decimal) -> str:
    """Say that less of a SKU is available to order than is needed."""
    words = _("Of %(sku)s %(available)s are available to order; %(needed)s are needed.")
    return words % {
        "sku": sku,
        "available": f"{available.normalize():f}",
        "needed": f"{needed.normalize():f}",
    }


def short_itself(sku: str) -> str:
    """Say that an order is short of what should replace something."""
    return _("The order is short of %(sku)s itself.") % {"sku": sku}


def has_parts(sku: str) -> str:
    """Say that a bundle cannot be replaced as such."""
    words = _(
        "%(sku)s is a bundle, and its parts are reserved one by one. Replace a part that is short,"
        " or cancel the order."
    )
    return words % {"sku": sku}


def figure_lags(sku: str) -> str:
    """Say that OCI's figure of a SKU is older than what it holds of it for the order."""
    words = _(
        "OCI's figure of %(sku)s does not count this order's earlier units yet; try again in a"
        " minute."
    )
    return words % {"sku": sku}


def waited_for(sku: str) -> str:
    """Say that orders which wait for their reservation are served first."""
    return _("Orders wait for %(sku)s; they are served first.") % {"sku": sku}


def answer_not_counted() -> str:
    """Say that OCI may hold more for an order than it knows of."""
    return _(
        "A reconciliation has asked OCI for what is short, and its answer is not counted yet; try"
        " again in a minute."
    )
