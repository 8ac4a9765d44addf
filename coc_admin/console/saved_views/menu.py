"""The menu of saved views beside a list, and missing objects in an opened view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from coc_admin import saved_views
from coc_admin.console.access import person_of
from coc_admin.console.columns import PARAMETER as PARAMETER_OF_COLUMNS
from coc_admin.console.columns import ColumnsField
from coc_admin.console.desk.filters import DeskFilterForm
from coc_admin.console.forms import OrderFilterForm
from coc_admin.models import SavedView
from orders.models import InventoryRecord, OrderItem

PARAMETER = "view"
FIRST = "first"
_FORMS: Mapping[str, type[forms.Form]] = {
    SavedView.List.DESK: DeskFilterForm,
    SavedView.List.DESK_SKUS: DeskFilterForm,
    SavedView.List.ORDERS: OrderFilterForm,
}
# Not stored: they name customers, so a copy here would survive an erasure; `q` may be a SKU.
_OF_CUSTOMERS = ("customer", "q")


@dataclass(frozen=True, slots=True)
class Kept:
    """The part of an address that a view stores, and whether a customer search was left out."""

    query: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Menu:
    """The views of a list with their addresses; the open one, and what its filter has lost."""

    listing: str
    views: list[tuple[SavedView, str]]
    current: SavedView | None
    query: str
    gone: list[str]

    @property
    def is_changed(self) -> bool:
        """Whether the list differs from the open view."""
        return self.current is not None and self.current.query != self.query


def kept_of(listing: str, given: QueryDict) -> Kept:
    """Return the parameters of `given` that a view of `listing` stores, in the form's order."""
    kept, is_cut = QueryDict(mutable=True), False
    for name, field in _FORMS[listing].base_fields.items():
        if isinstance(field, ColumnsField):
            _keep_columns(kept, given, field)
            continue
        value = given.get(name, "").strip()
        if not value or name == "cursor":
            continue
        if name in _OF_CUSTOMERS and (name == "customer" or not _is_sku(value)):
            is_cut = True
            continue
        kept[name] = value
    return Kept(kept.urlencode(), is_cut)


def _keep_columns(kept: QueryDict, given: QueryDict, field: ColumnsField) -> None:
    chosen = set(given.getlist(PARAMETER_OF_COLUMNS))
    names = [name for name in field.known if name in chosen]
    if names:
        kept.setlist(PARAMETER_OF_COLUMNS, names)


def address_of(view: SavedView) -> str:
    """Return the address that opens a view."""
    query = QueryDict(view.query, mutable=True)
    query[PARAMETER] = str(view.pk)
    return f"{reverse(view.listing)}?{query.urlencode()}"


def first_view(request: HttpRequest, listing: str) -> HttpResponse | None:
    """Return the address of the person's first view from the navigation, or else of the whole list.

    None for an address with other parameters.
    """
    if request.GET.dict() != {PARAMETER: FIRST}:
        return None
    view = saved_views.first_of(person_of(request), listing)
    return redirect(address_of(view) if view else reverse(listing))


def menu_of(request: HttpRequest, listing: str, form: forms.Form) -> Menu:
    """Return the menu of the list that `form` filters."""
    views = saved_views.views_of(person_of(request), listing)
    opened = request.GET.get(PARAMETER, "")
    current = next((view for view in views if str(view.pk) == opened), None)
    return Menu(
        listing=listing,
        views=[(view, address_of(view)) for view in views],
        current=current,
        query=kept_of(listing, request.GET).query,
        gone=_gone(form) if current else [],
    )


def _gone(form: forms.Form) -> list[str]:
    """Return a sentence for each filter with a value that no longer exists."""
    asked: Mapping[str, str] = {
        name: form.data.get(name, "").strip()
        for name in form.fields
        if name != PARAMETER_OF_COLUMNS
    }
    found = []
    if asked.get("site") and "site" in form.errors:
        words = _(
            "Site %(name)s no longer exists, or you do not have access to it. All your sites"
            " are shown."
        )
        found.append(words % {"name": asked["site"]})
    if asked.get("outage") and "outage" in form.errors:
        found.append(_("Outage %(name)s no longer exists.") % {"name": asked["outage"]})
    key = asked.get("assignee", "")
    if key.isascii() and key.isdecimal() and not _is_person(key):
        found.append(_("The assignee of this view no longer exists."))
    found += [
        _("No product has the SKU %(name)s any more.") % {"name": asked[name]}
        for name in ("sku", "q")
        if asked.get(name) and not _is_sku(asked[name])
    ]
    return found


def _is_person(key: str) -> bool:
    return len(key) < 10 and User.objects.filter(pk=int(key), is_active=True).exists()


def _is_sku(text: str) -> bool:
    records: Any = InventoryRecord.objects.filter(sku=text)
    return records.exists() or OrderItem.objects.filter(sku=text).exists()
