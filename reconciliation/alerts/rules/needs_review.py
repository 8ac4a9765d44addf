"""Orders that only a person can move on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.models import Order
from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, Priority


class NeedsReview(Rule):
    """Open until a person has ended each review or cancelled the order."""

    title = gettext_lazy("Orders need review")
    button = gettext_lazy("Open the orders")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the orders in review."""
        return [Order.objects.needing_review()]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the orders in review."""
        if not facts.status.review:
            return
        orders = Order.objects.needing_review().order_by()
        found = orders.aggregate(oldest=Min("needs_review_since"), newest=Max("needs_review_since"))
        oldest, newest = found["oldest"] or facts.now, found["newest"] or facts.now
        yield Found(
            priority=Priority.ACTION,
            link="/orders/?state=review",
            data={
                "orders": facts.status.review,
                "oldest": oldest.isoformat(),
                "newest": newest.isoformat(),
            },
            since=oldest,
        )

    def is_same(self, before: Data, after: Data) -> bool:
        """Return whether an order is still in review that was when the alert was raised."""
        if "newest" not in before:
            return True
        return datetime.fromisoformat(after["oldest"]) <= datetime.fromisoformat(before["newest"])

    def carry(self, before: Data, after: Data) -> Data:
        """Keep the newest review of those that raised the alert."""
        return {**after, "newest": before.get("newest", after["newest"])}

    def text(self, data: Data) -> Text:
        """Describe how many, since when, and how a review ends."""
        message = ngettext(
            "%(number)s order has needed review since %(time)s. It won't be retried automatically.",
            "%(number)s orders need review, the first since %(time)s. They won't be retried"
            " automatically.",
            data["orders"],
        )
        words = {"number": phrases.figure(data["orders"]), "time": moment_of(data, "oldest")}
        return Text(
            message % words,
            _("Open each order, read why it stopped, then end its review or cancel it."),
        )

    def past(self, data: Data) -> str:
        """Describe the period."""
        return _("Orders needed review from %(time)s to %(until)s.") % span_of(data)

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Use the figures of the sites; None if none of their orders is in review."""
        if alert.state != AlertState.OPEN or not sites.review:
            return None
        message = ngettext(
            "%(number)s order needs review. It won't be retried automatically.",
            "%(number)s orders need review. They won't be retried automatically.",
            sites.review,
        )
        return message % {"number": phrases.figure(sites.review)}


RULE = NeedsReview()
