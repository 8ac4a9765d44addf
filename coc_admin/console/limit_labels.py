"""Which sites accept orders while Omnichannel Inventory is away, and for how long, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from coc_admin.console.formats import format_money, format_quantity, format_span, format_time
from orders.offline_limits import Acceptance, SiteLimits

MOST_SITES = 5


def acceptance_words(limits: Sequence[SiteLimits], *, now: datetime) -> str:
    """Return a sentence about each site's acceptance of orders, refusing sites last."""
    if not limits:
        return _("No site is set up, so no order can be taken.")
    taking = [one for one in limits if one.acceptance != Acceptance.REFUSED]
    refusing = [one for one in limits if one.acceptance == Acceptance.REFUSED]
    words = []
    if not taking:
        words.append(_("Orders are refused."))
    elif not refusing:
        words.append(_("Orders are still accepted, on the last known stock."))
    else:
        words.append(
            _("Orders are still accepted at %(sites)s, on the last known stock.")
            % {"sites": _sites([one.site_id for one in taking])}
        )
    limited = [one for one in taking if one.acceptance == Acceptance.LIMITED]
    words += [_limited(one, now) for one in limited[:MOST_SITES]]
    words += [_refused(one) for one in refusing[:MOST_SITES]]
    if len(refusing) > MOST_SITES:
        more = len(refusing) - MOST_SITES
        words.append(_("%(number)s more sites refuse orders.") % {"number": format_quantity(more)})
    return " ".join(words)


def _sites(ids: Sequence[str]) -> str:
    named = ", ".join(ids[:MOST_SITES])
    more = len(ids) - MOST_SITES
    if more <= 0:
        return named
    return _("%(sites)s and %(number)s more") % {"sites": named, "number": format_quantity(more)}


def _limited(limits: SiteLimits, now: datetime) -> str:
    left = []
    seconds = limits.seconds_left(now)
    if seconds is not None:
        left.append(_("for %(time)s more") % {"time": format_span(seconds)})
    if limits.value_left is not None:
        value = format_money(limits.value_left, limits.currency)
        left.append(_("up to %(value)s more") % {"value": value})
    if limits.units_per_order is not None:
        units = format_quantity(limits.units_per_order)
        left.append(_("at most %(units)s units an order") % {"units": units})
    return _("%(site)s: %(limits)s.") % {"site": limits.site_id, "limits": ", ".join(left)}


def _refused(limits: SiteLimits) -> str:
    if limits.why == "noStock":
        return _("Refused at %(site)s: no stock figure is known there.") % {"site": limits.site_id}
    why = {
        "off": _("offline capture is switched off there"),
        "duration": _("its time for offline selling is over"),
        "totalValue": _("the value that may wait is reached"),
    }[limits.why]
    if limits.refused_since is None:
        return _("Refused at %(site)s: %(why)s.") % {"site": limits.site_id, "why": why}
    return _("Refused at %(site)s since %(time)s: %(why)s.") % {
        "site": limits.site_id,
        "time": format_time(limits.refused_since),
        "why": why,
    }
