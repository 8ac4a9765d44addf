"""OCI counts as online, and leaves one kind of call unanswered all the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.standing_queries import Given
from reconciliation import connection
from reconciliation.alerts.relapse import open_of
from reconciliation.alerts.rule import (
    OCI_PAGE,
    Data,
    Facts,
    Found,
    Rule,
    Text,
    moment_of,
    span_of,
)
from reconciliation.alerts.site_figures import Sites
from reconciliation.connection import verdict
from reconciliation.models import Alert, CallKind, ConnectionState, Priority


class OciImpaired(Rule):
    """Orders are reserved; figures, or giving back, do not work."""

    title = gettext_lazy("Inventory service impaired")
    button = gettext_lazy("Open the connection")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the kinds of call in trouble."""
        return [verdict.troubled()]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield it while the verdict is online; an outage has an alert of its own.

        One that is open lives through an outage, for the kinds that are still lost.
        """
        healths = connection.healths()
        kinds = [kind for kind, calls in healths.items() if connection.is_lost(calls, facts.now)]
        if facts.status.connection != ConnectionState.ONLINE:
            # What an outage does to the others is not news; what was impaired before goes on.
            known = {kind for alert in open_of(self) for kind in alert.data.get("kinds", ())}
            kinds = [kind for kind in kinds if kind in known]
        if kinds:
            since = [healths[kind].unanswered_since for kind in kinds]
            yield Found(
                priority=Priority.WARN,
                link=OCI_PAGE,
                data={"kinds": sorted(kinds)},
                since=min((at for at in since if at is not None), default=None),
            )

    def is_same(self, before: Data, after: Data) -> bool:
        """Return whether a kind of call is still impaired that was before."""
        return bool(set(before.get("kinds", ())) & set(after["kinds"]))

    def has_grown(self, before: Data, after: Data) -> bool:
        """Call people again when another kind of call fails."""
        return not set(after["kinds"]) <= set(before.get("kinds", ()))

    def text(self, data: Data) -> Text:
        """Describe the kinds of call, and since when."""
        sentences = {
            CallKind.READ: _(
                "OCI has returned no figures since %(time)s. Stock is shown as last known."
            ),
            CallKind.RESERVE: _("OCI has answered no reservation since %(time)s."),
            CallKind.RELEASE: _(
                "OCI has released no reservation since %(time)s. The stock of cancelled orders is"
                " given back later."
            ),
        }
        words = [sentences[CallKind(kind)] % {"time": moment_of(data)} for kind in data["kinds"]]
        remedy = _(
            "You don't need to do anything. Reservations are retried until they work. If this"
            " continues, contact Salesforce."
        )
        return Text(" ".join(words), remedy)

    def past(self, data: Data) -> str:
        """Describe the period."""
        return _("Omnichannel Inventory was impaired from %(time)s to %(until)s.") % span_of(data)

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return the same text to everyone: all sites share the connection."""
        return self.text_for_all(alert)


RULE = OciImpaired()
