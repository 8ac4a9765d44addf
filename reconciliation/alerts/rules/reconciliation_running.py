"""A reconciliation is under way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

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
    span_of,
)
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, Priority, Run, RunState
from reconciliation.runs.status import LastRun, counts_of


class ReconciliationRunning(Rule):
    """Progress while it runs; the final count once it has ended."""

    title = gettext_lazy("Reconciliation running")
    button = gettext_lazy("Open the reconciliation")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the active run."""
        return [Run.objects.filter(is_active=True)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the run that is active."""
        last = facts.status.last_run
        if last is not None and last.run.is_active:
            yield Found(
                priority=Priority.INFO,
                link=f"/runs/{last.run.pk}/",
                data={**_progress(last), **of_practice(last.run.outage)},
                since=last.run.created_at,
            )

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep two reconciliations apart."""
        return bool(before.get("run") == after.get("run"))

    def final(self, data: Data) -> Data:
        """Count once more: the last refresh may have seen 95 %."""
        run = Run.objects.filter(pk=data["run"]).first()
        return data if run is None else {**data, **_progress(LastRun(run, counts_of(run)))}

    def text(self, data: Data) -> Text:
        """Describe since when, and the progress."""
        done, total = data["done"], data["total"]
        message = ngettext(
            "Reconciliation %(run)s has been running since %(time)s: %(done)s of %(total)s order"
            " done (%(percent)s %%).",
            "Reconciliation %(run)s has been running since %(time)s: %(done)s of %(total)s orders"
            " done (%(percent)s %%).",
            total,
        )
        words = {"time": moment_of(data), "percent": 100 * done // total if total else 0}
        return Text(message % {**words, **_figures(data)})

    def past(self, data: Data) -> str:
        """Describe the period, and the number of finished orders."""
        message = ngettext(
            "Reconciliation %(run)s ran from %(time)s to %(until)s: %(done)s of %(total)s order"
            " done.",
            "Reconciliation %(run)s ran from %(time)s to %(until)s: %(done)s of %(total)s orders"
            " done.",
            data["total"],
        )
        return message % {**span_of(data), **_figures(data)}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Describe the outcome of the sites' orders; None for a run of other sites."""
        run = sites.runs.get(alert.data.get("run", 0))
        if run is None:
            return None
        since = phrases.moment(alert.since)
        if alert.state != AlertState.OPEN:
            until = phrases.moment(alert.resolved_at or alert.updated_at)
            words = {"run": run.pk, "time": since, "until": until}
            past = _("Reconciliation %(run)s ran from %(time)s to %(until)s.") % words
            return marked(past, alert.data)
        message = _("Reconciliation %(run)s: %(state)s since %(time)s. %(outcomes)s.")
        words = {
            "run": run.pk,
            "state": RunState(run.state).label,
            "time": since,
            "outcomes": phrases.outcomes(sites.outcomes.get(run.pk, {})),
        }
        return marked(message % words, alert.data)


def _progress(last: LastRun) -> Data:
    return {"run": last.run.pk, "done": last.done, "total": last.total}


def _figures(data: Data) -> dict[str, object]:
    return {
        "run": data["run"],
        "done": phrases.figure(data["done"]),
        "total": phrases.figure(data["total"]),
    }


RULE = ReconciliationRunning()
