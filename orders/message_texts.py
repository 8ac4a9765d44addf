"""The texts that we ship for messages to customers, and the placeholders that texts may have."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, gettext_noop

from orders.models import MessageKind

# Name, and what it stands for.
PLACEHOLDERS: Mapping[str, Promise] = {
    "orderNo": gettext_lazy("the number of the order"),
    "siteName": gettext_lazy("the name of the site"),
    "customerName": gettext_lazy("the customer's name, or “customer”"),
    "orderTotal": gettext_lazy("the value of the order as placed, with its currency"),
    "items": gettext_lazy("what is delivered, one item a line"),
    "cancelledItems": gettext_lazy("what is not delivered, one item a line"),
    "replacements": gettext_lazy("what is delivered instead, one item a line"),
    "offer": gettext_lazy("what the customer is asked, in a question to the customer"),
    "product": gettext_lazy("what is short, in a question to the customer"),
    "offeredProduct": gettext_lazy("what is offered instead, in a question to the customer"),
    "deadline": gettext_lazy("until when to answer, in a question to the customer"),
}
# In English; the catalogue has them in every other language that we ship.
SHIPPED: Mapping[MessageKind, tuple[str, str]] = {
    MessageKind.CANCELLED: (
        gettext_noop("Your order {orderNo} was cancelled"),
        gettext_noop(
            "Dear {customerName},\n\nWe are sorry: your order {orderNo} could not be fulfilled, and"
            " we have cancelled it. You will not be charged for it.\n\nKind regards\n{siteName}\n"
        ),
    ),
    MessageKind.SHORT_CANCELLED: (
        gettext_noop("Part of your order {orderNo} was cancelled"),
        gettext_noop(
            "Dear {customerName},\n\nWe are sorry: we cannot deliver these items of your order"
            " {orderNo}:\n\n{cancelledItems}\n\nYou will not be charged for them. Everything else"
            " is on its way:\n\n{items}\n\nKind regards\n{siteName}\n"
        ),
    ),
    MessageKind.REPLACED: (
        gettext_noop("A change to your order {orderNo}"),
        gettext_noop(
            "Dear {customerName},\n\nSome of what you ordered is no longer available. We have set"
            " something similar aside for you:\n\n{replacements}\n\nIf you would rather not have"
            " it, please let us know.\n\nKind regards\n{siteName}\n"
        ),
    ),
    MessageKind.CHANGED: (
        gettext_noop("A change to your order {orderNo}"),
        gettext_noop(
            "Dear {customerName},\n\nSome of what you ordered is no longer available. We have set"
            " something similar aside for you:\n\n{replacements}\n\nWe are sorry: we cannot"
            " deliver these items, and you will not be charged for them:\n\n{cancelledItems}"
            "\n\nYou will get:\n\n{items}\n\nIf you would rather not have the replacement, please"
            " let us know.\n\nKind regards\n{siteName}\n"
        ),
    ),
    MessageKind.RESERVED_AGAIN: (
        gettext_noop("Your order {orderNo} is complete"),
        gettext_noop(
            "Dear {customerName},\n\nEvery item of your order {orderNo} is now set aside for you:"
            "\n\n{items}\n\nKind regards\n{siteName}\n"
        ),
    ),
    MessageKind.SETTLED_OUTSIDE: (
        gettext_noop("Your order {orderNo} is on its way"),
        gettext_noop(
            "Dear {customerName},\n\nYour order {orderNo} will be delivered as you placed it. There"
            " is nothing you need to do.\n\nKind regards\n{siteName}\n"
        ),
    ),
    MessageKind.ASK: (
        gettext_noop("A question about your order {orderNo}"),
        gettext_noop(
            "Dear {customerName},\n\n"
            "We are sorry: part of your order {orderNo} is not available at the moment. We can"
            " offer you:\n\n"
            "{offer}\n\n"
            "The offer is valid while stocks last. Nothing is set aside for you yet. Please reply"
            " by {deadline} and tell us whether you would like it.\n\n"
            "Kind regards\n"
            "{siteName}\n"
        ),
    ),
}
