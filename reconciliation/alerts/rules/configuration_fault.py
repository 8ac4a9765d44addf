"""OCI refuses our credentials, or has never answered with our settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.standing_queries import Given
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
from reconciliation.connection.state import row
from reconciliation.models import OWN_FAULTS, Alert, ConnectionState, OfflineCause, Priority


class ConfigurationFault(Rule):
    """Waiting doesn't help: a person must correct the settings."""

    title = gettext_lazy("Settings for OCI need correction")
    button = gettext_lazy("Open the connection")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the connection while it is offline."""
        return [row().filter(state=ConnectionState.OFFLINE)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield it while the connection is offline for a fault of our settings."""
        status = facts.status
        if status.connection == ConnectionState.OFFLINE and status.cause in OWN_FAULTS:
            never = status.cause == OfflineCause.NOT_SET_UP
            yield Found(
                priority=Priority.ACTION,
                link=OCI_PAGE,
                data={"why": "never"} if never else {},
                since=status.since,
            )

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep apart the faults: other settings need correction."""
        return bool(before.get("why") == after.get("why"))

    def text(self, data: Data) -> Text:
        """Describe since when, and the settings to check."""
        if data.get("why") == "never":
            message = _(
                "OCI has not answered since %(time)s, and never before with these settings. No"
                " order is reserved until it does."
            )
            remedy = _(
                "Check COC_OCI_BASE_URL, COC_OCI_TOKEN_URL and COC_OCI_TENANT_GROUP_ID, then"
                " restart the processes."
            )
            return Text(message % {"time": moment_of(data)}, remedy)
        message = _(
            "OCI has refused our credentials since %(time)s. No order is reserved until you correct"
            " them."
        )
        remedy = _(
            "Settings › OCI connection › Test connection names the settings to check, such as"
            " COC_OCI_CLIENT_SECRET or COC_OCI_TOKEN_URL. Correct them in the environment, then"
            " stop and start the product."
        )
        return Text(message % {"time": moment_of(data)}, remedy)

    def past(self, data: Data) -> str:
        """Describe the period."""
        if data.get("why") == "never":
            return _("OCI didn't answer from %(time)s to %(until)s, when it was set up.") % span_of(
                data
            )
        return _("OCI refused our credentials from %(time)s to %(until)s.") % span_of(data)

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Return the same text to everyone: all sites share the credentials."""
        return self.text_for_all(alert)


RULE = ConfigurationFault()
