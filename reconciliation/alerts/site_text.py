"""Texts of alerts for people who see some sites only, in the figures of these sites.

The alerts count the orders of all sites, and some name people. People of one site must not learn
of another one's orders, so each rule has a text for some sites (`Rule.site_text`); a rule without
one shows them nothing. A fixed number of queries, however many alerts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciliation.alerts.rules import RULES
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert


def site_texts(alerts: Iterable[Alert], *, site_ids: Collection[str]) -> dict[int, str]:
    """Return each alert's text for people of these sites, by key.

    The others do not concern them, or have no text for some sites. Without a site there is none.
    """
    rows = list(alerts) if site_ids else []
    sites = Sites(rows, sorted(site_ids))
    texts = {}
    for alert in rows:
        rule = RULES.get(alert.descriptor)
        message = None if rule is None else rule.site_text(sites, alert)
        if message is not None:
            texts[alert.pk] = message
    return texts
