"""Actions on selected rows: keep them, export them, or begin a remedy for all."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.assignees import CHANGE_ORDERS
from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import console_page, person_of
from coc_admin.console.bulk.selection import MOST_CHOSEN, Choice, read_shown, read_ticked, tell_full
from coc_admin.console.desk.assignment_views import assign_orders
from coc_admin.console.desk.filters import read_desk_filter
from coc_admin.console.downloads import form_or_404, orders_response, preferred_form
from coc_admin.console.orders.export_views import orders_table
from coc_admin.console.orders.filters import read_filter
from orders.desk import shortages
from orders.desk.entries import NOBODY
from orders.fields import ZERO
from orders.models import Order
from orders.tables import Form
from reconciliation.decisions import bulk_asks
from reconciliation.models import BulkKind, Scope
from reconciliation.remedies.bulk import execution

LISTS: dict[str, Callable[[HttpRequest], QuerySet[Order]]] = {
    "desk": lambda request: read_desk_filter(request).orders(),
    "orders": lambda request: read_filter(request).orders(),
}
_OFFERED = (
    BulkKind.CANCEL,
    BulkKind.CANCEL_SHORT,
    BulkKind.REPLACE,
    BulkKind.ASK,
    BulkKind.SETTLE_OUTSIDE,
)


def bar_context(
    request: HttpRequest, choice: Choice, listing: str, *, shown: Collection[int]
) -> dict[str, Any]:
    """Return the context of a list's selection bar; the page shows the orders `shown`."""
    sums = _sums(choice.orders(site_access(request)), listing) if len(choice) else None
    return {
        "chosen_elsewhere": len(choice.elsewhere(shown)),
        "listing": listing,
        "chosen_number": len(choice),
        "chosen": sums,
        "chosen_closed": len(choice) - sums.orders if sums and listing == "desk" else 0,
        "most_chosen": MOST_CHOSEN,
        "kinds": _OFFERED if request.user.has_perm(CHANGE_ORDERS) else (),
        "may_rerun": request.user.has_perm("reconciliation.start_run"),
        "may_export": request.user.has_perm("reconciliation.download_report"),
        "table_forms": _forms(request),
        "may_assign": listing == "desk" and request.user.has_perm(CHANGE_ORDERS),
    }


def _forms(request: HttpRequest) -> list[Form]:
    """Return the formats of an export, the person's own first."""
    own = preferred_form(request)
    return sorted(Form, key=lambda form: form != own)


def _sums(orders: QuerySet[Order], listing: str) -> shortages.Sums:
    if listing == "desk":
        return shortages.sums_of(Order.objects.oversold().filter(pk__in=orders.order_by()))
    rows = orders.order_by("currency").values_list("currency").annotate(value=Sum("order_total"))
    return shortages.Sums(orders=orders.count(), units=ZERO, value=dict(rows))


@console_page("orders.view_order", methods=("POST",))
def choose(request: HttpRequest, listing: str) -> HttpResponse:
    """Apply the ticks of a page of the list, then the action of the pressed button.

    The query contains the list's filters, so that all matching rows can be selected.
    """
    if listing not in LISTS:
        raise Http404
    choice = Choice(request, listing)
    shown = read_shown(request)
    if not choice.follow(shown=shown, ticked=read_ticked(request)):
        tell_full(request)
    if "X-Choice" in request.headers:
        return render(
            request, "console/bulk/_chosen.html", bar_context(request, choice, listing, shown=shown)
        )
    do = request.POST.get("do", "")
    if do == "all":
        _choose_all(request, choice, listing)
    elif do == "clear":
        choice.clear()
    elif do == "clear-elsewhere":
        choice.drop(choice.elsewhere(shown))
    elif do in _NEXT_STEPS and not len(choice):
        messages.info(request, _("Choose at least one order first."))
    elif do in _NEXT_STEPS:
        return _NEXT_STEPS[do](request, choice, listing)
    elif do.startswith("mine:"):
        return _take(request, shown, do.removeprefix("mine:"))
    return redirect(_back(request, listing))


def _back(request: HttpRequest, listing: str) -> str:
    query = request.GET.urlencode()
    return f"{reverse(listing)}?{query}" if query else reverse(listing)


def _choose_all(request: HttpRequest, choice: Choice, listing: str) -> None:
    found = LISTS[listing](request).order_by("captured_at", "id")
    rows = found.values_list("pk", "desk_entry__assignee")[: MOST_CHOSEN + 1]
    if not choice.add({pk: user or NOBODY for pk, user in rows}):
        tell_full(request)


def _permitted_keys(request: HttpRequest, choice: Choice) -> list[int]:
    return list(choice.orders(site_access(request)).values_list("pk", flat=True))


def _need(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied(permission)


def _begin(kind: BulkKind) -> Callable[[HttpRequest, Choice, str], HttpResponse]:
    def begin(request: HttpRequest, choice: Choice, listing: str) -> HttpResponse:
        _need(request, CHANGE_ORDERS)
        user, keys, now = person_of(request), _permitted_keys(request, choice), timezone.now()
        if kind == BulkKind.ASK:
            made = bulk_asks.begin(user=user, order_ids=keys, now=now)
        else:
            made = execution.draft(user=user, kind=kind, order_ids=keys, now=now)
        return redirect("bulk", pk=made.pk)

    return begin


def _rerun(request: HttpRequest, choice: Choice, listing: str) -> HttpResponse:
    _need(request, "reconciliation.start_run")
    keys = ",".join(str(pk) for pk in _permitted_keys(request, choice))
    return redirect(f"{reverse('run_new')}?scope={Scope.ORDERS}&order={keys}")


def _export(form: str) -> Callable[[HttpRequest, Choice, str], HttpResponse]:
    def export(request: HttpRequest, choice: Choice, listing: str) -> HttpResponse:
        _need(request, "reconciliation.download_report")
        return redirect("chosen_export", listing=listing, form=form)

    return export


def _assign(request: HttpRequest, choice: Choice, listing: str) -> HttpResponse:
    _need(request, CHANGE_ORDERS)
    return assign_orders(request, choice.seen, back=_back(request, listing))


def _take(request: HttpRequest, shown: dict[int, int], key: str) -> HttpResponse:
    _need(request, CHANGE_ORDERS)
    was = {pk: user for pk, user in shown.items() if str(pk) == key}
    return assign_orders(request, was, back=_back(request, "desk"), text=str(request.user.pk))


_NEXT_STEPS: dict[str, Callable[[HttpRequest, Choice, str], HttpResponse]] = {
    **{str(kind.value): _begin(kind) for kind in _OFFERED},
    **{f"export-{form}": _export(form) for form in Form},
    "rerun": _rerun,
    "assign": _assign,
}


@console_page("reconciliation.download_report")
def chosen_export(request: HttpRequest, listing: str, form: str) -> HttpResponseBase:
    """Send the selected orders of a list in a Form."""
    if listing not in LISTS:
        raise Http404
    chosen = form_or_404(form)
    orders = Choice(request, listing).orders(site_access(request))
    return orders_response(request, orders, orders_table, chosen, stem="orders")
