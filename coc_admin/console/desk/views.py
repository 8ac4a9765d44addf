"""Pages of the oversold desk: its lists, and assignee and note of an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.accounts import audit_log
from coc_admin.accounts.assignees import CHANGE_ORDERS, assignable
from coc_admin.accounts.site_access import site_access
from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.bulk.selection import Choice, read_shown
from coc_admin.console.bulk.selection_views import bar_context
from coc_admin.console.columns import OF_DESK, columns_of
from coc_admin.console.desk import queries, sku_queries
from coc_admin.console.desk.assignment_views import assign, person_to_assign
from coc_admin.console.desk.decision_forms import NotCarriedOut
from coc_admin.console.desk.decision_views import decided, result_of
from coc_admin.console.desk.filters import DeskFilter, read_desk_filter
from coc_admin.console.desk.panel import panel_context, permitted_order
from coc_admin.console.desk.rows import rows_of
from coc_admin.console.orders.views import order_or_404
from coc_admin.console.queries import MOST_COUNTED
from coc_admin.console.row_addresses import filtered_maker
from coc_admin.console.saved_views import menu
from coc_admin.edits import ChangeRefused
from coc_admin.models import SavedView
from orders.desk import entries, shortages
from orders.desk.entries import NOBODY, EntryMoved
from orders.models import DeskEntry, Order
from orders.texts import made_visible
from reconciliation.models import Outage

_LONGEST_NUMBER = 7


@console_page("orders.view_order", methods=READ_AND_POST)
def desk_orders(request: HttpRequest) -> HttpResponse:
    """List the open short orders, with the panel of the addressed order, and decide about it.

    With the header X-Part only that panel is returned.
    """
    first = menu.first_view(request, SavedView.List.DESK)
    if first is not None:
        return first
    wanted = read_desk_filter(request)
    order = permitted_order(request, request.GET.get("order", ""))
    form, refused, status = None, "", 200
    if request.method == "POST":
        posted = permitted_order(request, request.POST.get("decided", ""))
        if posted is None:
            raise Http404
        order = posted
        try:
            return decided(request, posted, wanted)
        except NotCarriedOut as error:
            form, refused, status = error.form, error.detail, error.status
            order.refresh_from_db()
    panel = panel_context(request, order, form=form, refused=refused) if order else {}
    context = {"wanted": wanted, "panel": panel, "result": result_of(request)}
    if "X-Part" in request.headers and order is not None:
        return render(request, "console/desk/_panel.html", context)
    context |= _list(request, wanted)
    return render(request, "console/desk/desk.html", context, status=status)


def _list(request: HttpRequest, wanted: DeskFilter) -> dict[str, Any]:
    """Return the context of the list: its page, how many are left, and the selection."""
    found = wanted.orders()
    page = queries.page_of_short_orders(found, cursor=wanted.cursor, sort=wanted.sort_of_orders)
    number, sums = shortages.sums_up_to(found, MOST_COUNTED)
    choice = Choice(request, "desk")
    began_with = max(number, _began_with(request))
    return _filter_context(request, wanted) | {
        "rows": rows_of(request, page.rows, choice, began_with),
        "heads": wanted.heads,
        "columns": columns_of(request, OF_DESK),
        "saved": menu.menu_of(request, SavedView.List.DESK, wanted.form),
        "page": page,
        "number": number,
        "more": sums is None,
        "sums": sums,
        "number_asked": wanted.number_asked(),
        "began_with": began_with,
        **bar_context(request, choice, "desk", shown=[order.pk for order in page.rows]),
    }


def _began_with(request: HttpRequest) -> int:
    """Return the number of orders the person started with, from the address."""
    text = request.GET.get("of", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER else 0


@console_page("orders.view_order")
def desk_skus(request: HttpRequest) -> HttpResponse:
    """List short units by SKU and list, to show the effect of a delivery."""
    # A delivery also serves orders that wait for their customers, which keep their places.
    wanted = read_desk_filter(request, asked="any")
    page = sku_queries.page_of_short_skus(
        wanted.orders(), sku=wanted.sku, cursor=wanted.cursor, sort=wanted.sort
    )
    address = filtered_maker(request, "desk", "sku")
    context = _filter_context(request, wanted) | {
        "rows": page.rows,
        "heads": wanted.sku_heads,
        "saved": menu.menu_of(request, SavedView.List.DESK_SKUS, wanted.form),
        "lines": [(row, address(row.sku)) for row in page.rows],
        "page": page,
        "may_replace": request.user.has_perm(CHANGE_ORDERS),
    }
    return render(request, "console/desk/desk_skus.html", context)


def _filter_context(request: HttpRequest, wanted: DeskFilter) -> dict[str, Any]:
    return {
        "wanted": wanted,
        "form": wanted.form,
        "sites": wanted.access.sites,
        "people": list(assignable(wanted.access)),
        "outages": list(Outage.objects.order_by("-lost_at")[:20]),
    }


class DeskEntryForm(forms.Form):
    """Assignee and note of an order."""

    assignee = forms.CharField(required=False, max_length=20)
    note = forms.CharField(
        required=False,
        max_length=1000,
        strip=True,
        widget=forms.Textarea,
        error_messages={"max_length": gettext_lazy("Use at most 1,000 characters.")},
    )

    def clean_note(self) -> str:
        """Return the note with plain line ends."""
        return plain(self.cleaned_data["note"])


def plain(text: str) -> str:
    """Return text from a browser with plain line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@console_page("orders.change_order", methods=READ_AND_POST)
def desk_order(request: HttpRequest, pk: int) -> HttpResponse:
    """Change assignee and note of one order, unless another person has done so meanwhile."""
    order = order_or_404(request, pk)
    form = DeskEntryForm(request.POST or None)
    refused, meanwhile = "", False
    if request.method == "POST" and form.is_valid():
        try:
            _save(request, order, form.cleaned_data)
        except ChangeRefused as error:
            refused = error.detail
        except EntryMoved:
            meanwhile = True
        else:
            messages.success(
                request, _("Order %(number)s: saved.") % {"number": made_visible(order.order_no)}
            )
            return redirect("desk")
    return _desk_order_page(request, order, form, refused=refused, meanwhile=meanwhile)


def _save(request: HttpRequest, order: Order, values: Mapping[str, str]) -> None:
    was = read_shown(request).get(order.pk, NOBODY)
    assignee = person_to_assign(request, values["assignee"], was=was)
    with transaction.atomic():
        is_other = (assignee.pk if assignee else NOBODY) != was
        if is_other and assign(request, was={order.pk: was}, assignee=assignee).lost:
            raise EntryMoved
        seen, note = plain(request.POST.get("was_note", "")), values["note"]
        is_changed = entries.write_note(
            order_id=order.pk,
            was=seen,
            note=note,
            actor=actor_of(request),
            now=timezone.now(),
        )
        if is_changed:
            audit.record(
                request=request,
                action="desk.noted",
                target=f"order:{order.pk}",
                detail=audit_log.changed({"note": seen}, {"note": note}),
            )


def _desk_order_page(
    request: HttpRequest, order: Order, form: DeskEntryForm, *, refused: str, meanwhile: bool
) -> HttpResponse:
    entry = DeskEntry.objects.select_related("assignee").filter(pk=order.pk).first()
    people = list(assignable(site_access(request)))
    if entry and entry.assignee and entry.assignee not in people:
        people.append(entry.assignee)
    held = entry.assignee_id if entry and entry.assignee_id else NOBODY
    note = entry.note if entry else ""
    context = {
        "order": order,
        "entry": entry,
        "form": form,
        "people": people,
        "held": held,
        "chosen": form["assignee"].value() if form.is_bound else str(held or ""),
        "note": form["note"].value() if form.is_bound else note,
        "refused": refused,
        "meanwhile": meanwhile,
    }
    return render(
        request,
        "console/desk/desk_order.html",
        context,
        status=409 if refused or meanwhile else 200,
    )
