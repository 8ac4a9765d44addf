"""The headline of the home page while no work is open."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from coc_admin.console.formats import format_quantity, format_span
from coc_admin.console.home.parts import Facts, Headline
from reconciliation.outages.figures import Ends


def quiet_headline(facts: Facts) -> Headline:
    """Return the headline of a day on which nothing is open."""
    lines = [_("New orders are reserved live. Nothing needs a decision."), _quiet_words(facts)]
    if facts.ends is not None and facts.ends.others:
        others = ngettext(
            "%(number)s order of it was cancelled, replaced or settled outside.",
            "%(number)s orders of it were cancelled, replaced or settled outside.",
            facts.ends.others,
        )
        lines.insert(0, others % {"number": format_quantity(facts.ends.others)})
    return Headline(
        tone="ok",
        icon="circle-check",
        title=_quiet_title(facts.ends),
        lines=lines,
        tab=_("Home"),
    )


def _quiet_title(ends: Ends | None) -> str:
    """Return the title of a day without open work: it claims nothing about older outages."""
    if ends is None or not ends.orders:
        return _("No open work")
    words = (
        ngettext(
            "No open work: %(reserved)s of %(number)s order of the last outage is reserved",
            "No open work: %(reserved)s of %(number)s orders of the last outage are reserved",
            ends.orders,
        )
        if ends.others
        else ngettext(
            "No open work: the order of the last outage is reserved",
            "No open work: all %(number)s orders of the last outage are reserved",
            ends.orders,
        )
    )
    return words % {
        "reserved": format_quantity(ends.reserved),
        "number": format_quantity(ends.orders),
    }


def _quiet_words(facts: Facts) -> str:
    words = [
        ngettext("%(number)s order today", "%(number)s orders today", facts.today)
        % {"number": format_quantity(facts.today)}
    ]
    if facts.latency_ms is not None:
        words.append(_("OCI reserves within %(ms)s ms") % {"ms": format_quantity(facts.latency_ms)})
    if facts.stock_seconds is not None:
        age = {"time": format_span(facts.stock_seconds)}
        words.append(_("stock figures %(time)s old") % age)
    return " · ".join(words)
