"""The newest reconciliation has finished without shortages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.rule import (
    Data,
    Facts,
    Found,
    Rule,
    Text,
    marked,
    moment_of,
    of_practice,
)
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, EntryState, Priority, Run, RunState


class ReconciliationFinished(Rule):
    """News: it stays away once a person has resolved it, until another run finishes."""

    title = gettext_lazy("Reconciliation finished")
    button = gettext_lazy("Open the reconciliation")
    is_news = True

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the runs that have completed."""
        return [Run.objects.filter(state=RunState.COMPLETED)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the newest run if it has completed."""
        last = facts.status.last_run
        if last is not None and last.run.state == RunState.COMPLETED:
            yield Found(
                priority=Priority.INFO,
                link=f"/runs/{last.run.pk}/",
                data={
                    "run": last.run.pk,
                    **{str(state): n for state, n in last.counts.items()},
                    **of_practice(last.run.outage),
                },
                since=last.run.finished_at or facts.now,
            )

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep two reconciliations apart."""
        return bool(before.get("run") == after.get("run"))

    def text(self, data: Data) -> Text:
        """Describe when, and the number of orders by outcome."""
        return Text(self.past(data))

    def past(self, data: Data) -> str:
        """Return the same text: the event is in the past either way."""
        counts = {state: data[state.value] for state in EntryState if state.value in data}
        message = _("Reconciliation %(run)s finished at %(time)s: %(outcomes)s.")
        words = {"run": data["run"], "time": moment_of(data)}
        return message % {**words, "outcomes": phrases.outcomes(counts)}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Describe the outcome of the sites' orders; None for a run of other sites."""
        run = sites.runs.get(alert.data.get("run", 0))
        if run is None:
            return None
        words = {"run": run.pk, "time": phrases.moment(alert.since)}
        if alert.state != AlertState.OPEN:
            return marked(_("Reconciliation %(run)s finished at %(time)s.") % words, alert.data)
        words["outcomes"] = phrases.outcomes(sites.outcomes.get(run.pk, {}))
        message = _("Reconciliation %(run)s finished at %(time)s: %(outcomes)s.") % words
        return marked(message, alert.data)


RULE = ReconciliationFinished()
