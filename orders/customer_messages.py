"""Drafts of messages to customers: templates with placeholders, filled from an order.

A template is text in which `{orderNo}` and its like stand for values, and nothing else means
anything: it is not a program, and values of an order are never parsed as a template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from orders.actors import Actor
from orders.fields import ZERO
from orders.message_texts import IN_THE_CATALOGUE, PLACEHOLDERS, SHIPPED
from orders.models import (
    CustomerMessage,
    EventKind,
    MessageKind,
    MessageTemplate,
    Order,
    OrderEvent,
    OrderItem,
    OrderStatus,
    Resolution,
)
from orders.reasons import read
from orders.texts import is_plain
from orders.units import to_deliver_of

LONGEST_SUBJECT = 200
LONGEST_BODY = 10_000
# There are three lists to choose from, and the text around them.
_LONGEST_LIST = LONGEST_BODY // 4

# What placeholders of a question stand for in a message that asks nothing.
_NOT_ASKED: Mapping[str, str] = dict.fromkeys(
    ("offer", "product", "offeredProduct", "deadline"), "–"
)
_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")

_KINDS_OF_EVENTS = {
    EventKind.ITEMS_CANCELLED: MessageKind.SHORT_CANCELLED,
    EventKind.REPLACED: MessageKind.REPLACED,
}


class TemplateRefused(Exception):
    """A template can't be used; `detail` has the reason, and nothing has changed."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class TemplateMoved(Exception):
    """The template was changed since it was read; `current` is the new one."""

    def __init__(self, current: MessageTemplate | None) -> None:
        super().__init__("The template has been changed in the meantime.")
        self.current = current


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as it is proposed to the person who sends it."""

    kind: MessageKind | None
    recipient: str
    subject: str
    body: str


def errors_of(message: CustomerMessage) -> list[str]:
    """Return why parts of a message were not handed over, in the active language."""
    errors = [
        read(message.email_error, message.email_error_codes),
        read(message.webhook_error, message.webhook_error_codes),
    ]
    return [error for error in errors if error]


def unknown_placeholders(text: str) -> list[str]:
    """Return what looks like a placeholder and is none, in order, each once."""
    names = _PLACEHOLDER.findall(text)
    return list(dict.fromkeys(name for name in names if name not in PLACEHOLDERS))


def placeholder_refusal(text: str) -> str:
    """Return why a text can't be a template: it names placeholders that don't exist; or ""."""
    unknown = unknown_placeholders(text)
    if not unknown:
        return ""
    names = ", ".join(f"{{{name}}}" for name in unknown)
    return _("There is no placeholder %(names)s.") % {"names": names}


def template_for(site_id: str, kind: MessageKind) -> tuple[str, str]:
    """Return subject and body of the site's own template, else the default, else what we ship."""
    return templates_for([site_id], kind)[site_id]


def templates_for(site_ids: Iterable[str], kind: MessageKind) -> dict[str, tuple[str, str]]:
    """Return `template_for` of each site; one query."""
    rows = {
        row.site_id: (row.subject, row.body) for row in MessageTemplate.objects.filter(kind=kind)
    }
    shared = rows.get(None) or shipped(kind)
    return {site_id: rows.get(site_id, shared) for site_id in site_ids}


def shipped(kind: MessageKind) -> tuple[str, str]:
    """Return subject and body of the template that we ship, in the language of the reader."""
    subject, body = SHIPPED[kind]
    return _(subject), _(body)


def save_template(
    *,
    site_id: str | None,
    kind: MessageKind,
    subject: str,
    body: str,
    seen: int,
    actor: Actor,
    now: datetime,
) -> MessageTemplate:
    """Keep a template; `seen` is its version as it was read, 0 for none.

    The same text again changes nothing. Raises TemplateRefused and TemplateMoved.
    """
    _check(subject, body)
    told = {"subject": subject, "body": body}
    key = MessageTemplate.objects.filter(site=site_id, kind=kind)
    current = key.first()
    if current is not None and (current.subject, current.body) == (subject, body):
        return current
    by = {"changed_at": now, "changed_by": actor.name[:150]}
    try:
        with transaction.atomic():
            if seen == 0 and current is None:
                return MessageTemplate.objects.create(site_id=site_id, kind=kind, **told, **by)
            won = key.filter(version=seen).update(**told, **by, version=F("version") + 1)
    except IntegrityError:
        won = 0
    if not won:
        raise TemplateMoved(key.first())
    return key.get()


def kind_of(order: Order) -> MessageKind | None:
    """Return the kind of message for an order: by its resolution, or its latest item remedy."""
    if order.resolution == Resolution.REPLACED:
        cancelled = OrderItem.objects.filter(order=order, cancelled_quantity__gt=0)
        return MessageKind.CHANGED if cancelled.exists() else MessageKind.REPLACED
    if order.resolution in MessageKind.values:
        return MessageKind(order.resolution)
    if order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED):
        return MessageKind.CANCELLED
    last = OrderEvent.objects.filter(order=order, kind__in=_KINDS_OF_EVENTS).last()
    return None if last is None else _KINDS_OF_EVENTS[EventKind(last.kind)]


def draft(
    order: Order,
    kind: MessageKind | None,
    *,
    items: Iterable[OrderItem] | None = None,
    template: tuple[str, str] | None = None,
    asked: Mapping[str, str] = _NOT_ASKED,
) -> Draft:
    """Return the message that is proposed for an order; an empty one without a kind.

    `items` are those of the order as it will be, for a message that is written before the act.
    `asked` are the values of the placeholders that a question to the customer has besides.
    `template` is the subject and body to fill instead of those that are set now.
    """
    recipient = str(order.customer.get("email") or "")[:254]
    if kind is None:
        return Draft(kind, recipient, "", "")
    subject, body = template or template_for(order.site_id, kind)
    values = _values(order, items) | {**_NOT_ASKED, **asked}
    if kind in IN_THE_CATALOGUE and not order.customer.get("customerName"):
        values["customerName"] = pgettext("of unknown name, after Dear", "customer")
    one_line = {name: " ".join(value.split()) for name, value in values.items()}
    return Draft(kind, recipient, fill(subject, one_line)[:LONGEST_SUBJECT], fill(body, values))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace placeholders by values, once; values are not parsed."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def _check(subject: str, body: str) -> None:
    if not subject.strip() or not body.strip():
        raise TemplateRefused(_("A message needs a subject and a text."))
    if len(subject) > LONGEST_SUBJECT or len(body) > LONGEST_BODY:
        raise TemplateRefused(_("The subject or the text is too long."))
    if not is_plain(subject):
        raise TemplateRefused(_("The subject must be one line of plain text."))
    if refusal := placeholder_refusal(f"{subject}\n{body}"):
        raise TemplateRefused(refusal)


def _values(order: Order, known: Iterable[OrderItem] | None = None) -> dict[str, str]:
    if known is None:
        known = OrderItem.objects.filter(order=order).select_related("replaces", "parent")
    items = list(known)
    items.sort(key=lambda item: item.position)
    gone = order.status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED)
    return {
        "orderNo": order.order_no,
        "siteName": order.site.name or order.site_id,
        "customerName": str(order.customer.get("customerName") or "customer"),
        "orderTotal": f"{round(order.order_total, 2):,f} {order.currency}",
        "items": "–" if gone else _lines(items, to_deliver_of),
        "cancelledItems": _lines(items, _ordered if gone else _dropped),
        "replacements": _listed([_instead(i) for i in items if _stands_in(i)]),
    }


def _ordered(item: OrderItem) -> Decimal:
    """Return the ordered units of a line; bundles count for parts, items for their replacements."""
    was_ordered = item.parent_id is None and item.replaces_id is None
    return item.ordered_quantity if was_ordered else ZERO


def _dropped(item: OrderItem) -> Decimal:
    dropped: Decimal = item.cancelled_quantity
    return dropped


def _stands_in(item: OrderItem) -> bool:
    return item.replaces is not None and to_deliver_of(item) > 0


def _lines(items: Iterable[OrderItem], units_of: Callable[[OrderItem], Decimal]) -> str:
    return _listed([_line(item, units) for item in items if (units := units_of(item)) > 0])


def _listed(lines: Sequence[str]) -> str:
    """Return lines below each other, as many as fit a message; the last one counts the rest."""
    length, shown = 0, list(lines)
    for number, line in enumerate(lines):
        length += len(line) + 1
        if length > _LONGEST_LIST:
            shown[number:] = [f"… and {len(lines) - number:,} more"]
            break
    return "\n".join(shown) or "–"


def _line(item: OrderItem, units: Decimal) -> str:
    name = item.product_name or item.sku
    if item.parent is not None:
        name = f"{name} ({item.parent.product_name or item.parent.sku})"
    return f"{units.normalize():f} × {name}"


def _instead(item: OrderItem) -> str:
    old = item.replaces
    name = "" if old is None else old.product_name or old.sku
    return f"{_line(item, to_deliver_of(item))} (instead of {name})"
