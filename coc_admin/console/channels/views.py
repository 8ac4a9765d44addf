"""Pages of the channels: the list, one with its log; create, change, test and delete."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin import channel_changes
from coc_admin.accounts.site_access import site_access
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.channels.access import channels_of, deliveries_of
from coc_admin.console.channels.forms import ChannelForm
from coc_admin.pager import NEWEST_FIRST
from orders.reasons import read
from reconciliation.alerts.channels.delivery import send_test
from reconciliation.models import Channel, ChannelKind, DeliveryState

PAGE = 50
MAY = "reconciliation.change_channel"


@console_page(MAY)
def channel_list(request: HttpRequest) -> HttpResponse:
    """List the channels, with their faults."""
    rows = [(channel, target_words(channel)) for channel in channels_of(request)]
    return render(request, "console/channels/channels.html", {"rows": rows})


@console_page(MAY)
def delivery_log(request: HttpRequest) -> HttpResponse:
    """List the deliveries of all channels, newest first; `state` and `before` filter it."""
    return render(request, "console/channels/deliveries.html", _log(request))


@console_page(MAY)
def channel_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one channel with its log."""
    channel = _channel_or_404(request, pk)
    context = {"channel": channel, "target": target_words(channel)} | _log(request, channel)
    return render(request, "console/channels/channel.html", context)


@console_page(MAY, methods=READ_AND_POST)
def channel_new(request: HttpRequest) -> HttpResponse:
    """Create a channel."""
    form = ChannelForm(request.POST or None, access=site_access(request))
    if request.method == "POST" and form.is_valid():
        channel = channel_changes.create(
            values=form.values, actor=actor_of(request), now=timezone.now()
        )
        messages.success(request, _("The channel was created. Send a test."))
        return redirect("channel", pk=channel.pk)
    return _edit(request, form, None)


@console_page(MAY, methods=READ_AND_POST)
def channel_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a channel; after a conflict the person sees the other change and keeps their input."""
    channel = _channel_or_404(request, pk)
    form = ChannelForm(request.POST or None, access=site_access(request), channel=channel)
    if request.method == "POST" and form.is_valid():
        try:
            channel_changes.change(
                channel=channel,
                seen=form.cleaned_data["version"] or 0,
                values=form.values,
                actor=actor_of(request),
                now=timezone.now(),
            )
        except channel_changes.ChannelMoved as error:
            return _edit(request, form, error.channel, moved=True)
        messages.success(request, _("The channel was changed."))
        return redirect("channel", pk=channel.pk)
    return _edit(request, form, channel)


@console_page(MAY, methods=("POST",))
def channel_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a test now, and report its result."""
    channel = _channel_or_404(request, pk)
    delivery = send_test(channel, clock=timezone.now)
    if delivery.state == DeliveryState.SENT:
        messages.success(request, _("The test was sent."))
    else:
        error = read(delivery.error, delivery.error_codes)
        messages.error(request, _("The test was not sent. %s") % error)
    return redirect("channel", pk=channel.pk)


@console_page(MAY, methods=READ_AND_POST)
def channel_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a channel after a confirmation."""
    if request.method == "POST" and not channels_of(request).filter(pk=pk).exists():
        return redirect("channels")
    channel = _channel_or_404(request, pk)
    if request.method == "POST":
        channel_changes.delete(channel=channel, actor=actor_of(request), now=timezone.now())
        messages.success(request, _("The channel was deleted."))
        return redirect("channels")
    context = {
        "channel": channel,
        "target": target_words(channel),
        "back": reverse("channel", args=[channel.pk]),
    }
    return render(request, "console/channels/channel_delete.html", context)


def target_words(channel: Channel) -> str:
    """Return the destination of messages without secrets: of a webhook only the host."""
    if channel.kind == ChannelKind.EMAIL:
        return channel.target
    return urlsplit(channel.target).hostname or ""


def _channel_or_404(request: HttpRequest, pk: int) -> Channel:
    return get_object_or_404(channels_of(request), pk=min(pk, 2**63 - 1))


def _log(request: HttpRequest, channel: Channel | None = None) -> dict[str, Any]:
    found = deliveries_of(request).select_related("channel")
    if channel is not None:
        found = found.filter(channel=channel)
    state = request.GET.get("state", "")
    if state in DeliveryState.values:
        found = found.filter(state=state)
    else:
        state = ""
    page = NEWEST_FIRST.page(found, request.GET.get("cursor", ""), size=PAGE)
    return {
        "deliveries": page.rows,
        "page": page,
        "state": state,
        "states": [("", _("All")), *DeliveryState.choices],
    }


def _edit(
    request: HttpRequest, form: ChannelForm, channel: Channel | None, *, moved: bool = False
) -> HttpResponse:
    context = {
        "form": form,
        "channel": channel,
        "moved": moved,
        "limited": site_access(request).is_limited,
    }
    status = 409 if moved else 400 if form.errors else 200
    return render(request, "console/channels/channel_edit.html", context, status=status)
