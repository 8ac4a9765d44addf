"""Pages to replace a short item, or give a reservation back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.forms import ReasonForm
from coc_admin.console.orders.oci_answers import answer_in_words
from coc_admin.console.orders.views import order_context, order_or_404
from coc_admin.console.remedies.forms import ReplaceChoiceForm, ReplaceForm
from coc_admin.console.remedies.preview import replacements_context
from orders.errors import CannotRemedy
from orders.models import Order, OrderItem, ReplacementState
from orders.texts import made_visible
from reconciliation import remedies
from reconciliation.models import ReservationDocument


@console_page("orders.change_order", methods=READ_AND_POST)
def replace(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the person choose an item and its replacement, show the effect, then apply it."""
    order = order_or_404(request, pk)
    form = ReplaceForm(request.POST) if request.method == "POST" else None
    refused = ""
    if form is not None and "preview" in request.POST:
        # The person only wants to see the difference at another price.
        form.errors.pop("reason", None)
    elif form is not None and form.is_valid():
        try:
            return _replaced(request, order, form.cleaned_data)
        except CannotRemedy as error:
            refused = error.detail
    order.refresh_from_db()
    choice = _choice(order, request.POST if form is not None else request.GET, form=form)
    context = order_context(request, order) | choice | {"form": form, "refused": refused}
    return render(
        request, "console/remedies/order_replace.html", context, status=409 if refused else 200
    )


def _replaced(request: HttpRequest, order: Order, values: Mapping[str, Any]) -> HttpResponse:
    """Replace the item of a form and show the order. Raises CannotRemedy."""
    if not OrderItem.objects.filter(pk=values["item"], order=order).exists():
        raise CannotRemedy(_("This item does not belong to the order."))
    done = remedies.replace_short(
        item_id=values["item"],
        sku=values["sku"],
        units=values["units"],
        unit_price=values["unit_price"],
        actor=actor_of(request),
        reason=values["reason"],
    )
    values = {"number": made_visible(order.order_no), "old": done.item.sku, "new": done.sku}
    if done.state == ReplacementState.DONE:
        messages.success(request, _("Order %(number)s: %(old)s is replaced by %(new)s.") % values)
    else:
        messages.warning(
            request,
            _(
                "Order %(number)s: OCI has not answered clearly. %(new)s replaces %(old)s"
                " automatically once OCI has reserved all of it."
            )
            % values,
        )
    return redirect("order", pk=order.pk)


@console_page("reconciliation.adjust_reservation", methods=READ_AND_POST)
def give_back(request: HttpRequest, pk: int, document_pk: int) -> HttpResponse:
    """Explain giving a document back at OCI, then do it. Idempotent."""
    order = order_or_404(request, pk)
    documents = ReservationDocument.objects.select_related("order").filter(order=order)
    document = get_object_or_404(documents, pk=min(document_pk, 2**63 - 1))
    form = ReasonForm(request.POST or None)
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            done = remedies.give_back(
                document_id=document.pk,
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
            )
        except CannotRemedy as error:
            refused = error.detail
        else:
            _tell_given_back(request, done)
            return redirect("order", pk=order.pk)
    order.refresh_from_db()
    document = documents.get(pk=document.pk)
    context = order_context(request, order) | {
        "form": form,
        "refused": refused,
        "preview": remedies.preview_give_back(document),
    }
    return render(
        request, "console/remedies/order_give_back.html", context, status=409 if refused else 200
    )


def _tell_given_back(request: HttpRequest, done: remedies.Adjusted) -> None:
    values = {
        "number": made_visible(done.order.order_no),
        "said": answer_in_words(done.said) or "–",
    }
    if done.released:
        words = _("Order %(number)s: OCI has released the reservation. OCI's answer: %(said)s.")
        messages.success(request, words % values)
    else:
        messages.warning(
            request,
            _(
                "Order %(number)s: OCI has not confirmed the release yet. This is retried"
                " automatically. OCI's answer: %(said)s"
            )
            % values,
        )


def _choice(order: Order, data: Any, *, form: ReplaceForm | None) -> dict[str, Any]:
    """Return the choice so far, and the options."""
    wanted = ReplaceChoiceForm(data)
    wanted.is_valid()
    values = wanted.cleaned_data
    short = [
        item
        for item in OrderItem.objects.filter(order=order).select_related("order")
        if item.open_quantity > 0
    ]
    item = next((one for one in short if one.pk == values.get("item")), None)
    if item is None and len(short) == 1:
        (item,) = short
    found: dict[str, Any] = {"short_items": short, "item": item, "text": values.get("q", "")}
    if item is None:
        return found
    sku = values.get("sku", "")
    if not sku:
        others = reverse("order_replace", args=[order.pk]) if len(short) > 1 else ""
        found |= replacements_context(item, found["text"])
        return found | {"keep": {"item": item.pk}, "another": others}
    price = remedies.usual_price(item=item, sku=sku)
    if form is not None and "unit_price" in form.cleaned_data:
        price = form.cleaned_data["unit_price"]
    (preview,) = remedies.preview_replace([item], sku=sku, unit_price=price, now=timezone.now())
    return found | {"preview": preview, "price": price}
