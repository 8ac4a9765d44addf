"""Figures of a list that OCI gives cannot be right, and are not taken over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.standing_queries import Given
from reconciliation.alerts import phrases
from reconciliation.alerts.rule import Data, Facts, Found, Rule, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, HeldFigures, Priority


class FiguresHeld(Rule):
    """One alert a list, until OCI gives figures that can be taken over."""

    title = gettext_lazy("OCI's figures not imported")
    button = gettext_lazy("Open the inventory")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the lists."""
        return [HeldFigures.objects.all()]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield each list."""
        for held in HeldFigures.objects.order_by("list_id"):
            yield Found(
                context=held.list_id[:100],
                priority=Priority.ACTION,
                link="/inventory/",
                data={"list": held.list_id, "why": held.why, "skus": held.skus},
                since=held.since,
            )

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep the two faults of a list apart."""
        return bool(before.get("why") == after["why"])

    def text(self, data: Data) -> Text:
        """Describe the fault of the figures, and how to make correct ones count."""
        message = _(
            "OCI has not known inventory list %(list)s since %(time)s. Its last figures are kept."
        )
        if data["why"] == HeldFigures.Why.ALL_ZERO:
            message = ngettext(
                "Since %(time)s OCI reports that %(number)s SKU of inventory list %(list)s that"
                " had stock is sold out. The last figures are kept.",
                "Since %(time)s OCI reports that %(number)s SKUs of inventory list %(list)s that"
                " had stock are sold out at once. The last figures are kept.",
                data["skus"],
            )
        remedy = _(
            "Check the list at OCI. If the figures are right, import them from a file. Figures"
            " from a file are accepted."
        )
        return Text(message % {"time": moment_of(data), **_words(data)}, remedy)

    def past(self, data: Data) -> str:
        """Describe the period."""
        message = _(
            "OCI's figures of inventory list %(list)s were not imported from %(time)s to %(until)s."
        )
        return message % {**span_of(data), **_words(data)}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return the same text to people of sites that sell from the list."""
        return self.text_for_all(alert) if alert.data.get("list") in sites.lists else None


def _words(data: Data) -> dict[str, str]:
    return {"list": data["list"], "number": phrases.figure(data["skus"])}


RULE = FiguresHeld()
