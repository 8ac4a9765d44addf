"""A planned outage begins within a day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, PlannedOutage, Priority, WindowState
from reconciliation.outages import planned

NOTICE = timedelta(hours=24)
# Sites that the sentence names.
MOST_NAMED = 5


class PlannedOutageNotice(Rule):
    """One notice a window, until it begins or is cancelled. A person may dismiss it."""

    title = gettext_lazy("Planned outage ahead")
    button = gettext_lazy("Open the planned outages")
    is_news = True

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the windows that are to begin."""
        return [planned.to_begin(now)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield each window that begins within the time of notice; one query, and one for each."""
        for window in planned.coming(facts.now, within=NOTICE):
            effects = planned.effects(starts_at=window.starts_at, ends_at=window.ends_at)
            yield Found(
                context=f"window:{window.pk}",
                priority=Priority.INFO,
                link="/outages/#planned-title",
                data={
                    "window": window.pk,
                    "startsAt": window.starts_at.isoformat(),
                    "endsAt": window.ends_at.isoformat(),
                    "by": window.owner,
                    "reason": window.note,
                    "refusing": [effect.site_id for effect in effects],
                },
                since=max(window.created_at, window.starts_at - NOTICE),
            )

    def has_grown(self, before: Data, after: Data) -> bool:
        """Notify people again if the window lasts longer, or if more sites refuse orders."""
        is_longer = datetime.fromisoformat(after["endsAt"]) > datetime.fromisoformat(
            before["endsAt"]
        )
        return is_longer or not set(after["refusing"]) <= set(before["refusing"])

    def final(self, data: Data) -> Data:
        """Note whether the window was cancelled."""
        window = PlannedOutage.objects.filter(pk=data["window"]).first()
        is_cancelled = window is not None and window.state == WindowState.CANCELLED
        return {**data, "cancelled": is_cancelled}

    def text(self, data: Data) -> Text:
        """Describe the window, and the sites that refuse orders in it."""
        message = _("A planned outage begins at %(start)s and ends at %(end)s (%(who)s: %(note)s).")
        words = {**_times(data), "who": data["by"], "note": data["reason"]}
        if not data["refusing"]:
            return Text(message % words, _("You don't need to do anything."))
        return Text(
            f"{message % words} {_refusing(data['refusing'])}",
            _("Raise the limits of sites that must not refuse orders, or cancel the outage."),
        )

    def past(self, data: Data) -> str:
        """Describe the window, and whether it was cancelled."""
        words = {**_times(data), "who": data["by"], "note": data["reason"]}
        if data.get("cancelled"):
            message = _(
                "The planned outage from %(start)s to %(end)s was cancelled (%(who)s: %(note)s)."
            )
            return message % words
        message = _(
            "A planned outage was announced, from %(start)s to %(end)s (%(who)s: %(note)s)."
        )
        return message % words

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return the times, and which of the sites refuse orders; never who planned it."""
        data = alert.data
        if alert.state != AlertState.OPEN:
            if data.get("cancelled"):
                message = _("The planned outage from %(start)s to %(end)s was cancelled.")
            else:
                message = _("A planned outage was announced, from %(start)s to %(end)s.")
            return message % _times(data)
        message = _("A planned outage begins at %(start)s and ends at %(end)s.") % _times(data)
        mine = [site for site in data["refusing"] if site in sites.ids]
        return f"{message} {_refusing(mine)}" if mine else message


def _times(data: Data) -> dict[str, str]:
    return {"start": moment_of(data, "startsAt"), "end": moment_of(data, "endsAt")}


def _refusing(site_ids: Sequence[str]) -> str:
    named = ", ".join(site_ids[:MOST_NAMED])
    if (more := len(site_ids) - MOST_NAMED) > 0:
        named = _("%(sites)s and %(more)s more") % {"sites": named, "more": phrases.figure(more)}
    message = ngettext(
        "%(number)s site refuses orders for part of that time: %(sites)s.",
        "%(number)s sites refuse orders for part of that time: %(sites)s.",
        len(site_ids),
    )
    return message % {"number": phrases.figure(len(site_ids)), "sites": named}


RULE = PlannedOutageNotice()
