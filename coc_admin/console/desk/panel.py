"""The panel beside the desk's list: one order with its cause, and the possible decisions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.accounts.assignees import CHANGE_ORDERS
from coc_admin.accounts.site_access import site_access
from coc_admin.console.desk.ask_views import asked_context, question_context
from coc_admin.console.messages.views import route_of
from coc_admin.console.orders.promise_text import promise_texts
from orders import asks, lifecycle
from orders.desk import causes, shortages
from orders.desk.causes import Cause
from orders.lifecycle import Action
from orders.models import AskAnswer, MessageRoute, Order, OrderItem
from reconciliation import remedies
from reconciliation.decisions import outlook
from reconciliation.decisions.outlook import Option
from reconciliation.decisions.proposals import Remedy, propose
from reconciliation.message_handover import lack_of, messages_of
from reconciliation.models import LetterState

_LONGEST_KEY = 18
# The panel's part of the address: order, chosen replacement, day to wait for.
OF_PANEL = ("order", "sku_by", "wait")
_MOST_SUGGESTED = 2

# Why the customer of an order can't be notified.
NO_WAY = {
    LetterState.ERASED: gettext_lazy("The customer's data was erased, so no message can be sent."),
    LetterState.NO_WAY: gettext_lazy(
        "This site has no way to send messages. An operator can set one up."
    ),
    LetterState.NO_ADDRESS: gettext_lazy(
        "The order has no e-mail address, so no message can be sent."
    ),
}
NAMES = {
    Remedy.RESERVE_AGAIN: gettext_lazy("Reserve again"),
    Remedy.REPLACE: gettext_lazy("Replace"),
    Remedy.SPLIT: gettext_lazy("Replace a part"),
    Remedy.CANCEL_ITEMS: gettext_lazy("Cancel items"),
    Remedy.CANCEL_ORDER: gettext_lazy("Cancel order"),
}


def permitted_order(request: HttpRequest, key: str) -> Order | None:
    """Return the permitted order with a key as text, or None."""
    number = key_of(key)
    if number is None:
        return None
    orders = site_access(request).permitted_orders().select_related("site")
    return orders.filter(pk=number).first()


def key_of(text: str) -> int | None:
    """Return a primary key from text, or None."""
    is_key = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_KEY
    return int(text) if is_key else None


def address_without(request: HttpRequest, *names: str, **values: str) -> str:
    """Return the address of the desk with the filters of `request`."""
    query: QueryDict = request.GET.copy()
    for name in ("done", "told", *names):
        query.pop(name, None)
    for name, value in values.items():
        query[name] = value
    text = query.urlencode()
    return f"{reverse('desk')}?{text}" if text else reverse("desk")


def panel_context(
    request: HttpRequest, order: Order, *, form: forms.Form | None = None, refused: str = ""
) -> dict[str, Any]:
    """Return the context of the panel; `form` is the refused one, if any."""
    items = list(
        OrderItem.objects.filter(order=order)
        .select_related("replaces", "parent")
        .order_by("position")
    )
    is_open = lifecycle.is_oversold(order)
    return {
        "order": order,
        "close": address_without(request, *OF_PANEL),
        "is_short": is_open,
        "short_items": [item for item in items if item.open_quantity > 0],
        "causes": _causes(request, order, items) if is_open else (),
        "promise": promise_texts([order], now=timezone.now()).get(order.pk),
        "last_message": messages_of(order)[:1],
        "refused": refused,
        "asked": asked_context(order, timezone.now()) if is_open else None,
        **(_decisions(request, order, items, form) if is_open else {}),
    }


def _causes(
    request: HttpRequest, order: Order, items: Sequence[OrderItem]
) -> list[tuple[Cause, list[causes.Earlier], int]]:
    """Return each cause with the earlier orders that this person may see, and the others."""
    found = causes.causes_of(order, items)
    keys = [one.order.pk for cause in found for one in cause.earlier]
    orders = site_access(request).permitted_orders()
    seen = set(orders.filter(pk__in=keys).values_list("pk", flat=True)) if keys else set()
    shown = []
    for cause in found:
        earlier = [one for one in cause.earlier if one.order.pk in seen]
        shown.append((cause, earlier, cause.earlier_number - len(earlier)))
    return shown


def _decisions(
    request: HttpRequest, order: Order, items: Sequence[OrderItem], form: forms.Form | None
) -> dict[str, Any]:
    if not request.user.has_perm(CHANGE_ORDERS):
        return {"options": ()}
    shortage = shortages.shortages_of([order.pk])[order.pk]
    proposal = propose([order], {order.pk: shortage})[order.pk]
    chosen = request.GET.get("sku_by", "").replace("\0", "")[:250]
    now, price = timezone.now(), None
    agreed = asks.last_of(order)
    if agreed is not None and agreed.answer == AskAnswer.ACCEPTED and agreed.sku:
        chosen = chosen or agreed.sku
        price = agreed.unit_price if chosen == agreed.sku else None
    options = outlook.options_of(
        order, items, shortage, proposal=proposal, sku=chosen, now=now, price=price
    )
    is_asked = agreed is not None and agreed.answer == AskAnswer.WAITING
    route, seen = route_of(order), outlook.mark_of(order, items)
    mine = form.data.get("kind") if form is not None else None
    question = None
    if not is_asked:
        question = question_context(request, order, items, options, seen=seen, form=form, now=now)
    # One of the forms is open.
    is_open = is_asked or (question is not None and question["is_open"])
    is_proposed = bool(options) and options[0].is_proposed and not is_open
    first = mine or (options[0].remedy if is_proposed else None)
    return {
        "shortage": shortage,
        "proposal": proposal,
        "reserve_again": lifecycle.check(order, Action.RESERVE_AGAIN) is None
        and request.user.has_perm("reconciliation.start_run"),
        "options": [
            {
                "option": option,
                "is_first": option.remedy == first,
                "form": (typed := form if option.remedy == mine else None),
                "values": _values(option, order, route, seen, typed),
            }
            for option in options
        ],
        "question": question,
        "others": _others(request, options, items),
    }


def _others(
    request: HttpRequest, options: Sequence[Option], items: Sequence[OrderItem]
) -> list[tuple[remedies.Suggestion, str]]:
    """Return other replacements of the only short item, with the address that chooses each."""
    option = next((one for one in options if one.remedy == Remedy.REPLACE), None)
    if option is None or option.replacing is None:
        return []
    found = remedies.suggest(item=option.items[0], limit=_MOST_SUGGESTED + 1)
    others = [one for one in found if one.sku != option.replacing.sku][:_MOST_SUGGESTED]
    return [(one, address_without(request, "wait", sku_by=one.sku)) for one in others]


def _parts(option: Option) -> list[str]:
    """Return the effect of a split on each item, in the form's format."""
    if option.split is None:
        return []
    prices = ["" if one.unit_price is None else f"{one.unit_price:f}" for one in option.split.parts]
    return [
        *(
            f"{part.item.pk}:{part.units}:{price}:{part.sku}"
            for part, price in zip(option.split.parts, prices, strict=True)
        ),
        *(f"{item.pk}:{item.open_quantity}::" for item in option.split.rest),
    ]


def _values(
    option: Option,
    order: Order,
    route: MessageRoute,
    seen: str,
    form: forms.Form | None,
) -> Mapping[str, Any]:
    """Return the values of a form's fields: as typed, or proposed."""
    message = option.message
    lack = lack_of(order, route)
    may_send = not lack
    values: dict[str, Any] = {
        "seen": seen,
        "token": uuid.uuid4(),
        "units": [f"{item.pk}:{item.open_quantity}" for item in option.items],
        "parts": _parts(option),
        "reason": _("Oversold: OCI has too few units"),
        "reference": "",
        "send": may_send,
        "may_send": may_send,
        "no_way": NO_WAY.get(lack, ""),
        "recipient": message.recipient,
        "subject": message.subject,
        "body": message.body,
        "language": message.language,
    }
    if form is not None:
        typed = ("reason", "reference", "subject", "body", "token")
        values |= {name: form.data.get(name, "") for name in typed}
        values["send"] = "send" in form.data
    return values
