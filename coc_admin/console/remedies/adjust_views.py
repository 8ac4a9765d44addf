"""The page to adjust a reservation document: units to keep, and their list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.forms import ReasonForm
from coc_admin.console.orders.timeline import attempt_words
from coc_admin.console.orders.views import order_context, order_or_404
from coc_admin.console.remedies.forms import KeepLineForm
from orders.adjustment_lines import Keep
from orders.errors import CannotAdjust
from orders.models import InventoryRecord, Order, OrderItem
from orders.permitted_lists import lists_of
from orders.texts import made_visible
from reconciliation import remedies
from reconciliation.models import Attempt, ReservationDocument

_FIELDS = ("list", "sku", "held", "keep", "to")
# Whether OCI has confirmed everything, the text for the person, and the calls to quote in it.
_Done = tuple[bool, str, Sequence[Attempt]]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One line of the document, its submitted values, and the lists with their ATO."""

    list_id: str
    sku: str
    product_name: str
    held: Decimal
    lists: Sequence[tuple[str, Decimal | None]]
    form: KeepLineForm

    @property
    def kept(self) -> Keep:
        """The kept units; the form must be valid."""
        values = self.form.cleaned_data
        return Keep(values["list"], values["sku"], values["held"], values["keep"], values["to"])


@console_page("reconciliation.adjust_reservation", methods=READ_AND_POST)
def adjust(request: HttpRequest, pk: int, document_pk: int) -> HttpResponse:
    """Let the person choose the kept units, show the effect, then apply it. Idempotent."""
    order = order_or_404(request, pk)
    documents = ReservationDocument.objects.select_related("order").filter(order=order)
    document = get_object_or_404(documents, pk=min(document_pk, 2**63 - 1))
    choices = _choices(request, document)
    form, refused, preview = ReasonForm(), "", None
    if request.method == "POST" and choices and all(one.form.is_valid() for one in choices):
        keeps = [one.kept for one in choices]
        if not any(one.units for one in keeps):
            return redirect("order_give_back", pk=order.pk, document_pk=document.pk)
        do = _adjusted if "confirm" in request.POST else None
        # Confirm what the page showed, even if the stock has changed meanwhile.
        do = _released if "release" in request.POST else do
        if do is not None:
            form = ReasonForm(request.POST)
            if form.is_valid():
                actor, reason = actor_of(request), form.cleaned_data["reason"]
                try:
                    done = do(document_id=document.pk, keeps=keeps, actor=actor, reason=reason)
                    return _show(request, order, done)
                except CannotAdjust as error:
                    refused = error.detail
        if "change" not in request.POST:
            preview = remedies.preview_adjustment(documents.get(pk=document.pk), keeps)
    # The refusal must come together with another person's change.
    order.refresh_from_db()
    document = documents.get(pk=document.pk)
    context = order_context(request, order) | {
        "document": document,
        "form": form,
        "refused": refused,
        "closed": remedies.document_refusal(document),
        "choices": choices,
        "preview": preview,
    }
    return render(
        request, "console/remedies/order_adjust.html", context, status=409 if refused else 200
    )


def _adjusted(**given: Any) -> _Done:
    """Adjust the document. Raises CannotAdjust."""
    done = remedies.adjust_reservation(**given)
    if done.done and done.released:
        words = _(
            "Order %(number)s: the units to keep are reserved, and OCI has released the old"
            " reservation. OCI's answer: %(said)s"
        )
    elif done.done:
        words = _(
            "Order %(number)s: the units to keep are reserved. OCI has not confirmed the release"
            " of the old reservation yet. This is retried automatically. OCI's answer: %(said)s"
        )
    else:
        words = _(
            "Order %(number)s: OCI has not answered clearly. The order stays as it is until the"
            " units to keep are reserved. This is retried automatically. OCI's answer: %(said)s"
        )
    return done.done and done.released, words, done.calls


def _released(**given: Any) -> _Done:
    """Release the rest of the document. Raises CannotAdjust."""
    done = remedies.release_part(**given)
    if done.released:
        words = _("Order %(number)s: OCI has released the units. %(said)s")
    else:
        words = _(
            "Order %(number)s is short of the units that are released. OCI has not confirmed the"
            " release yet. This is retried automatically. %(said)s"
        )
    return done.released, words, done.calls[-1:]


def _show(request: HttpRequest, order: Order, done: _Done) -> HttpResponse:
    is_complete, words, calls = done
    answers = " ".join(attempt_words(call) for call in calls) or "–"
    level = messages.SUCCESS if is_complete else messages.WARNING
    values = {"number": made_visible(order.order_no), "said": answers}
    messages.add_message(request, level, words % values)
    return redirect("order", pk=order.pk)


def _choices(request: HttpRequest, document: ReservationDocument) -> list[_Choice]:
    """Return the lines of the document as submitted, else as held."""
    held = remedies.still_held(document)
    sent = [request.POST.getlist(name) for name in _FIELDS]
    rows = [dict(zip(_FIELDS, row, strict=False)) for row in zip(*sent, strict=False)]
    if request.method != "POST" or len({len(column) for column in sent}) != 1:
        rows = []
    rows = rows[: len(held)] or [
        {"list": list_id, "sku": sku, "held": str(units), "keep": f"{units.normalize():f}"}
        | {"to": list_id}
        for (list_id, sku), units in sorted(held.items())
    ]
    lists = _lists(request, document, {row["sku"] for row in rows})
    names = dict(
        OrderItem.objects.filter(order=document.order_id).values_list("sku", "product_name")
    )
    choices = []
    for row in rows:
        offered = lists[row["sku"]]
        if row["list"] not in dict(offered):
            offered = [(row["list"], None), *offered]
        choices.append(
            _Choice(
                list_id=row["list"],
                sku=row["sku"],
                product_name=names.get(row["sku"], ""),
                held=held.get((row["list"], row["sku"]), Decimal(0)),
                lists=offered,
                form=KeepLineForm(row, lists=[list_id for list_id, _ato in offered]),
            )
        )
    return choices


def _lists(
    request: HttpRequest, document: ReservationDocument, skus: set[str]
) -> dict[str, list[tuple[str, Decimal | None]]]:
    """Return by SKU the lists that know it, with ATO if counted.

    Only lists that the order's site may sell from, and with stock that the person may see.
    """
    seen = site_access(request).permitted_lists()
    permitted = seen.filter(pk__in=lists_of(document.order.site))
    found = InventoryRecord.objects.filter(inventory_list__in=permitted, sku__in=skus)
    lists: dict[str, list[tuple[str, Decimal | None]]] = defaultdict(list)
    for record in found.order_by("inventory_list", "sku"):
        ato: Decimal | None = record.ato if record.is_tracked else None
        lists[record.sku].append((record.inventory_list_id, ato))
    return lists
