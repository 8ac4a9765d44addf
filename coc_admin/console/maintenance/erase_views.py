"""Erase a customer: choose whom, preview the orders, then erase for good."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.maintenance.pages import maintenance_page
from coc_admin.console.settings.edit_forms import StyledForm
from orders import privacy, statement_limit
from orders.models import Order, Site
from orders.texts import is_plain
from reconciliation.queue import enqueue

MOST_ORDERS = 500
_WAYS = ("email", "customer_id", "order_no")


class WhoForm(StyledForm):
    """Whom to erase: exactly one of three."""

    email = forms.CharField(label=gettext_lazy("E-mail address"), required=False, max_length=254)
    customer_id = forms.CharField(
        label=gettext_lazy("The storefront’s customer id"), required=False, max_length=250
    )
    order_no = forms.CharField(
        label=gettext_lazy("Order number"), required=False, max_length=50, strip=False
    )
    site = forms.ModelChoiceField(
        Site.objects.order_by("pk"),
        label=gettext_lazy("Site of the order"),
        required=False,
        empty_label="",
    )
    unfinished = forms.BooleanField(
        label=gettext_lazy("Also erase the customer from orders that are not finished"),
        required=False,
        help_text=gettext_lazy(
            "People who work on these orders can no longer contact the customer."
        ),
    )

    def clean(self) -> dict[str, Any]:
        """Return the values; refuses more than one way, or none."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        given = [name for name in _WAYS if values.get(name)]
        if len(given) != 1 and not self.errors:
            raise forms.ValidationError(
                _("Fill in exactly one of the three fields, so that it is clear whom to erase.")
            )
        if any(not is_plain(values[name]) for name in given):
            self.add_error(given[0], _("Control characters are not allowed."))
        if given == ["order_no"] and not values.get("site"):
            self.add_error("site", _("Choose the site of the order."))
        return values

    def orders(self) -> Any:
        """Return the matching orders, oldest first."""
        values = self.cleaned_data
        if values["email"]:
            return privacy.orders_of_email(values["email"])
        if values["customer_id"]:
            return privacy.orders_of_customer(values["customer_id"])
        return Order.objects.filter(site=values["site"], order_no=values["order_no"])


class SureForm(forms.Form):
    """The reason, and the person's confirmation."""

    reason = forms.CharField(
        max_length=500, error_messages={"required": gettext_lazy("Enter a reason.")}
    )
    sure = forms.BooleanField(
        error_messages={"required": gettext_lazy("Tick this box: it cannot be undone.")}
    )


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def erase_page(request: HttpRequest) -> HttpResponse:
    """Ask whom to erase, show the orders, and erase. Only POST, so no address names anyone."""
    form = WhoForm(request.POST or None)
    if not form.is_valid():
        return maintenance_page(request, "erase.html", {"form": form})
    with statement_limit.for_work():
        found = list(form.orders().order_by("captured_at", "id")[: MOST_ORDERS + 1])
        keys = [order.pk for order in found]
        finished = set(
            Order.objects.finished().filter(pk__in=keys).order_by().values_list("pk", flat=True)
        )
    chosen = [one for one in found if form.cleaned_data["unfinished"] or one.pk in finished]
    sure = SureForm(request.POST if "erase" in request.POST else None)
    if sure.is_valid() and chosen and len(found) <= MOST_ORDERS:
        _erase(request, [order.pk for order in chosen], sure.cleaned_data["reason"])
        return redirect("maintenance_erase")
    context = {
        "form": form,
        "sure": sure,
        "is_looked_up": True,
        "chosen": chosen,
        "left": [order for order in found if order not in chosen],
        "is_too_many": len(found) > MOST_ORDERS,
        "most": MOST_ORDERS,
    }
    return maintenance_page(request, "erase.html", context)


def _erase(request: HttpRequest, order_ids: list[int], reason: str) -> None:
    actor = actor_of(request)
    with transaction.atomic():
        erased = privacy.erase(order_ids=order_ids, actor=actor, reason=reason, now=timezone.now())
        # Also if nothing was left to erase: the files may have failed the last time.
        enqueue.soon("merge_reports")
        # The audit log must not store whose orders they were: that was erased.
        audit.record(
            request=request,
            action="maintenance.erased",
            target="customer",
            detail={"orders": order_ids, "erased": erased},
            reason=reason,
        )
    messages.success(
        request,
        ngettext(
            "The customer was erased from %(number)d order. Reports that name them are rewritten.",
            "The customer was erased from %(number)d orders. Reports that name them are rewritten.",
            erased,
        )
        % {"number": erased},
    )
