"""Asking the customer of a short order first: the ask and its message, as one act.

Nothing is reserved or promised. `proposal` says what can be offered; `message` fills the text that
a person has seen or edited, with its placeholders; `ask` stores the ask with the message and sends
it. One order and many (`bulk_asks`) are asked by the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from orders import asks, lifecycle
from orders.actors import Actor
from orders.asks import Offer
from orders.customer_messages import Draft, draft, template_of
from orders.errors import CannotRemedy
from orders.lifecycle import Action
from orders.message_languages import Template
from orders.message_values import amount_text, units_text
from orders.models import Ask, CustomerMessage, MessageKind, Order, OrderItem
from orders.refusals import moved_on
from reconciliation import message_handover, remedies
from reconciliation.decisions.decide import Letter
from reconciliation.decisions.outlook import Option, mark_of
from reconciliation.decisions.proposals import Remedy

# How long the customer has to answer, unless the person chooses.
USUAL_DAYS = 2
MOST_DAYS = 30
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What the customer can be asked. `offer` is None without anything to offer.

    `refusal` says why it can't be offered at the moment.
    """

    offer: Offer | None
    refusal: str = ""


def proposal(options: Sequence[Option], *, wait_until: datetime | None = None) -> Question:
    """Return the question about an order: waiting until a moment, or else its replacement."""
    offer, refusal = None, ""
    option = next((one for one in options if one.remedy == Remedy.REPLACE), None)
    if wait_until is not None:
        offer = Offer(wait_until=wait_until)
    elif option is not None and option.replacing is not None:
        preview = option.replacing
        offer = Offer(
            item=preview.item,
            sku=preview.sku,
            product_name=preview.product_name,
            units=preview.units,
            unit_price=preview.unit_price,
        )
        refusal = preview.refusal
    return Question(offer, refusal)


def due_after(days: int, *, now: datetime) -> datetime:
    """Return until when a customer who is asked `now` can answer."""
    return now + timedelta(days=days)


def message(
    order: Order,
    offer: Offer,
    items: Sequence[OrderItem],
    *,
    text: Template,
    due_at: datetime,
) -> Draft:
    """Return the message that asks about an offer, as it is sent, in the language of `text`."""
    short = [item for item in items if item.open_quantity > 0]
    if offer.item is not None:
        short = [offer.item]
    names = [item.product_name or item.sku for item in short]
    more = ["…"] if len(names) > _MOST_NAMED else []
    with translation.override(text.language):
        asked = {
            "offer": offer_text(order, offer),
            "product": ", ".join(names[:_MOST_NAMED] + more) or "–",
            "offeredProduct": offer.product_name or offer.sku or "–",
            "deadline": deadline_text(order, due_at),
        }
    return draft(order, MessageKind.ASK, items=items, template=text, asked=asked)


def deadline_text(order: Order, due_at: datetime) -> str:
    """Return until when a customer can answer: the full hour before, in the site's time zone.

    In the active language, like the texts below.
    """
    moment = due_at.astimezone(order.site.zone).replace(minute=0, second=0, microsecond=0)
    words = _("%(day)s, %(time)s")
    day, hour = date_format(moment.date(), "DATE_FORMAT"), f"{moment:%H:%M}"
    return words % {"day": day, "time": hour}


def offer_text(order: Order, offer: Offer) -> str:
    """Return an offer as the message to the customer states it."""
    if offer.wait_until is not None:
        return _("to deliver it by %(day)s") % {"day": last_day(order, offer.wait_until)}
    item, units = offer.item, offer.units
    if item is None or units is None:
        raise AssertionError(offer)
    told = {
        "units": units_text(units),
        "name": offer.product_name or offer.sku,
        "old": item.product_name or item.sku,
    }
    if offer.unit_price is None:
        return _("%(units)s × %(name)s instead of %(old)s") % told
    words = _("%(units)s × %(name)s instead of %(old)s, at %(price)s each")
    return words % (told | {"price": amount_text(offer.unit_price, order.currency)})


def last_day(order: Order, until: datetime) -> str:
    """Return the last day before a moment in the time zone of the order's site, in words."""
    moment = until - timedelta(microseconds=1)
    return date_format(moment.astimezone(order.site.zone).date(), "DATE_FORMAT")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks: an item's open units as a SKU at a price, or waiting; and how long."""

    units: tuple[int, Decimal] | None
    sku: str
    unit_price: Decimal | None
    wait_until: datetime | None
    due_at: datetime


def ask(
    *,
    order_id: int,
    wanted: Wanted,
    letter: Letter,
    seen: str,
    actor: Actor,
    clock: Callable[[], datetime],
    on_letter: Callable[[CustomerMessage], object] = lambda message: None,
) -> Ask:
    """Store the ask and its message in one transaction, then hand the message over.

    The text of `letter` may have placeholders. `seen` is the order's mark (`outlook.mark_of`) as it
    was shown. `on_letter` is called in the transaction that writes the message. The same token
    again finds the ask and sends nothing. Raises CannotRemedy; nothing is stored or sent then.
    """
    with transaction.atomic():
        order = (
            Order.objects.select_for_update(of=("self",)).select_related("site").get(pk=order_id)
        )
        asked = Ask.objects.filter(order=order, message__token=letter.token).first()
        if asked is None:
            asked = _ask(order, wanted, letter, seen, actor=actor, now=clock(), on_letter=on_letter)
    if asks.may_send(asked.message):
        message_handover.hand_over(asked.message, clock=clock)
    return asked


def _ask(
    order: Order,
    wanted: Wanted,
    letter: Letter,
    seen: str,
    *,
    actor: Actor,
    now: datetime,
    on_letter: Callable[[CustomerMessage], object],
) -> Ask:
    lifecycle.require(order, Action.KEEP_PLACE, CannotRemedy)
    if mark_of(order, OrderItem.objects.filter(order=order).order_by("position")) != seen:
        raise CannotRemedy(moved_on())
    offer = _offer(order, wanted, now=now)
    values = letter.values
    # The person has changed the words of the template, not its language.
    template = template_of(order, MessageKind.ASK)
    filled = message(
        order,
        offer,
        list(OrderItem.objects.filter(order=order).select_related("replaces", "parent")),
        text=template._replace(subject=values["subject"], body=values["body"]),
        due_at=wanted.due_at,
    )
    written, is_new = message_handover.write(
        order=order,
        token=letter.token,
        values={
            "kind": MessageKind.ASK,
            "recipient": values["recipient"],
            "subject": filled.subject,
            "body": filled.body,
        },
        by_email=letter.by_email,
        by_webhook=letter.by_webhook,
        actor=actor,
        now=now,
    )
    if not is_new:
        raise CannotRemedy(moved_on())
    on_letter(written)
    return asks.record(order, offer, written, due_at=wanted.due_at, actor=actor, now=now)


def _offer(order: Order, wanted: Wanted, *, now: datetime) -> Offer:
    """Return what is offered, as its preview is now. Raises CannotRemedy if it can't be."""
    if wanted.units is None:
        return Offer(wait_until=wanted.wait_until)
    pk, units = wanted.units
    item = OrderItem.objects.select_related("order").filter(pk=pk, order=order).first()
    if item is None:
        raise CannotRemedy(_("This item does not belong to the order."))
    (preview,) = remedies.preview_replace(
        [item], sku=wanted.sku, unit_price=wanted.unit_price, now=now
    )
    if preview.refusal or preview.units != units:
        raise CannotRemedy(preview.refusal or moved_on())
    return Offer(
        item=item,
        sku=preview.sku,
        product_name=preview.product_name,
        units=units,
        unit_price=wanted.unit_price,
    )
