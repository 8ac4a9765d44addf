"""What each alert says and what to do about it, told from its data in the language that is active.

The rules keep the English words with the alert, for the API and the channels. The console tells an
alert to its reader from `data`, which holds all that the words need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from reconciliation.alerts import phrases as words
from reconciliation.alerts.lifecycle import raise_alert
from reconciliation.models import Alert, Descriptor, EntryState, Priority
from reconciliation.runs.status import Waiting

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What an alert says: what happened, and what to do."""

    message: str
    remedy: str = ""


def raise_said(
    *,
    descriptor: Descriptor,
    context: str = "",
    priority: Priority,
    link: str,
    data: Data,
    now: datetime,
    since: datetime | None,
) -> Alert:
    """Raise an alert with the words that its data make; see alerts.raise_alert."""
    told = {**data, "since": since and since.isoformat()}
    said = _SAID[descriptor](told)
    return raise_alert(
        descriptor=descriptor,
        context=context,
        priority=priority,
        message=said.message,
        remedy=said.remedy,
        link=link,
        data=told,
        now=now,
        since=since,
    )


def said_by(alert: Alert) -> Said:
    """Return what `alert` says in the active language; as it was kept if its data hold too little.

    Alerts that were raised by an earlier release, for instance, have no such data.
    """
    kept = Said(alert.message, alert.remedy)
    if get_language() == settings.LANGUAGE_CODE:
        return kept
    try:
        return _SAID[Descriptor(alert.descriptor)](alert.data)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return kept


def waiting_data(waiting: Waiting) -> dict[str, object]:
    """Return what waits as data of an alert."""
    return {
        "orders": waiting.orders,
        "units": str(waiting.units),
        "value": {code: str(amount) for code, amount in waiting.value.items()},
    }


def _at_stake(data: Data) -> str:
    value = {code: Decimal(amount) for code, amount in data["value"].items()}
    return words.at_stake(Waiting(orders=data["orders"], units=Decimal(data["units"]), value=value))


def _time(data: Data) -> str:
    return words.moment(datetime.fromisoformat(data["since"]))


def _silent_worker(data: Data) -> Said:
    if data["since"] is None:
        message = _(
            "No worker has reported yet. Orders are captured, but none is reconciled and no report"
            " is written."
        )
    else:
        message = _(
            "No worker has reported since %(time)s. Orders are captured, but none is reconciled and"
            " no report is written."
        ) % {"time": _time(data)}
    return Said(message, _("Start the worker (manage.py qcluster), or stop it and start it again."))


def _silent_monitor(data: Data) -> Said:
    if data["since"] is None:
        message = _(
            "No monitor has reported yet. Loss and return of the inventory service are noticed"
            " late, and reconciliation does not start by itself."
        )
    else:
        message = _(
            "No monitor has reported since %(time)s. Loss and return of the inventory service are"
            " noticed late, and reconciliation does not start by itself."
        ) % {"time": _time(data)}
    return Said(
        message, _("Start the monitor (manage.py watch_oci), or stop it and start it again.")
    )


def _credentials() -> str:
    return _(
        "Check COC_OCI_CLIENT_ID, COC_OCI_CLIENT_SECRET, COC_OCI_SCOPE and"
        " COC_OCI_TENANT_GROUP_ID, then start the processes again."
    )


def _offline(data: Data) -> Said:
    remedy = _(
        "Nothing to do: orders are captured, and reconciliation starts by itself when OCI is back."
    )
    message = _("Inventory service offline since %(time)s: OCI does not answer.")
    if data["why"] == "forced":
        message = _(
            "Inventory service offline since %(time)s: %(who)s took it offline (%(reason)s)."
        )
        remedy = _("Release the connection when OCI may be used again.")
    elif data["why"] == "credentials":
        message = _("Inventory service offline since %(time)s: OCI refuses our credentials.")
        remedy = _credentials()
    elif data["why"] == "released":
        message = _(
            "Inventory service offline since %(time)s: it was forced offline and released, and OCI"
            " is being checked."
        )
    told = message % {"time": _time(data), "who": data["by"], "reason": data["reason"]}
    return Said(f"{told} {_at_stake(data)}", remedy)


def _configuration_fault(data: Data) -> Said:
    message = _(
        "OCI has refused our credentials since %(time)s. Orders are captured offline until this is"
        " put right."
    )
    return Said(message % {"time": _time(data)}, _credentials())


def _running(data: Data) -> Said:
    done, total = data["done"], data["total"]
    message = ngettext(
        "Reconciliation %(run)s has been running since %(time)s: %(done)s of %(total)s order done"
        " (%(percent)s %%).",
        "Reconciliation %(run)s has been running since %(time)s: %(done)s of %(total)s orders done"
        " (%(percent)s %%).",
        total,
    )
    return Said(
        message
        % {
            "run": data["run"],
            "time": _time(data),
            "done": words.figure(done),
            "total": words.figure(total),
            "percent": 100 * done // total if total else 0,
        }
    )


def _finished(data: Data) -> Said:
    counts = {state: data[state.value] for state in EntryState if state.value in data}
    message = _("Reconciliation %(run)s finished at %(time)s: %(outcomes)s.")
    return Said(
        message % {"run": data["run"], "time": _time(data), "outcomes": words.outcomes(counts)}
    )


def _still_offline(data: Data) -> Said:
    message = _(
        "Reconciliation %(run)s ended at %(time)s because Omnichannel Inventory remains offline."
    ) % {"run": data["run"], "time": _time(data)}
    remedy = _("Nothing to do: what waits is tried again in the next cycle.")
    return Said(f"{message} {_at_stake(data)}", remedy)


def _shortages(data: Data) -> Said:
    message = ngettext(
        "Reconciliation %(run)s finished at %(time)s with shortages: %(number)s order could not be"
        " reserved in full and waits for a decision.",
        "Reconciliation %(run)s finished at %(time)s with shortages: %(number)s orders could not be"
        " reserved in full and wait for a decision.",
        data["orders"],
    )
    return Said(
        message % {"run": data["run"], "time": _time(data), "number": words.figure(data["orders"])},
        _("Cancel, replace or reserve each of them again on the oversold desk."),
    )


def _needs_review(data: Data) -> Said:
    message = ngettext(
        "%(number)s order cannot go on without a person; the first since %(time)s. They are not"
        " tried again by themselves.",
        "%(number)s orders cannot go on without a person; the first since %(time)s. They are not"
        " tried again by themselves.",
        data["orders"],
    )
    return Said(
        message % {"number": words.figure(data["orders"]), "time": _time(data)},
        _("Open each order, read why it stopped, and end its review or cancel it."),
    )


def _report_failure(data: Data) -> Said:
    if "reports" not in data:
        message = _("The reports are behind: what happened at %(time)s is not in them.")
        return Said(
            message % {"time": _time(data)},
            _("See that the worker runs and that COC_IMPEX_DIR can be written."),
        )
    message = ngettext(
        "%(number)s daily report could not be written; the first is %(date)s %(kind)s of %(site)s:"
        " %(error)s",
        "%(number)s daily reports could not be written; the first is %(date)s %(kind)s of %(site)s:"
        " %(error)s",
        data["reports"],
    )
    told = {name: data[name] for name in ("date", "kind", "site", "error")}
    return Said(
        message % {**told, "number": words.figure(data["reports"])},
        _("See that COC_IMPEX_DIR is there, writable and not full; writing goes on then."),
    )


def _vanished_orders(data: Data) -> Said:
    message = ngettext(
        "%(number)s order of %(site)s from %(date)s is in the daily reports and no longer in the"
        " database: %(orders)s.",
        "%(number)s orders of %(site)s from %(date)s are in the daily reports and no longer in the"
        " database: %(orders)s.",
        data["orders"],
    )
    listed = ", ".join(data["order_nos"])
    if more := data["orders"] - len(data["order_nos"]):
        listed = _("%(orders)s and %(more)s more") % {"orders": listed, "more": words.figure(more)}
    told = {"site": data["site"], "date": data["date"], "orders": listed}
    return Said(
        message % {**told, "number": words.figure(data["orders"])},
        _(
            "Run manage.py coc_check: it names the files that still have these orders. Restore the"
            " orders from a backup, or place them again."
        ),
    )


def _channel_failing(data: Data) -> Said:
    message = _("The channel %(name)s has taken no message since %(time)s. %(error)s")
    return Said(
        message % {"name": data["name"], "time": _time(data), "error": data["error"]},
        _(
            "Correct the channel, or switch it off. What is due is tried again with pauses that"
            " grow."
        ),
    )


_SAID: dict[Descriptor, Callable[[Data], Said]] = {
    Descriptor.SILENT_WORKER: _silent_worker,
    Descriptor.SILENT_MONITOR: _silent_monitor,
    Descriptor.OCI_OFFLINE: _offline,
    Descriptor.CONFIGURATION_FAULT: _configuration_fault,
    Descriptor.RECONCILIATION_RUNNING: _running,
    Descriptor.RECONCILIATION_FINISHED: _finished,
    Descriptor.STILL_OFFLINE: _still_offline,
    Descriptor.RECONCILIATION_SHORTAGES: _shortages,
    Descriptor.NEEDS_REVIEW: _needs_review,
    Descriptor.REPORT_FAILURE: _report_failure,
    Descriptor.VANISHED_ORDERS: _vanished_orders,
    Descriptor.CHANNEL_FAILING: _channel_failing,
}
