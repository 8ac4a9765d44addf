"""Pages about sites: list, details with edit form, and a new one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib import messages
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin import sites
from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.frame import frame_of
from coc_admin.console.settings.forms import NewSiteForm, SiteForm, texts_of_site
from coc_admin.console.settings.views import report_result, settings_page, try_to
from orders import risk
from orders.fields import ZERO
from orders.models import InventoryList, Order, ShortHandover, Site
from orders.models.sites import HANDOVER_MINUTES


@dataclass(frozen=True, slots=True)
class Limits:
    """Current use of the limits of offline selling."""

    waiting_orders: int
    waiting_value: Decimal
    away_minutes: int | None  # None unless Omnichannel Inventory is away

    def value_left(self, site: Site) -> Decimal | None:
        """Return the value that may still be captured offline; None without a limit."""
        if site.cap_total_value is None:
            return None
        left: Decimal = site.cap_total_value - self.waiting_value
        return max(ZERO, left)


@console_page("orders.view_site")
def site_list(request: HttpRequest) -> HttpResponse:
    """List the sites that the person may see; two queries."""
    access = site_access(request)
    waiting = Order.objects.waiting().order_by().values_list("site").annotate(number=Count("pk"))
    numbers = dict(waiting)
    context = {
        "rows": [(site, numbers.get(site.pk, 0)) for site in access.sites],
        "may_add": request.user.has_perm("orders.add_site") and not access.is_limited,
    }
    return settings_page(request, "sites.html", context)


@console_page("orders.change_site", methods=READ_AND_POST)
def site_page(request: HttpRequest, pk: str) -> HttpResponse:
    """Show a site, the current use of its limits, and a form to change it."""
    if not site_access(request).permits(pk):
        raise Http404
    site = get_object_or_404(Site, pk=pk)
    # Another list may belong to other people.
    may_permit = not site_access(request).is_limited
    form = SiteForm(
        request.POST or None,
        seen=texts_of_site(site, may_permit=may_permit),
        may_permit=may_permit,
    )
    _narrow(form, request)
    change = partial(sites.change_site, site_id=site.pk, actor=actor_of(request))
    outcome = try_to(form, lambda **given: change(confirmed=form.cleaned_data["confirm"], **given))
    if outcome.done:
        words = _("Site %(site)s was changed.") % {"site": site.pk}
        report_result(request, outcome, changed=words)
        return redirect("settings_site", pk=site.pk)
    _narrow(outcome.form, request)
    limits = limits_of(request, site)
    context = outcome.context | {
        "site": site,
        "limits": limits,
        "value_left": limits.value_left(site),
        "has_orders": Order.objects.filter(site=site).exists(),
        "risk_text": risk.risk_text(),
        "accepted": risk.last_acceptance(site),
    }
    return settings_page(request, "site.html", context, status=outcome.status)


@console_page("orders.add_site", methods=READ_AND_POST, every_site=True)
def site_new(request: HttpRequest) -> HttpResponse:
    """Create a site."""
    form = NewSiteForm(
        request.POST or None,
        initial={
            "time_zone": "UTC",
            "currency": "USD",
            "offline_capture": True,
            "short_handover": ShortHandover.AFTER_MINUTES,
            "handover_minutes": HANDOVER_MINUTES,
            "keeps_promises": True,
        },
    )
    outcome = try_to(form, partial(sites.add_site, actor=actor_of(request)))
    if outcome.done and outcome.result:
        messages.success(request, _("Site %(site)s was added.") % {"site": outcome.result.pk})
        return redirect("settings_site", pk=outcome.result.pk)
    context = outcome.context | {
        "lists_exist": InventoryList.objects.exists(),
        "risk_text": risk.risk_text(),
    }
    return settings_page(request, "site_new.html", context, status=outcome.status)


def limits_of(request: HttpRequest, site: Site) -> Limits:
    """Return the current use of a site's limits; one query besides the frame's summary."""
    waiting: dict[str, Any] = (
        Order.objects.waiting()
        .filter(site=site)
        .order_by()
        .aggregate(number=Count("pk"), value=Sum("order_total"))
    )
    since = frame_of(request).status.offline_since
    away = None if since is None else int((timezone.now() - since).total_seconds() // 60)
    return Limits(waiting["number"], waiting["value"] or ZERO, away)


def _narrow(form: SiteForm, request: HttpRequest) -> None:
    """Offer a person who sees only some sites only the lists of those."""
    form.fields["inventory_list"].queryset = site_access(request).permitted_lists()  # type: ignore[attr-defined]
