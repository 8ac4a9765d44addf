"""Pages about inventory lists: list, details with edit form, and a new one."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

from django.contrib import messages
from django.db.models import BigIntegerField, Count, F, Q, QuerySet
from django.db.models.functions import Cast
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from coc_admin import sites
from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.settings.forms import ListForm, NewListForm
from coc_admin.console.settings.views import report_result, settings_page, try_to
from coc_admin.edits import texts_of
from orders.fields import quantity
from orders.models import InventoryList, InventoryRecord, Site


@console_page("orders.view_inventorylist")
def inventory_lists(request: HttpRequest) -> HttpResponse:
    """List the inventory lists with their SKUs and sites; three queries."""
    access = site_access(request)
    records = InventoryRecord.objects.order_by().values_list("inventory_list")
    numbers = dict(records.annotate(number=Count("pk")))
    used_by: dict[str, list[str]] = defaultdict(list)
    for list_id, site_id in Site.objects.order_by("pk").values_list("inventory_list", "pk"):
        if access.permits(site_id):
            used_by[list_id].append(site_id)
    context = {
        "rows": [
            (one, numbers.get(one.pk, 0), used_by[one.pk]) for one in access.permitted_lists()
        ],
        "may_add": request.user.has_perm("orders.add_inventorylist") and not access.is_limited,
    }
    return settings_page(request, "lists.html", context)


@console_page("orders.change_inventorylist", methods=READ_AND_POST)
def list_page(request: HttpRequest, pk: str) -> HttpResponse:
    """Show a list, how much of it is kept back now, and a form to change it."""
    access = site_access(request)
    list_ = get_object_or_404(access.permitted_lists(), pk=pk)
    users = list(Site.objects.filter(inventory_list=list_).order_by("pk"))
    is_shared = not all(access.permits(site.pk) for site in users)
    if is_shared and request.method == "POST":
        raise Http404
    form = ListForm(request.POST or None, seen=texts_of(list_, ListForm.edited))
    change = partial(sites.change_list, list_id=list_.pk, actor=actor_of(request))
    outcome = try_to(form, lambda **given: change(confirmed=form.cleaned_data["confirm"], **given))
    if outcome.done:
        words = _("List %(list)s was changed.") % {"list": list_.pk}
        report_result(request, outcome, changed=words)
        return redirect("settings_list", pk=list_.pk)
    records = InventoryRecord.objects.filter(inventory_list=list_)
    context = outcome.context | {
        "list": list_,
        "sites": [site for site in users if access.permits(site.pk)],
        "is_shared": is_shared,
        "skus": records.count(),
        "at_floor": records_at_floor(list_).count(),
    }
    return settings_page(request, "list.html", context, status=outcome.status)


@console_page("orders.add_inventorylist", methods=READ_AND_POST, every_site=True)
def list_new(request: HttpRequest) -> HttpResponse:
    """Create an inventory list."""
    form = NewListForm(
        request.POST or None, initial={"offline_floor_units": 0, "offline_floor_percent": 0}
    )
    outcome = try_to(form, partial(sites.add_list, actor=actor_of(request)))
    if outcome.done and outcome.result:
        messages.success(request, _("List %(list)s was added.") % {"list": outcome.result.pk})
        return redirect("settings_list", pk=outcome.result.pk)
    return settings_page(request, "list_new.html", outcome.context, status=outcome.status)


def records_at_floor(list_: InventoryList) -> QuerySet[InventoryRecord]:
    """Return the counted SKUs not sold while offline, since all their stock is kept back."""
    whole = BigIntegerField()
    share = Cast(F("safety_stock"), whole) * list_.offline_floor_percent
    return InventoryRecord.objects.alias(left=Cast(F("ato"), whole) * 100, share=share).filter(
        Q(ato__lte=quantity(list_.offline_floor_units)) | Q(left__lte=F("share")),
        inventory_list=list_,
        snapshot_ato__isnull=False,
    )
