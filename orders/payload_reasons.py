"""Why an order from outside is refused, by code; see `orders.reasons`.

The API answers with the English sentences; pages show them in the reader's language.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from orders.reasons import Reason, join, register, say

__all__ = ["Reason", "join", "say", "why"]

register(
    {
        # The text of an order.
        "body_too_long": _("An order has at most %(number)s bytes."),
        "body_no_object": _("The body must be a JSON object."),
        "body_no_json": _("The body is not JSON: %(fault)s."),
        "body_number_range": _("The body is not JSON: the number %(text)s is out of range."),
        "body_no_number": _("The body is not JSON: %(text)s is not a number."),
        "body_member_twice": _("The body is not JSON: the member %(name)s is given twice."),
        "body_no_utf8": _("The body is not UTF-8."),
        "body_too_deep": _("The JSON is nested too deeply: at most %(levels)s levels."),
        # One member of an order; the path of the member stands before it.
        "required": _("is required"),
        "most_items": _("at most %(number)s items"),
        "most_characters": _("at most %(number)s characters"),
        "least_items": _("at least %(number)s items"),
        "least_characters": _("at least %(number)s characters"),
        "use_text": _("use text"),
        "use_number": _("use a number"),
        "use_list": _("use a list"),
        "use_object": _("use an object"),
        "empty": _("must not be empty"),
        "number_out_of_range": _("the number %(text)s is out of range"),
        "use_currency": _("use a currency code of three capital letters"),
        "use_sku": _("use 1 to 250 characters without spaces and \\ < > ; % /"),
        "no_outer_space": _("no space at the beginning or end"),
        "controls": _("control characters are not allowed:"),
        "more_than_zero": _("must be more than 0"),
        "not_negative": _("must not be negative"),
        "at_most": _("must be at most %(number)s"),
        "three_decimals": _("at most 3 decimals"),
        "not_standing": _("the order is %(status)s already"),
        "given_twice": _("is given twice"),
        "list_not_permitted": _("is not an inventory list that the site may sell from"),
        "items_with_parts": _(
            "at most %(number)s items, with the parts of bundles and the options"
        ),
        "bundles_too_deep": _("bundles are read %(levels)s deep at most"),
        "with_bundles_most": _("with %(bundles)s bundles: at most %(number)s"),
        "with_bundles_decimals": _("with %(bundles)s bundles: at most 3 decimals"),
        "and_more": _("(%(number)s more)"),
        # Names that look like others.
        "name_two_spaces": _("two spaces in a row look like one:"),
        "name_unseen": _("a character that cannot be seen is not allowed:"),
        "name_composed": _("use Unicode's composed form (NFC):"),
        "name_character": _("character %(number)s is %(name)s"),
        # What capture says of an order.
        "not_enough": _("Not enough stock of %(skus)s."),
        "not_enough_and_more": _("Not enough stock of %(skus)s and more."),
        "number_taken": _(
            "Order %(order)s exists with other content; nothing was changed. Use a new number."
        ),
        "being_placed": _("Order %(order)s is being placed. Send it again in a moment."),
        "refused_before": _(
            "Order %(order)s was refused before, and the refusal is final. Use a new number."
        ),
        "unknown_skus": _("Not in the inventory list: %(skus)s."),
    }
)


def why(error: Exception) -> str:
    """Return what an exception says, with its codes if it has them: `str()` would lose them."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Reason) else str(error)
