"""The alert about a channel that cannot be reached; it is told in the console only."""

from __future__ import annotations

from datetime import datetime

from reconciliation.alerts.lifecycle import resolve_others
from reconciliation.alerts.text import raise_said
from reconciliation.models import Channel, Descriptor, Priority

# Once or twice may be a hiccup at the receiver.
TRIES = 3


def refresh(now: datetime) -> None:
    """Raise or resolve the alerts about channels; two small queries while all is well."""
    contexts = []
    for channel in Channel.objects.filter(enabled=True, failures__gte=TRIES).order_by("pk"):
        contexts.append(f"channel:{channel.pk}")
        raise_said(
            descriptor=Descriptor.CHANNEL_FAILING,
            context=contexts[-1],
            priority=Priority.WARN,
            link=f"/alerts/channels/{channel.pk}/",
            data={"channel": channel.pk, "name": channel.name, "error": channel.last_error},
            now=now,
            since=channel.failing_since or now,
        )
    resolve_others(descriptor=Descriptor.CHANNEL_FAILING, keep=contexts, now=now)
