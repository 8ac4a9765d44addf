"""Why OCI's figures differ from ours, in words."""

from __future__ import annotations

from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from coc_admin.console.formats import format_quantity
from reconciliation.stock_mirror.comparison import Cause, Difference

_WORDS: dict[Cause, Promise] = {
    Cause.NO_FIGURE: _("OCI does not tell a figure of this SKU in this list."),
    Cause.UNCOUNTED: _("We have had no figure of it yet; it is sold uncounted."),
    Cause.WAITING: _("%(units)s held for orders that wait: OCI does not know of them yet."),
    Cause.RESERVED_FOR_US: _(
        "%(units)s fewer at OCI because it has reserved them for our orders since our snapshot."
    ),
    Cause.ANSWERED: _(
        "%(units)s still held for orders that OCI has answered; the next snapshot drops them."
    ),
    Cause.FEWER: _(
        "%(units)s fewer at OCI for other reasons: sold by other channels, or corrected."
    ),
    Cause.MORE: _("%(units)s more at OCI: stock came in, or was given back."),
}


def reasons_of(difference: Difference) -> list[str]:
    """Return why the figures of a SKU differ, in plain words; none if they do not."""
    return [_in_words(cause, units) for cause, units in difference.causes]


def _in_words(cause: Cause, units: Decimal) -> str:
    return str(_WORDS[cause]) % {"units": format_quantity(units)}
