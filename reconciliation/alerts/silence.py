"""What the alerts about silent processes have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Exists, QuerySet
from django.utils.translation import gettext_lazy

from orders.standing_queries import Given
from reconciliation.alerts.rule import Facts, Found, Rule
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, Heartbeat, Priority
from reconciliation.queue import heartbeats


class SilenceRule(Rule):
    """Open while no process of a kind (`component`) reports, until one does again."""

    component: str
    # Silence shorter than this means nothing.
    quiet: timedelta
    button = gettext_lazy("Open the home page")

    @abstractmethod
    def is_silent(self, quiet: timedelta) -> bool:
        """Whether nothing reported for so long is too long."""

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the beats of all components, if this one has not beaten of late."""
        late = Given(now.name, less=self.quiet)
        young = Heartbeat.objects.filter(component=self.component, beat_at__gte=late)
        return [Heartbeat.objects.filter(~Exists(young))]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield it if none has beaten for too long, once any process has reported."""
        beats = {name: heartbeats.last_beat(name) for name in _COMPONENTS}
        last = beats[self.component]
        quiet = facts.now - max(last or facts.watching_since, facts.watching_since)
        # One that has never reported is missed as soon as the other process works.
        if any(beats.values()) and self.is_silent(quiet):
            yield Found(
                priority=Priority.ACTION, link="/", data={"never": last is None}, since=last
            )

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Say the same to everybody: all sites share these processes."""
        return self.text_for_all(alert)


_COMPONENTS = (heartbeats.MONITOR, heartbeats.WORKER)
