"""Drafts of messages to customers: templates with placeholders, filled from an order.

A template is text in which `{orderNo}` and its like stand for values, and nothing else means
anything: it is not a program, and values of an order are never parsed as a template.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import translation
from django.utils.translation import gettext as _

from orders.actors import Actor
from orders.message_languages import Languages, Template, languages_of, languages_of_sites
from orders.message_texts import PLACEHOLDERS, SHIPPED
from orders.message_values import LONGEST_BODY, values_of
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

LONGEST_SUBJECT = 200

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
    """A message as it is proposed to the person who sends it; an empty one has no language."""

    kind: MessageKind | None
    recipient: str
    subject: str
    body: str
    language: str = ""


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


def template_for(site_id: str, kind: MessageKind, *, language: str = "") -> Template:
    """Return the site's own template, else the default, else what we ship in its language.

    `language` is that of the site if the caller knows it; "" to look it up.
    """
    language = language or languages_of_sites().get(site_id, settings.LANGUAGE_CODE)
    return _choose(_own_templates(kind), site_id, kind, Languages(language))


def template_of(order: Order, kind: MessageKind) -> Template:
    """Return `template_for` of the order's site; what we ship is in the order's own language."""
    return templates_of([order], kind)[order.pk]


def templates_of(orders: Sequence[Order], kind: MessageKind) -> dict[int, Template]:
    """Return `template_of` of each order, by its key; two queries."""
    own, languages = _own_templates(kind), languages_of(orders)
    return {order.pk: _choose(own, order.site_id, kind, languages[order.pk]) for order in orders}


def _own_templates(kind: MessageKind) -> dict[str | None, tuple[str, str]]:
    """Return the templates that people wrote, by site; None for that of every site."""
    found = MessageTemplate.objects.filter(kind=kind)
    return {row.site_id: (row.subject, row.body) for row in found}


def _choose(
    own: Mapping[str | None, tuple[str, str]], site_id: str, kind: MessageKind, languages: Languages
) -> Template:
    # People write a template in the language of their site, for all its customers.
    written = own.get(site_id) or own.get(None)
    if written is not None:
        return Template(*written, languages.site)
    return shipped(kind, languages.own or languages.site)


def shipped(kind: MessageKind, language: str) -> Template:
    """Return the template that we ship, in a language of settings.LANGUAGES."""
    subject, body = SHIPPED[kind]
    with translation.override(language):
        return Template(_(subject), _(body), language)


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
    template: Template | None = None,
    asked: Mapping[str, str] = _NOT_ASKED,
) -> Draft:
    """Return the message that is proposed for an order; an empty one without a kind.

    `items` are those of the order as it will be, for a message that is written before the act.
    `asked` are the values of the placeholders that a question to the customer has besides.
    `template` is filled instead of the one that is set now. The language is that of the template,
    whichever is active.
    """
    recipient = str(order.customer.get("email") or "")[:254]
    if kind is None:
        return Draft(kind, recipient, "", "")
    subject, body, language = template or template_of(order, kind)
    with translation.override(language):
        values = values_of(order, items)
    values |= {**_NOT_ASKED, **asked}
    one_line = {name: " ".join(value.split()) for name, value in values.items()}
    subject = fill(subject, one_line)[:LONGEST_SUBJECT]
    return Draft(kind, recipient, subject, fill(body, values), language)


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
