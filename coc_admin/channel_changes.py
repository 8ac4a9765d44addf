"""Create, change and delete alert channels. Each change is in the audit log, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from coc_admin.accounts import audit_log
from orders.actors import Actor
from reconciliation.models import Channel, Delivery, DeliveryState

_NOTED = ("name", "kind", "least_priority", "descriptors", "every_site", "enabled")
SWITCHED_OFF = "The channel was switched off."


class ChannelMoved(Exception):
    """The channel was changed since it was read."""

    def __init__(self, channel: Channel) -> None:
        super().__init__("The channel has been changed in the meantime.")
        self.channel = channel


def create(*, values: Mapping[str, Any], actor: Actor, now: datetime) -> Channel:
    """Make a channel."""
    fields = dict(values)
    sites = fields.pop("sites")
    with transaction.atomic():
        channel = Channel.objects.create(**fields)
        channel.sites.set(sites)
        audit_log.append(
            actor=actor,
            now=now,
            action="channel.created",
            target=f"channel:{channel.pk}",
            detail=_detail(channel),
        )
    return channel


def change(
    *, channel: Channel, seen: int, values: Mapping[str, Any], actor: Actor, now: datetime
) -> Channel:
    """Change a channel that still matches `seen`. Raises ChannelMoved.

    Pending messages of a channel that is switched off are dropped. After a change it starts
    again: earlier failures no longer count.
    """
    fields = dict(values)
    sites = fields.pop("sites")
    with transaction.atomic():
        before = _detail(channel)
        won = Channel.objects.filter(pk=channel.pk, version=seen).update(
            **fields, version=F("version") + 1, failures=0, failing_since=None, last_error=""
        )
        if not won:
            channel.refresh_from_db()
            raise ChannelMoved(channel)
        channel.refresh_from_db()
        channel.sites.set(sites)
        pending = Delivery.objects.filter(channel=channel, state=DeliveryState.PENDING)
        if channel.enabled:
            pending.update(due_at=now)
        else:
            pending.update(state=DeliveryState.FAILED, error=SWITCHED_OFF, finished_at=now)
        audit_log.append(
            actor=actor,
            now=now,
            action="channel.changed",
            target=f"channel:{channel.pk}",
            detail=audit_log.changed(before, _detail(channel)),
        )
    return channel


def delete(*, channel: Channel, actor: Actor, now: datetime) -> None:
    """Delete a channel with its log; does nothing if it no longer exists."""
    with transaction.atomic():
        key, told = channel.pk, _detail(channel)
        deleted, _by_model = Channel.objects.filter(pk=key).delete()
        if deleted:
            audit_log.append(
                actor=actor,
                action="channel.deleted",
                target=f"channel:{key}",
                detail=told,
                now=now,
            )


def _detail(channel: Channel) -> dict[str, object]:
    told: dict[str, object] = {name: getattr(channel, name) for name in _NOTED}
    return told | {"sites": sorted(channel.sites.values_list("pk", flat=True))}
