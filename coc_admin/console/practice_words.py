"""Texts about a practice outage: its banner, and why none can begin."""

from __future__ import annotations

import dataclasses

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console.formats import format_time
from coc_admin.console.labels import Banner
from reconciliation.maintenance.practice import Refusal, Why
from reconciliation.models import ConnectionState, PlannedOutage

_MOST_NAMED = 5
_REFUSALS = {
    Why.LENGTH: gettext_lazy("Choose 5 to 30 minutes."),
    Why.OUTAGE: gettext_lazy(
        "An outage is in progress: Omnichannel Inventory is offline, or orders are still being"
        " reconciled. Practise when it is over."
    ),
    Why.WINDOW: gettext_lazy(
        "A planned outage is running, or begins before the practice would end. Practise after it."
    ),
    Why.MONITOR: gettext_lazy(
        "No monitor reports, so the practice would not end on time. Start the monitor"
        " (manage.py watch_oci)."
    ),
    Why.NO_SITE: gettext_lazy("There is no site yet, so no order can be captured. Add a site."),
    Why.CAPTURE_OFF: gettext_lazy(
        "Offline capture is off at %(names)s: orders would be refused there. Turn it on first."
    ),
    Why.LIMIT: gettext_lazy(
        "The practice is longer than the limit of minutes at %(names)s: orders would be refused"
        " there. Choose a shorter time."
    ),
    Why.NO_STOCK: gettext_lazy(
        "No stock figure is known for the list of %(names)s, so there is nothing to capture orders"
        " on. Wait for figures from OCI, or import a file."
    ),
    Why.OLD_STOCK: gettext_lazy(
        "Stock figures of %(names)s are older than promised: orders would be captured on them."
        " The inventory page shows why."
    ),
}


def refusal_words(refusal: Refusal) -> str:
    """Return why no practice can begin, as a sentence."""
    names = ", ".join(refusal.names[:_MOST_NAMED])
    more = len(refusal.names) - _MOST_NAMED
    if more > 0:
        names = _("%(lists)s and %(more)s more") % {"lists": names, "more": more}
    return str(_REFUSALS[refusal.why]) % {"names": names}


def as_practice(banner: Banner, state: ConnectionState, window: PlannedOutage | None) -> Banner:
    """Return the banner of a practice outage; `window` is the practice that has not ended."""
    if state == ConnectionState.FORCED_OFFLINE:
        following = _("The orders are real. They are reserved after the practice.")
        if window is not None:
            words = _("The practice ends automatically at %(time)s.")
            following = f"{words % {'time': format_time(window.ends_at)}} {following}"
        title = _("Practice outage: Omnichannel Inventory is offline on purpose")
        icon = "hand-stop"
    elif state == ConnectionState.OFFLINE:
        title = _("The practice outage has ended; Omnichannel Inventory is being checked")
        following, icon = banner.next_step, "refresh"
    else:
        title = _("Practice outage: the orders captured meanwhile are being reconciled")
        following, icon = banner.next_step, banner.icon
    return dataclasses.replace(
        banner, tone="info", icon=icon, title=title, next_step=following, is_practice=True
    )
