"""Why OCI's figures differ from ours, in words."""

from __future__ import annotations

from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from coc_admin.console.formats import format_quantity
from reconciliation.stock_mirror.comparison import Cause, Difference

_WORDS: dict[Cause, Promise] = {
    Cause.NO_FIGURE: _("OCI returned no figure for this SKU in this list."),
    Cause.UNCOUNTED: _("No figure is known yet. The SKU is sold without counting."),
    Cause.WAITING: _("%(units)s held for waiting orders: OCI does not know of them yet."),
    Cause.RESERVED_FOR_US: _(
        "%(units)s fewer at OCI because it has reserved them for our orders since our snapshot."
    ),
    Cause.ANSWERED: _(
        "%(units)s still held for orders that OCI has answered. The next snapshot drops them."
    ),
    Cause.FEWER: _(
        "%(units)s fewer at OCI for other reasons: sold by other channels, or corrected."
    ),
    Cause.MORE: _("%(units)s more at OCI: stock arrived or was given back."),
}


def reasons_of(difference: Difference) -> list[str]:
    """Return why the figures of a SKU differ, in plain words; empty if they do not."""
    return [_in_words(cause, units) for cause, units in difference.causes]


def _in_words(cause: Cause, units: Decimal) -> str:
    return str(_WORDS[cause]) % {"units": format_quantity(units)}
