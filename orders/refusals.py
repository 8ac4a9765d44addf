"""Why something cannot be done to an order: codes, and sentences in the reader's language.

`orders.lifecycle` decides by the order's states. The functions below are for what a feature decides
by itself, as by items, lists and stock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models import ExportStatus, OrderItem, Resolution


class Action(StrEnum):
    """Actions of people and jobs on an order."""

    CANCEL = "cancel"  # the whole order
    CANCEL_SHORT = "cancel_short"  # its short items alone
    REPLACE = "replace"  # a short item
    ADJUST = "adjust"  # keep a part of a reservation, or move it
    GIVE_BACK = "give_back"  # a whole reservation document
    SETTLE_OUTSIDE = "settle_outside"
    REOPEN = "reopen"
    RESERVE = "reserve"  # ask OCI for a waiting order
    RESERVE_AGAIN = "reserve_again"  # ask OCI for what is short
    KEEP_PLACE = "keep_place"  # in the queue for arriving stock, until a date
    RELEASE = "release"  # at OCI, to finish a cancellation
    END_REVIEW = "end_review"
    HAND_OVER = "hand_over"  # order management takes it
    REPORT_EXPORT_FAILED = "report_export_failed"
    OFFER_AGAIN = "offer_again"  # to order management, after a failed export
    OFFER_NOW = "offer_now"  # to order management, before its moment or a decision
    HOLD = "hold"  # keep a short order from order management until somebody decides
    WITHDRAW = "withdraw"  # from order management: cancelling does it, nothing else


class Code(StrEnum):
    """Why an action is not open."""

    JUST_CAPTURED = "just_captured"
    BEING_CANCELLED = "being_cancelled"
    CANCELLED = "cancelled"
    FAILED = "failed"
    NOT_BEING_CANCELLED = "not_being_cancelled"
    WAITING = "waiting"
    ANSWERED = "answered"
    NOT_SHORT = "not_short"
    ALL_SHORT = "all_short"
    EXPORTED = "exported"
    EXPORT_STEP = "export_step"
    EXPORT_FAILED = "export_failed"
    OFFERED = "offered"
    SETTLED = "settled"
    SETTLED_OUTSIDE = "settled_outside"
    CANNOT_UNDO = "cannot_undo"
    NOT_SETTLED = "not_settled"
    IN_REVIEW = "in_review"
    NOT_IN_REVIEW = "not_in_review"
    REPLACING = "replacing"
    ADJUSTING = "adjusting"


_SENTENCES: Mapping[Code, Promise] = {
    Code.JUST_CAPTURED: gettext_lazy("The order was just captured. Try again in a moment."),
    Code.BEING_CANCELLED: gettext_lazy("The order is being cancelled."),
    Code.CANCELLED: gettext_lazy("The order is cancelled."),
    Code.FAILED: gettext_lazy("The order has failed."),
    Code.NOT_BEING_CANCELLED: gettext_lazy("The order is not being cancelled."),
    Code.WAITING: gettext_lazy(
        "The order is waiting for its reservation. The short units are not known yet."
    ),
    Code.ANSWERED: gettext_lazy("OCI has already answered for the order."),
    Code.NOT_SHORT: gettext_lazy("No item of the order is short."),
    Code.ALL_SHORT: gettext_lazy("No item of the order is reserved. Cancel the whole order."),
    Code.EXPORTED: gettext_lazy("Order management has taken the order. Change it there."),
    Code.EXPORT_STEP: gettext_lazy("The export status cannot go from %(before)s to %(after)s."),
    Code.EXPORT_FAILED: gettext_lazy(
        "Order management could not take the order. Resubmit it instead."
    ),
    Code.OFFERED: gettext_lazy("Order management may already take the order."),
    Code.SETTLED: gettext_lazy("The order was settled as “%(how)s” by %(who)s."),
    Code.SETTLED_OUTSIDE: gettext_lazy("The order was settled outside. Open it again first."),
    Code.CANNOT_UNDO: gettext_lazy("The order was settled as “%(how)s”. That cannot be undone."),
    Code.NOT_SETTLED: gettext_lazy("The order is open. There is nothing to undo."),
    Code.IN_REVIEW: gettext_lazy("The order needs review. End the review first."),
    Code.NOT_IN_REVIEW: gettext_lazy("The order does not need review."),
    Code.REPLACING: gettext_lazy(
        "A replacement is being reserved for the order. Try again when that has finished."
    ),
    Code.ADJUSTING: gettext_lazy(
        "A reservation of the order is being adjusted. Try again when that has finished."
    ),
}
_NOTHING_COUNTED = gettext_lazy(
    "The order is waiting for its reservation. There is nothing to give back yet."
)
_MAY_BE_SHIPPING = gettext_lazy(
    "Order management has taken the order and may be shipping the reserved items."
)
_EXPORT_LATER = gettext_lazy(
    "The order is waiting for its reservation. It can be exported after that."
)
# Where an action has more to say.
_SENTENCES_OF_ACTIONS: Mapping[tuple[Action, Code], Promise] = {
    (Action.CANCEL, Code.FAILED): gettext_lazy(
        "The order has failed. Units still held for it are given back automatically; there is"
        " nothing to cancel."
    ),
    (Action.CANCEL, Code.EXPORTED): gettext_lazy(
        "Order management has taken the order. Cancel it there, so that it is not shipped."
    ),
    (Action.REOPEN, Code.EXPORTED): gettext_lazy(
        "Order management has taken the order without the cancelled items. Change it there."
    ),
    (Action.ADJUST, Code.WAITING): _NOTHING_COUNTED,
    (Action.GIVE_BACK, Code.WAITING): _NOTHING_COUNTED,
    (Action.ADJUST, Code.EXPORTED): _MAY_BE_SHIPPING,
    (Action.GIVE_BACK, Code.EXPORTED): _MAY_BE_SHIPPING,
    (Action.HAND_OVER, Code.WAITING): _EXPORT_LATER,
    (Action.REPORT_EXPORT_FAILED, Code.WAITING): _EXPORT_LATER,
    (Action.OFFER_AGAIN, Code.WAITING): _EXPORT_LATER,
    (Action.WITHDRAW, Code.WAITING): _EXPORT_LATER,
    (Action.OFFER_NOW, Code.WAITING): _EXPORT_LATER,
    (Action.HOLD, Code.WAITING): _EXPORT_LATER,
    (Action.HAND_OVER, Code.REPLACING): gettext_lazy(
        "An item of the order is being replaced. Try again in a moment."
    ),
    (Action.HAND_OVER, Code.ADJUSTING): gettext_lazy(
        "A reservation of the order is being adjusted. Try again in a moment."
    ),
}
# Where nobody is known who did it.
_BY_NOBODY = gettext_lazy("The order was settled as “%(how)s”.")
EXPORT_ACTIONS: Mapping[ExportStatus, Action] = {
    ExportStatus.EXPORTED: Action.HAND_OVER,
    ExportStatus.FAILED: Action.REPORT_EXPORT_FAILED,
    ExportStatus.READY: Action.OFFER_AGAIN,
    ExportStatus.NOT_EXPORTED: Action.WITHDRAW,
}
_EXPORT_STATUS_AFTER = {action: status for status, action in EXPORT_ACTIONS.items()}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an action is not open to an order; `is_done` if the order is already as it would be."""

    action: Action
    code: Code
    is_done: bool
    resolution: str
    resolution_by: str
    export_status: str

    @property
    def sentence(self) -> str:
        """The reason, in the language that is active when it is read."""
        words = _SENTENCES_OF_ACTIONS.get((self.action, self.code), _SENTENCES[self.code])
        if self.code == Code.SETTLED and not self.resolution_by:
            words = _BY_NOBODY
        return str(words) % {
            "how": Resolution(self.resolution).label,
            "who": self.resolution_by,
            "before": self.export_status,
            "after": _EXPORT_STATUS_AFTER.get(self.action, ""),
        }


def moved_on() -> str:
    """The order was changed first by another person or process."""
    return _("This order just changed or is being reserved. Reload it and try again.")


def short_differs(item: OrderItem, wanted: Decimal) -> str:
    """The short units of an item differ from the `wanted` ones."""
    words = _("The order has changed: %(short)s of %(sku)s are short now, not %(wanted)s.")
    return words % {
        "short": f"{item.open_quantity.normalize():f}",
        "sku": item.sku,
        "wanted": f"{wanted.normalize():f}",
    }


def not_in_list(inventory_list_id: str, sku: str) -> str:
    """The inventory list does not know a SKU."""
    words = {"list": inventory_list_id, "sku": sku}
    return _("The inventory list %(list)s does not know %(sku)s.") % words


def promised_to_older(sku: str, *, units: Decimal) -> str:
    """Say that older short orders come first for what there is of a SKU."""
    words = _(
        "%(units)s of %(sku)s are promised to older short orders. Decide on these first, or choose"
        " another SKU."
    )
    return words % {"sku": sku, "units": f"{units.normalize():f}"}


def not_enough(sku: str, *, available: Decimal, needed: Decimal) -> str:
    """Less of a SKU is available to order than needed."""
    words = _("%(available)s of %(sku)s are available to order, and %(needed)s are needed.")
    return words % {
        "sku": sku,
        "available": f"{available.normalize():f}",
        "needed": f"{needed.normalize():f}",
    }


def short_itself(sku: str) -> str:
    """The order is short of the replacement SKU itself."""
    return _("The order is short of %(sku)s itself.") % {"sku": sku}


def has_parts(sku: str) -> str:
    """A bundle can't be replaced as a whole."""
    words = _(
        "%(sku)s is a bundle, and its parts are reserved one by one. Replace the part that is"
        " short, or cancel the order."
    )
    return words % {"sku": sku}


def figure_lags(sku: str) -> str:
    """OCI's figure of a SKU is older than its reservation for the order."""
    words = _(
        "OCI's figure of %(sku)s does not count this order's earlier units yet. Try again in a"
        " minute."
    )
    return words % {"sku": sku}


def waited_for(sku: str) -> str:
    """Orders that wait for their reservation are served first."""
    return _("Other orders wait for %(sku)s. They are served first.") % {"sku": sku}


def answer_not_counted() -> str:
    """OCI may hold more for an order than has been counted."""
    return _(
        "A reconciliation has asked OCI for the short units, and the answer is not counted yet."
        " Try again in a minute."
    )
