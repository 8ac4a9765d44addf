"""Short orders whose promised date has passed without a delivery or a decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders import promises
from orders.standing_queries import Given
from reconciliation.alerts import named, phrases
from reconciliation.alerts.rule import Data, Facts, Found, Text, moment_of, span_of
from reconciliation.models import Priority


class PromisePassed(named.NamingRule):
    """Open until each of them has another date or is decided."""

    title = gettext_lazy("Promised dates have passed")
    button = gettext_lazy("Open the desk")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the orders that lost their place."""
        return [promises.overdue(now)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the orders that lost their place in the queue."""
        late = promises.overdue(facts.now).order_by()
        found = late.aggregate(number=Count("pk"), since=Min("promised_until"))
        if found["number"]:
            keys = late.order_by("pk").values_list("pk", flat=True)[: named.MOST]
            yield Found(
                priority=Priority.WARN,
                link="/desk/",
                data={
                    "orders": found["number"],
                    "named": named.names(map(str, keys), found["number"]),
                },
                since=found["since"],
            )

    def text(self, data: Data) -> Text:
        """Describe how many, and what to do."""
        message = ngettext(
            "The promised date of %(number)s short order has passed. It lost its place for"
            " arriving stock.",
            "The promised dates of %(number)s short orders have passed, the first at %(time)s."
            " They lost their places for arriving stock.",
            data["orders"],
        )
        words = {"number": phrases.figure(data["orders"]), "time": moment_of(data)}
        return Text(
            message % words,
            _("Decide on each: promise another date, replace, settle outside, or cancel."),
        )

    def past(self, data: Data) -> str:
        """Describe the period."""
        return _("Promised dates had passed from %(time)s to %(until)s.") % span_of(data)


RULE = PromisePassed()
