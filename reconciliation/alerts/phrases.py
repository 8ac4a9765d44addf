"""Words and figures of the alerts, in the language that is active."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from reconciliation.models import EntryState
from reconciliation.runs.status import Waiting


def moment(at: datetime) -> str:
    """Return a moment in words, in UTC; the exact values are the alert's own."""
    utc = at.astimezone(UTC)
    day = date_format(utc, pgettext("format of a day", "j M Y"), use_l10n=False)
    return f"{day}, {utc:%H:%M} UTC"


def figure(number: int | Decimal) -> str:
    """Return a number as it is written: `1,234`, `2.5`."""
    exact = Decimal(number).normalize()
    return str(number_format(Decimal(f"{exact:f}"), use_l10n=True, force_grouping=True))


def at_stake(waiting: Waiting) -> str:
    """Return what waits as a sentence: orders, units, and value by currency."""
    if not waiting.orders:
        return _("No order waits.")
    units = ngettext("%(units)s unit", "%(units)s units", 1 if waiting.units == 1 else 2)
    words = ngettext(
        "%(number)s order with %(units)s waits, worth %(value)s.",
        "%(number)s orders with %(units)s wait, worth %(value)s.",
        waiting.orders,
    )
    worth = [
        f"{number_format(round(amount, 2), 2, use_l10n=True, force_grouping=True)} {code}"
        for code, amount in waiting.value.items()
    ]
    return words % {
        "number": figure(waiting.orders),
        "units": units % {"units": figure(waiting.units)},
        "value": get_text_list(worth, _("and")),
    }


def outcomes(counts: Mapping[EntryState, int]) -> str:
    """Return a run's counts as words, those without an order left out."""
    words = [f"{figure(counts[state])} {state.label}" for state in EntryState if counts.get(state)]
    return ", ".join(words) or _("no orders")
