"""Stock has arrived for short orders that keep their place, and was reserved for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of
from reconciliation.models import EntryState, Priority, Run, Trigger
from reconciliation.runs.lifecycle import progress

_KEPT = timedelta(hours=1)


class StockArrived(Rule):
    """News about the newest run that arriving stock has started, for an hour."""

    title = gettext_lazy("Stock arrived for short orders")
    button = gettext_lazy("Open the reconciliation")
    is_news = True

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the runs for arriving stock of late."""
        return [Run.objects.filter(trigger=Trigger.STOCK, finished_at__gt=Given("now", less=_KEPT))]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the run, when it has reserved something in full."""
        runs = Run.objects.filter(trigger=Trigger.STOCK, is_active=False).order_by("-id")
        run = runs.filter(finished_at__gt=facts.now - _KEPT).first()
        if run is None:
            return
        complete = progress(run).complete
        if complete:
            yield Found(
                priority=Priority.INFO,
                link=f"/runs/{run.pk}/",
                data={"run": run.pk, str(EntryState.COMPLETE): complete},
                since=run.finished_at,
            )

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep two runs apart."""
        return bool(before.get("run") == after.get("run"))

    def text(self, data: Data) -> Text:
        """Return the same text as later: the event is in the past either way."""
        return Text(self.past(data))

    def past(self, data: Data) -> str:
        """Describe when, and how many orders are whole now."""
        counts = {EntryState.COMPLETE: data[EntryState.COMPLETE.value]}
        words = {
            "run": data["run"],
            "time": moment_of(data),
            "outcomes": phrases.outcomes(counts),
        }
        message = _(
            "Stock arrived, and reconciliation %(run)s gave it to the oldest orders at %(time)s:"
            " %(outcomes)s."
        )
        return message % words


RULE = StockArrived()
