"""The heads of a list that sort it."""

from __future__ import annotations

from typing import Any

from django import template

from coc_admin.console.sorting import Heads

register = template.Library()

# Of the page that is shown, not of the list.
_OF_THE_PAGE = ("cursor", "done", "told")


@register.inclusion_tag("includes/sort_head.html", takes_context=True)
def sort_head(context: dict[str, Any], name: str, label: str, css: str = "") -> dict[str, Any]:
    """Show the head of the column `name` of the page's `heads`, as a link that sorts by it.

    The filters and an open panel stay; the list restarts at its first page.
    """
    heads: Heads = context["heads"]
    column = heads.columns[name]
    turned = column.next(heads.sort)
    query = context["request"].GET.copy()
    for member in _OF_THE_PAGE:
        query.pop(member, None)
    query["sort"] = turned
    return {
        "label": label,
        "css": css,
        "direction": column.direction(heads.sort),
        "address": f"?{query.urlencode()}",
        "turned": heads.words[turned],
    }
