"""The headline of the home page: current state, cost, and first action."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from coc_admin.console.formats import format_amounts, format_cost, format_quantity, format_span
from coc_admin.console.home.parts import Action, Facts, Headline, Rights
from coc_admin.console.home.quiet import quiet_headline
from coc_admin.console.labels import Banner, money_by_currency
from coc_admin.set_up import Missing
from orders.desk.shortages import Sums
from orders.refused_orders import Refused
from reconciliation.models import ConnectionState
from reconciliation.runs.status import LastRun, Status

# Below this share of a run its speed says nothing about the rest.
_TOO_EARLY = 5


def headline_of(facts: Facts, *, rights: Rights, now: datetime) -> Headline:
    """Return the headline for `facts`, with the one action that fits the state.

    An outage comes before a reconciliation, open work before a retry that runs automatically.
    """
    status = facts.status
    if facts.run is not None and status.connection in (
        ConnectionState.ONLINE,
        ConnectionState.RECOVERING,
    ):
        return _reconciling(facts, facts.run, rights, now)
    if not facts.has_sites:
        return _without_sites(facts.missing, rights)
    if facts.banner is not None:
        return _not_online(facts, facts.banner, rights)
    if status.oversold:
        return _short(facts)
    if status.review:
        return _review(status)
    if status.waiting.orders:
        return _waiting(status, rights)
    if facts.missing:
        return _not_set_up(facts.missing, rights)
    return quiet_headline(facts)


def _not_online(facts: Facts, banner: Banner, rights: Rights) -> Headline:
    outage = facts.status.outage
    action = None
    if outage is not None and rights.view_runs:
        action = Action(_("Open this outage"), reverse("outage", args=[outage.pk]), "chevron-right")
    if facts.refusing_site and rights.change_limits:
        url = reverse("settings_site", args=[facts.refusing_site])
        action = Action(_("Raise the limit"), url, "settings")
    lines = [banner.works, *_refused_words(facts.refused), banner.at_stake, banner.next_step]
    if facts.status.oversold:
        lines.append(_short_words(facts.short))
    return Headline(
        tone=banner.tone,
        icon=banner.icon,
        title=_("%(site)s refuses orders: %(cause)s")
        % {"site": facts.refusing_site, "cause": banner.title}
        if facts.refusing_site
        else banner.title,
        lines=lines,
        action=action,
        since=banner.since,
        since_label=_("since"),
        tab=_("Refused") if facts.refusing_site else _offline_tab(banner),
    )


def _offline_tab(banner: Banner) -> str:
    return _("Practice") if banner.is_practice else _("Offline")


def _refused_words(refused: Refused) -> list[str]:
    if not refused.orders:
        return []
    cost = format_cost(refused.orders, refused.units, refused.value)
    return [_("Refused so far: %(cost)s.") % {"cost": cost}]


def _reconciling(facts: Facts, run: LastRun, rights: Rights, now: datetime) -> Headline:
    percent = 100 * run.done // run.total if run.total else 0
    lines = [
        _("%(done)s of %(total)s orders done, %(short)s of them short.")
        % {
            "done": format_quantity(run.done),
            "total": format_quantity(run.total),
            "short": format_quantity(run.short),
        }
    ]
    if facts.run_short.orders:
        lines.append(
            _("Value short so far: %(value)s.") % {"value": format_amounts(facts.run_short.value)}
        )
    left = _seconds_left(run, percent, now)
    if left is not None:
        lines.append(_("About %(time)s left.") % {"time": format_span(left)})
    if facts.banner is not None:
        lines += [facts.banner.works, facts.banner.at_stake]
    action = None
    if rights.view_runs:
        action = Action(_("Follow progress"), reverse("run", args=[run.run.pk]), "chevron-right")
    return Headline(
        tone="info",
        icon="refresh",
        title=facts.banner.title
        if facts.banner is not None
        else _("Waiting orders are being reserved"),
        lines=lines,
        action=action,
        since=run.run.started_at or run.run.created_at,
        since_label=_("Started"),
        percent=percent,
        tab=_("%(percent)s %% reconciled") % {"percent": percent},
    )


def _seconds_left(run: LastRun, percent: int, now: datetime) -> float | None:
    """Return the seconds that the run still needs at its current speed, or None if unknown."""
    if run.run.started_at is None or percent < _TOO_EARLY:
        return None
    took = (now - run.run.started_at).total_seconds()
    return took * (run.total - run.done) / run.done


def _short(facts: Facts) -> Headline:
    number = facts.short.orders
    title = ngettext(
        "%(number)s order is oversold: %(value)s short",
        "%(number)s orders are oversold: %(value)s short",
        number,
    ) % {"number": format_quantity(number), "value": format_amounts(facts.short.value)}
    return Headline(
        tone="warn",
        icon="alert-circle",
        title=title,
        lines=[
            _missing_units(facts.short),
            _notified(facts),
            *_review_lines(facts.status),
        ],
        action=Action(_("Work through them"), reverse("desk"), "chevron-right"),
        since=facts.oldest_short,
        since_label=_("The oldest was captured"),
        tab=_("(%(number)s) Short orders") % {"number": format_quantity(number)},
    )


def _notified(facts: Facts) -> str:
    words = ngettext(
        "Notified so far: %(told)s of %(number)s customer whose order was short.",
        "Notified so far: %(told)s of %(number)s customers whose orders were short.",
        facts.were_short,
    )
    return words % {
        "told": format_quantity(facts.told),
        "number": format_quantity(facts.were_short),
    }


def _missing_units(short: Sums) -> str:
    words = ngettext(
        "%(units)s unit is missing. Decide on each order: replace, wait or cancel.",
        "%(units)s units are missing. Decide on each order: replace, wait or cancel.",
        1 if short.units == 1 else 2,
    )
    return words % {"units": format_quantity(short.units)}


def _short_words(short: Sums) -> str:
    words = ngettext(
        "%(number)s earlier order is oversold (%(value)s short) and needs a decision.",
        "%(number)s earlier orders are oversold (%(value)s short) and need a decision.",
        short.orders,
    )
    return words % {"number": format_quantity(short.orders), "value": format_amounts(short.value)}


def _review(status: Status) -> Headline:
    title = ngettext(
        "%(number)s order needs review", "%(number)s orders need review", status.review
    ) % {"number": format_quantity(status.review)}
    return Headline(
        tone="bad",
        icon="alert-triangle",
        title=title,
        lines=[
            _(
                "OCI's answers don't show what it holds for these orders. They are not retried"
                " automatically."
            )
        ],
        action=Action(_("Review them"), f"{reverse('orders')}?state=review", "chevron-right"),
        tab=_("(%(number)s) To review") % {"number": format_quantity(status.review)},
    )


def _review_lines(status: Status) -> list[str]:
    if not status.review:
        return []
    words = ngettext(
        "%(number)s more order needs review.", "%(number)s more orders need review.", status.review
    )
    return [words % {"number": format_quantity(status.review)}]


def _waiting(status: Status, rights: Rights) -> Headline:
    number = status.waiting.orders
    title = ngettext(
        "%(number)s order waits for its reservation: %(value)s",
        "%(number)s orders wait for their reservation: %(value)s",
        number,
    ) % {"number": format_quantity(number), "value": money_by_currency(status.waiting)}
    action = None
    if rights.start_runs:
        action = Action(_("Rerun reconciliation"), reverse("run_new"), "refresh")
    return Headline(
        tone="info",
        icon="clock",
        title=title,
        lines=[_("They are retried automatically, oldest first.")],
        action=action,
        since=status.waiting.oldest_captured_at,
        since_label=_("The oldest was captured"),
        tab=_("(%(number)s) Waiting") % {"number": format_quantity(number)},
    )


def _without_sites(missing: Sequence[Missing], rights: Rights) -> Headline:
    return Headline(
        tone="info",
        icon="settings",
        title=_("No site is set up, so no order can be taken yet"),
        lines=[_("An order needs a site with an inventory list, stock figures and an API token.")],
        action=_next_part(missing, rights),
        takes_orders=False,
    )


def _not_set_up(missing: Sequence[Missing], rights: Rights) -> Headline:
    lines = {
        Missing.LIST: _("There is no inventory list."),
        Missing.SITE: _("There is no site."),
        Missing.STOCK: _("No stock figure is known: every order would be refused."),
        Missing.TOKEN: _("No API token may place orders: the storefront needs one."),
    }
    return Headline(
        tone="info",
        icon="settings",
        title=_("No order can be taken yet"),
        lines=[lines[one] for one in missing],
        action=_next_part(missing, rights),
        takes_orders=False,
    )


def _next_part(missing: Sequence[Missing], rights: Rights) -> Action | None:
    """Return the way to add the first missing part that the reader may add."""
    ways = {
        Missing.LIST: (_("Add an inventory list"), "settings_list_new"),
        Missing.SITE: (_("Add a site"), "settings_site_new"),
        Missing.STOCK: (_("Import a file"), "stock_import"),
        Missing.TOKEN: (_("Create a token"), "settings_token_new"),
    }
    for part in missing:
        if part in rights.set_up:
            label, page = ways[part]
            return Action(label, reverse(page), "settings")
    return None
