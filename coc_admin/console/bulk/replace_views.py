"""Replace one short SKU in many orders: choose the replacement, then preview."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import console_page
from coc_admin.console.bulk.confirmation import confirm_as_shown
from coc_admin.console.bulk.letters import letters_context, usual_reason
from coc_admin.console.bulk.selection import MOST_CHOSEN, read_marks, tell_full
from coc_admin.console.desk.filters import read_desk_filter
from coc_admin.console.forms import ReasonForm
from coc_admin.console.remedies.forms import PriceField
from coc_admin.console.remedies.preview import replacements_context
from orders import ledger
from orders.desk import shortages
from orders.fields import ZERO
from reconciliation import remedies
from reconciliation.decisions import bulk_letters
from reconciliation.models import BulkKind, BulkRemedy
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.plans import Planned, plan
from reconciliation.remedies.bulk.replace_plans import ReplaceChoice, ShortGroup, groups_of


class BulkChoiceForm(forms.Form):
    """The short SKU (with list and currency) and its replacement, chosen in steps."""

    list = forms.CharField(required=False, max_length=128, strip=False)
    short = forms.CharField(required=False, max_length=250, strip=False)
    currency = forms.CharField(required=False, max_length=3)
    sku = forms.CharField(required=False, max_length=250, strip=True)
    q = forms.CharField(required=False, max_length=250, strip=True)


class BulkReplaceForm(ReasonForm):
    """Price and reason; `shown_price` is the price used in the preview."""

    unit_price = PriceField()
    shown_price = PriceField()


def confirm(request: HttpRequest, made: BulkRemedy) -> HttpResponse | None:
    """Store the confirmed plan; return None, or the page with the reason for a refusal."""
    form = BulkReplaceForm(request.POST)
    if "preview" in request.POST:
        # The person only wants to see the difference at another price.
        form.errors.pop("reason", None)
        return preview(request, made, request.POST, form=form)
    choice = _read_choice(request.POST, form) if form.is_valid() else None
    if choice is None:
        return preview(request, made, request.POST, form=form)
    if form.cleaned_data["shown_price"] != choice.unit_price:
        return preview(request, made, request.POST, form=form, repriced=True)
    try:
        confirm_as_shown(
            request,
            made,
            seen=read_marks(request),
            reason=form.cleaned_data["reason"],
            choice=choice,
        )
    except execution.PlanChanged as error:
        return preview(request, made, request.POST, form=form, moved=error.order_ids)
    except bulk_letters.TextsChanged:
        return preview(request, made, request.POST, form=form, reworded=True)
    except (execution.NothingToDo, execution.NotNow):
        return preview(request, made, request.POST, form=form, refused=True)
    return None


def _read_choice(data: Mapping[str, Any], form: BulkReplaceForm) -> ReplaceChoice | None:
    wanted = _read_wanted(data)
    names = ("list", "currency", "short", "sku")
    if not all(wanted.get(name) for name in names):
        return None
    return ReplaceChoice(
        list_id=wanted["list"],
        currency=wanted["currency"],
        short_sku=wanted["short"],
        sku=wanted["sku"],
        unit_price=form.cleaned_data["unit_price"],
    )


def _read_wanted(data: Mapping[str, Any]) -> dict[str, str]:
    form = BulkChoiceForm(data)
    form.is_valid()
    return form.cleaned_data


def preview(
    request: HttpRequest,
    made: BulkRemedy,
    data: Mapping[str, Any],
    *,
    form: BulkReplaceForm | None = None,
    moved: Collection[int] = (),
    refused: bool = False,
    repriced: bool = False,
    reworded: bool = False,
) -> HttpResponse:
    """Let the person choose a short SKU and its replacement, then show the effect."""
    wanted, access = _read_wanted(data), site_access(request)
    groups = groups_of(made, site_ids=access.allowed)
    context: dict[str, Any] = {"bulk": made, "away": remedies.why_oci_is_away()}
    group = _group(groups, wanted)
    if group is None:
        fitting = [one for one in groups if _fits(one, wanted)] or groups
        return render(request, "console/bulk/bulk_replace_sku.html", context | {"groups": fitting})
    others = reverse("bulk", args=[made.pk]) if len(groups) > 1 else ""
    context |= {"group": group, "another": others, "text": wanted.get("q", "")}
    sku = wanted.get("sku", "")
    if not sku:
        page = "console/bulk/bulk_replace_by.html"
        return render(request, page, context | _replacements(group, wanted.get("q", "")))
    price = remedies.usual_price(item=group.items[0], sku=sku)
    if form is not None and "unit_price" in form.cleaned_data:
        price = form.cleaned_data["unit_price"]
    choice = ReplaceChoice(group.list_id, group.currency, group.sku, sku, price)
    planned = plan(choice.put_into(made), site_ids=access.allowed, now=timezone.now())
    context |= _preview_context(planned, choice)
    context |= letters_context(request, made, context["to_do"]) | {
        "form": form or BulkReplaceForm(initial={"reason": usual_reason(made, context["to_do"])}),
        "reworded": reworded,
        "moved": moved,
        "refused": refused,
        "repriced": repriced,
    }
    status = 409 if moved or refused or reworded else 200
    return render(request, "console/bulk/bulk_replace.html", context, status=status)


def _fits(group: ShortGroup, wanted: Mapping[str, str]) -> bool:
    parts = (("list", group.list_id), ("short", group.sku), ("currency", group.currency))
    return all(wanted.get(name, "") in ("", value) for name, value in parts)


def _group(groups: Sequence[ShortGroup], wanted: Mapping[str, str]) -> ShortGroup | None:
    """Return the chosen group; None if several or none are possible."""
    found = [one for one in groups if _fits(one, wanted)]
    return found[0] if len(found) == 1 else None


def _replacements(group: ShortGroup, text: str) -> dict[str, Any]:
    """Return possible replacements, each with the number of orders it would cover."""
    found = replacements_context(group.items[0], text, units=group.least, served_by=group.served_by)
    keep = {"list": group.list_id, "short": group.sku, "currency": group.currency}
    return found | {"keep": keep, "currency": group.currency, "all_orders": len(group.items)}


def _preview_context(planned: Sequence[Planned], choice: ReplaceChoice) -> dict[str, Any]:
    to_do = [one for one in planned if not one.closed]
    lacking = [one for one in planned if one.replacing is not None and one.replacing.lacks_stock]
    return {
        "choice": choice,
        "record": ledger.get_ato(choice.list_id, choice.sku),
        "planned": planned,
        "to_do": to_do,
        "left_out": [one for one in planned if one.closed],
        "lacking": len(lacking),
        "units": _units(to_do),
        "needed": _units(to_do) + _units(lacking),
        "difference": _difference(to_do),
    }


def _units(planned: Sequence[Planned]) -> Decimal:
    return sum((one.replacing.units for one in planned if one.replacing is not None), ZERO)


def _difference(planned: Sequence[Planned]) -> Decimal | None:
    """Return the price difference of all orders; None if one is unknown."""
    known = [one.replacing.difference for one in planned if one.replacing is not None]
    return None if None in known else sum((one for one in known if one is not None), ZERO)


@console_page("orders.change_order", methods=("POST",))
def replace_sku(request: HttpRequest) -> HttpResponse:
    """Begin to replace one SKU in all orders of the desk that are short of it, oldest first.

    `row` is its list and the SKU (`list~sku`), the query contains the desk's filters; at most
    MOST_CHOSEN orders are taken.
    """
    list_id, _tilde, sku = request.POST.get("row", "").replace("\0", "").partition("~")
    items = shortages.open_items().filter(inventory_list=list_id, sku=sku)
    orders = read_desk_filter(request).orders().filter(pk__in=items.values("order"))
    oldest_first = orders.order_by("captured_at", "id").values_list("pk", flat=True)
    found = list(oldest_first[: MOST_CHOSEN + 1])
    if not found:
        messages.info(request, _("No order is short of this SKU any more."))
        return redirect("desk_skus")
    if len(found) > MOST_CHOSEN:
        tell_full(request)
    made = execution.draft(
        user=request.user,  # type: ignore[arg-type]
        kind=BulkKind.REPLACE,
        order_ids=found[:MOST_CHOSEN],
        now=timezone.now(),
    )
    query = urlencode({"list": list_id, "short": sku})
    return redirect(f"{reverse('bulk', args=[made.pk])}?{query}")
