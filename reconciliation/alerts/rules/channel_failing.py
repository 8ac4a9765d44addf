"""A channel takes no messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.reasons import read
from orders.standing_queries import Given
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, Channel, Priority

# Once or twice may be a hiccup at the receiver.
TRIES = 3


class ChannelFailing(Rule):
    """Shown in the console only: over the other channels it would be repeated for ever."""

    title = gettext_lazy("Channel cannot be reached")
    button = gettext_lazy("Open the channel")
    console_only = True

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the channels that fail."""
        return [_failing()]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield each channel that has failed several times in a row."""
        for channel in _failing().order_by("pk"):
            yield Found(
                context=f"channel:{channel.pk}",
                priority=Priority.WARN,
                link=f"/alerts/channels/{channel.pk}/",
                data={
                    "channel": channel.pk,
                    "name": channel.name,
                    "error": channel.last_error,
                    "error_codes": channel.last_error_codes,
                },
                since=channel.failing_since or facts.now,
            )

    def text(self, data: Data) -> Text:
        """Name the channel, the time and the reason."""
        message = _("The channel %(name)s has taken no message since %(time)s. %(error)s")
        error = read(data["error"], data.get("error_codes"))
        words = {"name": data["name"], "time": moment_of(data), "error": error}
        return Text(
            message % words,
            _(
                "Correct the channel or switch it off. Messages that are due are retried at growing"
                " intervals."
            ),
        )

    def past(self, data: Data) -> str:
        """Describe the period."""
        message = _("The channel %(name)s took no message from %(time)s to %(until)s.")
        return message % {"name": data["name"], **span_of(data)}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return the same text to people of the channel's sites."""
        return self.text_for_all(alert) if alert.data.get("channel") in sites.channels else None


def _failing() -> QuerySet[Channel]:
    return Channel.objects.filter(enabled=True, failures__gte=TRIES)


RULE = ChannelFailing()
