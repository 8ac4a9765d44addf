"""OCI doesn't answer, refuses us, or was taken offline by a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.standing_queries import Given
from reconciliation.alerts import matter, phrases
from reconciliation.alerts.relapse import ANSWERS_SINCE, OFFLINE, OfOutage, answers_again
from reconciliation.alerts.rule import (
    OCI_PAGE,
    UNTIL,
    Data,
    Facts,
    Found,
    Text,
    marked,
    moment_of,
    of_practice,
    span_of,
)
from reconciliation.alerts.site_figures import Sites
from reconciliation.connection.state import row
from reconciliation.models import (
    OWN_FAULTS,
    Alert,
    AlertState,
    ConnectionState,
    OfflineCause,
    Priority,
)
from reconciliation.runs.status import Status

_OPEN_WINDOWS = gettext_lazy("Open the planned outages")
# What the data hold of a window.
_OF_WINDOW = ("window", "by", "reason", "endsAt")


class OciOffline(OfOutage):
    """One alert from the first call without an answer until OCI answers again, and goes on to.

    A relapse within `RELAPSE` belongs to the outage, so the alert stays open for that long.
    """

    title = gettext_lazy("Inventory service offline")
    button = gettext_lazy("Open the connection")

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the connection while it is offline; an open alert is looked at anyway."""
        return [row().filter(state__in=OFFLINE)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the outage. A fault of our settings has an ACTION alert of its own instead."""
        status = facts.status
        if status.connection in OFFLINE and status.cause not in OWN_FAULTS:
            yield Found(
                priority=Priority.WARN,
                link="/outages/#planned-title" if _is_planned(status) else OCI_PAGE,
                data={
                    **_cause_data(status),
                    **matter.outage_data(status),
                    **phrases.waiting_data(status.waiting),
                    **of_practice(status.outage),
                },
                since=matter.began_at(status),
            )
        else:
            yield from self.may_go_on(facts, fresh=phrases.waiting_data(status.waiting))

    def is_same(self, before: Data, after: Data) -> bool:
        """Keep apart what someone did on purpose and what OCI does."""
        return matter.is_same_outage(before, after)

    def carry(self, before: Data, after: Data) -> Data:
        """Keep the hold and its window while the connection is checked after it."""
        if after["why"] == "released" and "window" in before:
            after = {**after, **{name: before[name] for name in _OF_WINDOW}}
        return matter.carry_hold(before, after)

    def button_for(self, data: Data) -> Promise:
        """Lead to the window that holds the connection."""
        return _OPEN_WINDOWS if data.get("why") == "planned" else self.button

    def text(self, data: Data) -> Text:
        """Describe since when, why, and the waiting orders."""
        if ANSWERS_SINCE in data:
            return _answers_again(data)
        message, remedy = _sentences(data)
        words = {"time": _began(data), "who": data["by"], "reason": data["reason"]}
        if data["why"] == "planned":
            words["end"] = moment_of(data, "endsAt")
        return Text(f"{message % words} {phrases.at_stake(phrases.waiting_of(data))}", remedy)

    def past(self, data: Data) -> str:
        """Describe the period and the reason."""
        words = {**span_of(data), "who": data["by"], "reason": data["reason"]}
        words["time"] = _began(data)
        if "window" in data:
            message = _("A planned outage lasted from %(time)s to %(until)s (%(who)s: %(reason)s).")
            return message % words
        if data["why"] == "forced":
            return (
                _(
                    "%(who)s took Omnichannel Inventory offline from %(time)s to %(until)s:"
                    " %(reason)s"
                )
                % words
            )
        return _("Omnichannel Inventory was offline from %(time)s to %(until)s.") % words

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Describe since when, and the sites' waiting orders; never who took it offline."""
        if alert.state != AlertState.OPEN:
            until = phrases.moment(_ended_at(alert))
            words = {"time": phrases.moment(alert.since), "until": until}
            past = _("Omnichannel Inventory was offline from %(time)s to %(until)s.") % words
            return marked(past, alert.data)
        if ANSWERS_SINCE in alert.data:
            return f"{answers_again(alert.data)} {phrases.at_stake(sites.waiting)}"
        words = {"time": phrases.moment(alert.since)}
        message = _("Omnichannel Inventory has been offline since %(time)s.")
        if alert.data.get("why") == "planned":
            words = {"time": _began(alert.data), "end": moment_of(alert.data, "endsAt")}
            message = _("A planned outage began at %(time)s and ends automatically at %(end)s.")
        since = message % words
        return marked(f"{since} {phrases.at_stake(sites.waiting)}", alert.data)


def _ended_at(alert: Alert) -> datetime:
    if UNTIL in alert.data:
        return datetime.fromisoformat(alert.data[UNTIL])
    return alert.resolved_at or alert.updated_at


def _answers_again(data: Data) -> Text:
    stake = phrases.at_stake(phrases.waiting_of(data))
    return Text(f"{answers_again(data)} {stake}", _("You don't need to do anything."))


def _began(data: Data) -> str:
    """Return when it began: an outage of OCI may have been taken over by a hold."""
    on_purpose = data["why"] in ("forced", "planned") and data.get("heldSince")
    return moment_of(data, "heldSince" if on_purpose else "since")


def _is_planned(status: Status) -> bool:
    return status.window is not None and not status.window.is_practice


def _cause_data(status: Status) -> Data:
    window = status.window
    if window is not None and not window.is_practice:
        return {
            "why": "planned",
            "window": window.pk,
            "by": window.owner,
            "reason": window.note,
            "endsAt": window.ends_at.isoformat(),
        }
    if status.connection == ConnectionState.FORCED_OFFLINE:
        if of_practice(status.outage):
            return {"why": "practice", "by": "", "reason": ""}
        return {"why": "forced", "by": status.forced_by, "reason": status.reason}
    why = {
        OfflineCause.FORCED: "released",
        OfflineCause.RESERVATIONS: "reservations",
        OfflineCause.SLOW: "slow",
        OfflineCause.THROTTLED: "throttled",
    }
    return {"why": why.get(status.cause, "no_answer"), "by": "", "reason": ""}


def _sentences(data: Data) -> tuple[str, str]:
    """Return what happened and what to do."""
    why = data["why"]
    if why == "planned":
        return (
            _(
                "A planned outage began at %(time)s and ends automatically at %(end)s (%(who)s:"
                " %(reason)s)."
            ),
            _("You don't need to do anything. To end it earlier, open the planned outages."),
        )
    if why == "forced":
        return (
            _("%(who)s took Omnichannel Inventory offline at %(time)s: %(reason)s"),
            _("Release the connection when OCI may be used again."),
        )
    if why == "practice":
        return (
            _("Omnichannel Inventory was taken offline on purpose at %(time)s."),
            _("You don't need to do anything. The practice ends automatically."),
        )
    # Stored by an earlier version only.
    if why == "credentials":
        return (
            _("Omnichannel Inventory has refused our credentials since %(time)s."),
            _("Correct the credentials; the alert about them names the settings."),
        )
    automatic = _(
        "You don't need to do anything. Reconciliation starts automatically when OCI answers again."
    )
    if why == "released" and "window" in data:
        return (
            _(
                "The planned outage that began at %(time)s has ended and the connection is being"
                " checked."
            ),
            automatic,
        )
    if why == "released":
        return (
            _(
                "Omnichannel Inventory went offline at %(time)s. The forced state has ended and the"
                " connection is being checked."
            ),
            automatic,
        )
    of_reservations = {
        "reservations": _(
            "Omnichannel Inventory has taken no reservations since %(time)s, although it answers"
            " reads."
        ),
        "slow": _(
            "Omnichannel Inventory has reserved too slowly for a shopper to wait since %(time)s."
        ),
        "throttled": _(
            "Omnichannel Inventory has asked us to slow down each time since %(time)s and taken no"
            " reservation."
        ),
    }
    no_answer = _("Omnichannel Inventory has not answered since %(time)s.")
    return of_reservations.get(why, no_answer), automatic


RULE = OciOffline()
