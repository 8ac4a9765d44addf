"""The page to manage a person's saved views."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin import saved_views as service
from coc_admin.console.access import READ_AND_POST, console_page, person_of
from coc_admin.console.saved_views.menu import address_of, kept_of
from coc_admin.edits import ChangeRefused
from coc_admin.models import SavedView

_LONGEST_QUERY = 1_000


class ViewForm(forms.Form):
    """Input of the forms about views; `act` decides which other fields are required."""

    act = forms.ChoiceField(
        choices=[(name, name) for name in ("add", "rename", "replace", "first", "usual", "delete")]
    )
    listing = forms.ChoiceField(choices=SavedView.List.choices, required=False)
    key = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    name = forms.CharField(
        required=False,
        max_length=60,
        strip=True,
        error_messages={"max_length": gettext_lazy("Use at most 60 characters.")},
    )
    query = forms.CharField(required=False, max_length=5_000)

    def clean_name(self) -> str:
        """Return the name with single spaces."""
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean(self) -> None:
        """Refuse a missing name where one is required."""
        super().clean()
        values = self.cleaned_data
        if values.get("act") in ("add", "rename") and "name" in values and not values["name"]:
            self.add_error("name", _("Enter a name."))


@console_page("orders.view_order", methods=READ_AND_POST)
def saved_views(request: HttpRequest) -> HttpResponse:
    """List the person's views, and save, rename, replace or delete one, or make it the first."""
    form, refused, status = ViewForm(request.POST or None), "", 200
    if request.method == "POST":
        if form.is_valid():
            try:
                return _done(request, form)
            except ChangeRefused as error:
                refused, status = error.detail, 409
            except SavedView.DoesNotExist:
                raise Http404 from None
        else:
            wrong = form.errors.get("name") or [_("Try again.")]
            refused, status = " ".join(str(words) for words in wrong), 400
    views = service.views_of(person_of(request))
    lists = [
        (label, [(view, address_of(view)) for view in views if view.listing == value])
        for value, label in SavedView.List.choices
    ]
    context = {
        "lists": [one for one in lists if one[1]],
        "number": len(views),
        "most": SavedView.MOST,
        "form": form,
        "refused": refused,
        "is_adding": bool(refused) and form.data.get("act") == "add",
        "changed": form.data.get("key", "") if refused else "",
    }
    return render(request, "console/saved_views/saved_views.html", context, status=status)


def _done(request: HttpRequest, form: ViewForm) -> HttpResponse:
    """Apply the form. Raises ChangeRefused and DoesNotExist."""
    values, actor = form.cleaned_data, person_of(request)
    if values["act"] == "add":
        return _added(request, listing=values["listing"], name=values["name"])
    key = values["key"] or 0
    if values["act"] == "delete":
        if not service.delete(actor=actor, key=key):
            raise SavedView.DoesNotExist
        messages.success(request, _("The view was deleted."))
        return redirect("saved_views")
    if values["act"] == "replace":
        kept = kept_of(_own(actor, key).listing, QueryDict(values["query"]))
        view = service.replace_query(actor=actor, key=key, query=_bounded(kept.query))
        _tell(request, _("The view “%(name)s” now shows this list."), view, is_cut=kept.is_cut)
        return redirect(address_of(view))
    acts: Mapping[str, Callable[[], SavedView]] = {
        "rename": lambda: service.rename(actor=actor, key=key, name=values["name"]),
        "first": lambda: service.make_first(actor=actor, key=key),
        "usual": lambda: service.make_first(actor=actor, key=key, is_first=False),
    }
    _tell(request, _("View “%(name)s”: saved."), acts[values["act"]]())
    return redirect("saved_views")


def _added(request: HttpRequest, *, listing: str, name: str) -> HttpResponse:
    if not listing:
        raise SavedView.DoesNotExist
    kept = kept_of(listing, QueryDict(request.POST.get("query", "")))
    view = service.add(
        actor=person_of(request), listing=listing, name=name, query=_bounded(kept.query)
    )
    _tell(request, _("View “%(name)s”: saved."), view, is_cut=kept.is_cut)
    return redirect(address_of(view))


def _own(actor: User, key: int) -> SavedView:
    return SavedView.objects.get(user=actor, pk=key)


def _bounded(query: str) -> str:
    if len(query) > _LONGEST_QUERY:
        raise ChangeRefused(_("This filter is too long to be saved."))
    return query


def _tell(request: HttpRequest, words: str, view: SavedView, *, is_cut: bool = False) -> None:
    text = words % {"name": view.name}
    if is_cut:
        text += " " + _("Views do not store customer data, so your search text was not saved.")
    messages.success(request, text)
