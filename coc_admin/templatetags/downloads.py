"""The links to a table as a download: the reader's own form, and a menu of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _

from coc_admin.console.downloads import PER_SITE, preferred_form
from orders.tables import Form

register = template.Library()

# Of the page that is shown, not of the list.
_OF_THE_PAGE = ("cursor", "page")


@dataclass(frozen=True, slots=True)
class Link:
    """One form of a download."""

    label: str
    url: str
    hint: str


def _hints() -> dict[Form, str]:
    return {
        Form.XLSX: _("Real dates and amounts, filters; leading zeros stay."),
        Form.CSV_LOCAL: _("Separators, decimals, dates and headings of your language."),
        Form.CSV: _("Field names, decimal points, times in UTC; the same for everyone."),
    }


@register.inclusion_tag("includes/downloads.html", takes_context=True)
def downloads(
    context: dict[str, Any], what: str, name: str, *args: Any, per_site: str = ""
) -> dict[str, Any]:
    """Offer the list of this page, or `args`, in each form at the address `name`.

    `what` completes the name of the links. `per_site` is the label of one file for each.
    """
    request = context["request"]
    own = preferred_form(request)
    query = request.GET.copy()
    for member in _OF_THE_PAGE:
        query.pop(member, None)
    hints, text = _hints(), query.urlencode()

    def address(form: Form, *more: str) -> str:
        parts = "&".join(part for part in (text, *more) if part)
        return reverse(name, args=[*args, form.value]) + (f"?{parts}" if parts else "")

    forms = sorted(Form, key=lambda form: form != own)
    links = [Link(str(form.label), address(form), hints[form]) for form in forms]
    apart = address(own, f"{PER_SITE}=1") if per_site else ""
    return {"what": what, "own": links[0], "others": links[1:], "apart": apart, "per": per_site}
