"""Messages to the customers of a bulk remedy: each is sent once, after the order's remedy.

`request` stores with a confirmed remedy that its customers are told, and the texts as the person
saw them. `resume` writes each message in the transaction in which the remedy succeeds. That of a
replacement is written once the replacement is done. `bulk_sending` hands the messages over.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orders.actors import Actor, person
from orders.customer_messages import Draft, draft, templates_of
from orders.errors import CannotRemedy
from orders.message_languages import (
    Template,
    languages_of,
    site_and_language,
    stored_text,
    text_key,
)
from orders.models import MessageKind, MessageRoute, Order, OrderItem
from reconciliation import message_handover
from reconciliation.decisions import bulk_asks, drafts, questions
from reconciliation.models import BulkKind, BulkLine, BulkRemedy, BulkState, LetterState
from reconciliation.queue import enqueue
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.plans import Planned

KINDS: Mapping[BulkKind, MessageKind] = {
    BulkKind.CANCEL: MessageKind.CANCELLED,
    BulkKind.CANCEL_SHORT: MessageKind.SHORT_CANCELLED,
    BulkKind.REPLACE: MessageKind.REPLACED,
    BulkKind.SETTLE_OUTSIDE: MessageKind.SETTLED_OUTSIDE,
    BulkKind.ASK: MessageKind.ASK,
}


class TextsChanged(Exception):
    """The templates have changed since the person read the message."""


# Each is drafted for its own order, by a query of its items.
MOST_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class AskedTexts:
    """What a person made of a question: subject and body by `text_key`, and the days to answer."""

    texts: Mapping[str, tuple[str, str]]
    days: int


@dataclass(frozen=True, slots=True)
class Letters:
    """Whom a bulk remedy would tell: how many, how many not and why, and the first messages.

    `samples` is empty if nobody can be told. `is_set_up` says whether a site has a sender. `mark`
    is a fingerprint of the texts in their languages.
    """

    able: int
    unable: Sequence[tuple[LetterState, int]]
    samples: Sequence[tuple[Order, Draft]]
    is_set_up: bool
    mark: str


def preview(
    bulk: BulkRemedy,
    to_do: Sequence[Planned],
    *,
    now: datetime,
    asked: AskedTexts | None = None,
) -> Letters | None:
    """Return whom a remedy would tell if it was confirmed now; None if its kind tells nobody.

    `asked` is what a question says instead of its templates.
    """
    kind = KINDS.get(BulkKind(bulk.kind))
    if kind is None:
        return None
    sites = {one.order.site_id for one in to_do}
    orders = [one.order for one in to_do]
    routes, templates = _routes(sites), templates_of(orders, kind)
    texts = texts_of(orders, templates)
    lacks = Counter(message_handover.lack_of(one.order, routes[one.order.site_id]) for one in to_do)
    able = lacks.pop(LetterState.NONE, 0)
    told = [
        one for one in to_do if not message_handover.lack_of(one.order, routes[one.order.site_id])
    ]
    mark = _mark(texts)
    days = questions.USUAL_DAYS
    if asked is not None:
        texts, days = {**texts, **asked.texts}, asked.days

    def text_for(order: Order) -> Template:
        language = templates[order.pk].language
        return Template(*texts[text_key(order.site_id, language)], language)

    return Letters(
        able=able,
        unable=sorted(lacks.items()),
        samples=[
            (
                one.order,
                _draft_of(bulk, one, text_for(one.order), questions.due_after(days, now=now)),
            )
            for one in told[:MOST_SAMPLES]
        ],
        is_set_up=any(message_handover.is_set_up(route) for route in routes.values()),
        mark=mark,
    )


def texts_of(
    orders: Collection[Order], templates: Mapping[int, Template]
) -> dict[str, tuple[str, str]]:
    """Return subject and body of the templates of orders, by `text_key`."""
    found = ((order.site_id, templates[order.pk]) for order in orders)
    return {text_key(site_id, one.language): (one.subject, one.body) for site_id, one in found}


def _draft_of(bulk: BulkRemedy, one: Planned, template: Template, due_at: datetime) -> Draft:
    """Return the message for an order as it will be."""
    keys = [item.pk for item in one.items]
    found = OrderItem.objects.filter(pk__in=keys).select_related("replaces", "parent")
    order, items = one.order, list(found.order_by("position"))
    if bulk.kind == BulkKind.CANCEL:
        return drafts.cancelled_order(order, items, template=template)
    if bulk.kind == BulkKind.CANCEL_SHORT:
        units = {item.pk: item.open_quantity for item in items if item.open_quantity > 0}
        return drafts.cancelled_items(order, items, units, template=template)
    if bulk.kind == BulkKind.SETTLE_OUTSIDE:
        return drafts.settled_outside(order, items, template=template)
    if one.offered is not None and one.offered.offer is not None:
        return questions.message(order, one.offered.offer, items, text=template, due_at=due_at)
    if one.replacing is None or one.replacing.item is None:
        raise AssertionError(bulk.kind)
    return drafts.replaced(
        order,
        items,
        one.replacing.item,
        units=one.replacing.units,
        sku=bulk.sku,
        name=one.replacing.product_name,
        template=template,
    )


def request(bulk: BulkRemedy, *, seen: str, asked: AskedTexts | None = None) -> int:
    """Store that the customers of a remedy just confirmed are told; return how many can be.

    Call in the transaction that confirms it. `seen` is the mark of the templates as they were
    shown; `asked` is what a question says instead. Raises TextsChanged; the transaction must be
    rolled back then.
    """
    lines = list(bulk.lines.filter(state=BulkState.PENDING).select_related("order"))
    sites = {line.order.site_id for line in lines}
    orders = [line.order for line in lines]
    texts = texts_of(orders, templates_of(orders, KINDS[BulkKind(bulk.kind)]))
    if _mark(texts) != seen:
        raise TextsChanged
    routes = _routes(sites)
    for line in lines:
        lack = message_handover.lack_of(line.order, routes[line.order.site_id])
        line.letter = lack or LetterState.DUE
    if asked is not None:
        texts = {key: asked.texts[key] for key in texts}
        bulk_asks.keep_days(lines, asked.days)
    BulkLine.objects.bulk_update(lines, ["letter", "offer"], batch_size=200)
    # A worker of the version before knows one text of each site.
    before = {site_and_language(key)[0]: texts[key] for key in sorted(texts)}
    BulkRemedy.objects.filter(pk=bulk.pk).update(texts=before | texts)
    return sum(line.letter == LetterState.DUE for line in lines)


def resume(
    *,
    bulk: BulkRemedy,
    actor: Actor,
    now: datetime,
    site_ids: Collection[str] | None = None,
) -> int:
    """Do what `execution.resume` does, and write the message of each order that is done."""

    def on_done(line: BulkLine, order: Order) -> None:
        write(bulk, line, order, now=now)

    left = execution.resume(bulk=bulk, actor=actor, now=now, site_ids=site_ids, on_done=on_done)
    if bulk.texts:
        enqueue.soon("send_bulk_letters")
    return left


def write(bulk: BulkRemedy, line: BulkLine, order: Order, *, now: datetime) -> None:
    """Write the message of an order whose remedy has succeeded, in the caller's transaction.

    A question is asked by it. Raises CannotRemedy where the customer can't be asked.
    """
    is_question = bulk.kind == BulkKind.ASK
    if line.letter != LetterState.DUE and not is_question:
        return
    route = _routes([order.site_id])[order.site_id]
    if lack := message_handover.lack_of(order, route):
        if is_question:
            raise CannotRemedy(str(LetterState(lack).label))
        end(line, lack)
        return
    text = stored_text(bulk.texts, order.site_id, languages_of([order])[order.pk])
    offer = bulk_asks.offer_of(line) if is_question else None
    if offer is not None:
        items = OrderItem.objects.filter(order=order).select_related("replaces", "parent")
        written = questions.message(
            order,
            offer,
            list(items),
            text=text,
            due_at=bulk_asks.due_of(line, now=now),
        )
    else:
        written = draft(order, KINDS[BulkKind(bulk.kind)], template=text)
    message, _is_new = message_handover.write(
        order=order,
        token=uuid.uuid5(bulk.pk, str(line.pk)),
        values={
            "kind": written.kind,
            "recipient": written.recipient,
            "subject": written.subject,
            "body": written.body,
        },
        by_email=route.email and bool(written.recipient),
        by_webhook=bool(route.webhook),
        actor=person(bulk.user.get_username()),
        now=now,
    )
    if offer is not None:
        asker = person(bulk.user.get_username())
        bulk_asks.record(line, order, offer, message, actor=asker, now=now)
    BulkLine.objects.filter(pk=line.pk, message=None).update(message=message)
    line.message = message


def end(line: BulkLine, state: LetterState) -> bool:
    """Store that nothing more is done about a line's message; False if another process did."""
    ended = BulkLine.objects.filter(pk=line.pk, letter=LetterState.DUE).update(letter=state)
    return ended > 0


def _routes(site_ids: Collection[str]) -> dict[str, MessageRoute]:
    found = MessageRoute.objects.in_bulk(list(site_ids))
    return {site_id: found.get(site_id) or MessageRoute() for site_id in site_ids}


def _mark(texts: Mapping[str, tuple[str, str]]) -> str:
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:16]
