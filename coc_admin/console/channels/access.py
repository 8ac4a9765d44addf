"""Channels that a person may see: those that report only permitted sites."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest

from coc_admin.accounts.site_access import site_access
from reconciliation.models import Channel, Delivery


def channels_of(request: HttpRequest) -> QuerySet[Channel]:
    """Return the channels that the person may see and change, by name."""
    channels = Channel.objects.order_by("name")
    allowed = site_access(request).allowed
    if allowed is None:
        return channels
    through = Channel.sites.through.objects
    outside = through.exclude(site__in=allowed).values("channel")
    inside = through.filter(site__in=allowed).values("channel")
    return channels.filter(every_site=False, pk__in=inside).exclude(pk__in=outside)


def deliveries_of(request: HttpRequest) -> QuerySet[Delivery]:
    """Return the deliveries of these channels, newest first."""
    return (
        Delivery.objects.filter(channel__in=channels_of(request).order_by())
        .select_related("channel")
        .order_by("-pk")
    )
