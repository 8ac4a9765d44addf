"""Sending a message to the customer of an order, and changing how a site's messages leave.

A message is written down first, with the token of the form it stood in: a second click finds it. It
is handed over once; if that fails a person decides whether to try again. A process that hands over
messages in the background takes none that another process may have handed over before it died.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from orders.actors import Actor
from orders.models import (
    CustomerMessage,
    HandOver,
    MessageRoute,
    Order,
    Replacement,
    ReplacementState,
)
from reconciliation.alerts.channels import send
from reconciliation.alerts.channels.no_mail import NoMail
from reconciliation.models import LetterState
from reconciliation.reasons import columns

MOST_MESSAGES = 20
MAX_ERROR = 300
# Longer than both ways out may take.
_CLAIM = timedelta(seconds=60)


class RouteMoved(Exception):
    """The site's message settings were changed since they were read."""


def write(
    *,
    order: Order,
    token: uuid.UUID,
    values: Mapping[str, Any],
    by_email: bool,
    by_webhook: bool,
    actor: Actor,
    now: datetime,
    replacement: Replacement | None = None,
) -> tuple[CustomerMessage, bool]:
    """Write a message down; returns it and whether it is new, or the one with the same token.

    `values` are kind, recipient, subject and body, as the person saw them. A message about a
    `replacement` waits until that is done. Call with the order locked then.
    """
    is_done = replacement is None or replacement.state == ReplacementState.DONE
    wanted = HandOver.PENDING if is_done else HandOver.WAITING
    state = {True: wanted, False: HandOver.NONE}
    return CustomerMessage.objects.get_or_create(
        token=token,
        defaults={
            **values,
            "order": order,
            "actor": actor.name[:150],
            "at": now,
            "email": state[by_email],
            "webhook": state[by_webhook],
            "replacement": replacement,
        },
    )


def try_again(message: CustomerMessage) -> bool:
    """Let what was not handed over be handed over once more; False if there is nothing."""
    changed = 0
    with transaction.atomic():
        for way in ("email", "webhook"):
            changed += CustomerMessage.objects.filter(
                pk=message.pk, **{way: HandOver.FAILED}
            ).update(**{way: HandOver.PENDING, f"{way}_error": ""})
    return changed > 0


def hand_over(message: CustomerMessage, *, clock: Callable[[], datetime]) -> CustomerMessage:
    """Send the pending parts of a message, unless another process does; store the results."""
    now = clock()
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    if _claim(message, free, now=now):
        return send_claimed(message, clock=clock)
    message.refresh_from_db()
    return message


def claim_first(message: CustomerMessage, *, now: datetime) -> bool:
    """Claim a message for `send_claimed`; False if it is not pending, or was ever claimed since.

    What a process that died may have sent is not claimed again: a person decides.
    """
    return _claim(message, Q(claimed_until__isnull=True), now=now)


def _claim(message: CustomerMessage, free: Q, *, now: datetime) -> bool:
    pending = Q(email=HandOver.PENDING) | Q(webhook=HandOver.PENDING)
    won = CustomerMessage.objects.filter(free, pending, pk=message.pk).update(
        claimed_until=now + _CLAIM, tries=F("tries") + 1
    )
    return won > 0


def give_up(message: CustomerMessage, why: str) -> None:
    """Mark the pending parts of a message as not handed over; a person may try again.

    Call in a transaction. Nothing changes if another process has claimed the message meanwhile.
    """
    unclaimed = CustomerMessage.objects.filter(pk=message.pk, claimed_until=message.claimed_until)
    for way in ("email", "webhook"):
        unclaimed.filter(**{way: HandOver.PENDING}).update(
            **{way: HandOver.FAILED}, **columns(f"{way}_error", why, limit=MAX_ERROR)
        )
    unclaimed.update(claimed_until=None)


def send_claimed(message: CustomerMessage, *, clock: Callable[[], datetime]) -> CustomerMessage:
    """Send the pending parts of a message that this process has claimed; store the results."""
    message.refresh_from_db()
    route = MessageRoute.objects.filter(site=message.order.site_id).first() or MessageRoute()
    marks: dict[str, Any] = {"claimed_until": None}
    if message.email == HandOver.PENDING:
        marks |= _outcome("email", lambda: _email(message, route))
    if message.webhook == HandOver.PENDING:
        marks |= _outcome("webhook", lambda: _webhook(message, route, clock().timestamp()))
    CustomerMessage.objects.filter(pk=message.pk).update(**marks)
    message.refresh_from_db()
    return message


def is_set_up(route: MessageRoute) -> bool:
    """Whether the site of a route has a sender of messages: a webhook, or e-mail with a server."""
    no_mail = f"{NoMail.__module__}.{NoMail.__qualname__}"
    return bool(route.webhook) or (route.email and no_mail != settings.EMAIL_BACKEND)


def lack_of(order: Order, route: MessageRoute) -> LetterState:
    """Return why the customer of an order can't be told; LetterState.NONE if nothing is lacking."""
    if order.customer_erased_at is not None:
        return LetterState.ERASED
    if route.webhook:
        return LetterState.NONE
    if not route.email:
        return LetterState.NO_WAY
    return LetterState.NONE if order.customer.get("email") else LetterState.NO_ADDRESS


def messages_of(order: Order) -> list[CustomerMessage]:
    """Return the messages to the customer of an order, newest first; one query."""
    return list(CustomerMessage.objects.filter(order=order).order_by("-pk")[:MOST_MESSAGES])


def save_route(
    *, site_id: str, seen: int, values: Mapping[str, Any]
) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Keep how the messages of a site leave; `seen` is the version as read. Raises RouteMoved.

    Returns what may be shown of the route before and after.
    """
    with transaction.atomic():
        route, _made = MessageRoute.objects.get_or_create(pk=site_id)
        before = _shown(route)
        won = MessageRoute.objects.filter(pk=site_id, version=seen).update(
            **values, version=F("version") + 1
        )
        if not won:
            raise RouteMoved
        route.refresh_from_db()
    return before, _shown(route)


def _shown(route: MessageRoute) -> dict[str, object]:
    return {
        "language": route.language,
        "email": route.email,
        "sender": route.sender,
        "has_webhook": bool(route.webhook),
    }


def _outcome(way: str, call: Callable[[], None]) -> dict[str, Any]:
    try:
        call()
    except send.NotSent as error:
        return {way: HandOver.FAILED, **columns(f"{way}_error", error.detail, limit=MAX_ERROR)}
    return {way: HandOver.SENT, f"{way}_error": ""}


def _email(message: CustomerMessage, route: MessageRoute) -> None:
    send.send_mail(
        to=[message.recipient],
        subject=message.subject,
        body=message.body,
        sender=route.sender,
        message_id=send.mail_id(f"order-message-{message.token}"),
    )


def _webhook(message: CustomerMessage, route: MessageRoute, at: float) -> None:
    told = {
        "messageId": str(message.token),
        "siteId": message.order.site_id,
        "orderNo": message.order.order_no,
        "kind": message.kind,
        "recipient": message.recipient,
        "subject": message.subject,
        "text": message.body,
    }
    send.post_json(
        url=route.webhook,
        body=json.dumps(told, separators=(",", ":"), sort_keys=True).encode(),
        uid=str(message.token),
        secret=route.secret,
        at=at,
    )
