"""The columns of a list: part of its address, and so of a saved view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

PARAMETER = "col"
# Parameters of the current page, not of the list.
_OF_THE_PAGE = (PARAMETER, "cursor", "done", "told")

# Optional columns in their order; all others are always shown.
OF_DESK: Mapping[str, Any] = {
    # The name stands in saved views.
    "promised": _("Captured"),
    "value": _("Value"),
    "customer": _("Customer"),
    "email": _("E-mail"),
    "proposed": _("Proposed"),
    "number": _("Order"),
    "ato": _("ATO now"),
    "assignee": _("Assignee"),
    "note": _("Note"),
}
OF_ORDERS: Mapping[str, Any] = {
    "site": _("Site"),
    "state": _("State"),
    "captured": _("Captured"),
    "customer": _("Customer"),
    "export": _("Export status"),
    "units": _("Units"),
    "short": _("Short"),
    "value": _("Value"),
}
_UNUSUAL = ("email", "export")
_UNUSUAL_OF_ORDERS = ("customer", *_UNUSUAL)


class ColumnsField(forms.MultipleChoiceField):
    """The columns named by an address; none means the default ones."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        super().__init__(choices=known.items, required=False)
        self.known = known

    def validate(self, value: Any) -> None:
        """Accept any value: unknown columns are ignored when read."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a page: `shown` by name, and all that can be chosen with their labels.

    A choice keeps the other parameters of the address, `kept`.
    """

    shown: frozenset[str]
    choices: Sequence[tuple[str, Any, bool]]
    kept: Sequence[tuple[str, str]]
    is_usual: bool


def columns_of(request: HttpRequest, known: Mapping[str, Any]) -> Columns:
    """Return the columns in the address of a list, by default the usual ones."""
    unusual = _UNUSUAL if known is OF_DESK else _UNUSUAL_OF_ORDERS
    usual = frozenset(name for name in known if name not in unusual)
    shown = frozenset(request.GET.getlist(PARAMETER)) & known.keys() or usual
    kept = [
        (name, value)
        for name, values in request.GET.lists()
        if name not in _OF_THE_PAGE
        for value in values
    ]
    return Columns(
        shown=shown,
        choices=[(name, label, name in shown) for name, label in known.items()],
        kept=kept,
        is_usual=shown == usual,
    )
