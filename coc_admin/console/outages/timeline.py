"""The history of an outage, and its summary as a text to send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from coc_admin.console.formats import (
    format_amounts,
    format_exact,
    format_money,
    format_quantity,
    format_span,
)
from coc_admin.console.job_names import job_name
from coc_admin.console.orders.timeline import Line
from orders import reasons
from reconciliation.models import (
    Connection,
    ConnectionChange,
    ConnectionState,
    Outage,
    ReportDay,
    Run,
)
from reconciliation.outages.figures import Figures
from reconciliation.queue import intervals

MOST_LINES = 200

_OFFLINE, _FORCED = ConnectionState.OFFLINE, ConnectionState.FORCED_OFFLINE
_RECOVERING, _ONLINE = ConnectionState.RECOVERING, ConnectionState.ONLINE
_TITLES = {
    (_FORCED, _OFFLINE): ("info", gettext_lazy("Released; OCI is being checked")),
    (_RECOVERING, _OFFLINE): ("bad", gettext_lazy("Lost again")),
    (_OFFLINE, _OFFLINE): ("warn", gettext_lazy("The cause changed")),
}
_TITLES_BY_NEW = {
    _OFFLINE: ("bad", gettext_lazy("Loss detected: offline")),
    _FORCED: ("warn", gettext_lazy("Forced offline")),
    _RECOVERING: ("info", gettext_lazy("OCI answers again; the backlog is being reconciled")),
    _ONLINE: ("ok", gettext_lazy("Nothing is waiting; online")),
}


def timeline(outage: Outage, connection: Connection) -> list[Line]:
    """Return the history of `outage`, newest last; a long one shows its newest lines; 2 queries."""
    changes = list(ConnectionChange.objects.filter(outage=outage).order_by("-id")[:MOST_LINES])
    every = intervals.interval_of(intervals.PROBE).seconds
    lines = []
    for change in reversed(changes):
        lines.append(_line(change))
        if (change.old_state, change.new_state) == (_ONLINE, _OFFLINE):
            lines.append(_probing_began(change.at, every))
    if outage.is_open and connection.state == _OFFLINE:
        lines.append(_probing_now(connection))
    if outage.lost_at < outage.detected_at:
        why = _("From here on, OCI gave no good answer. The outage had not been detected yet.")
        lines.insert(0, Line(outage.lost_at, "warn", _("First call without an answer"), "", why))
    return lines


def _probing_began(at: datetime, every: float) -> Line:
    needed = settings.COC_GOOD_PROBES_TO_RECOVER
    why = _("OCI is probed every %(seconds)s s until it has given %(times)s good answers in a row.")
    words = why % {"seconds": f"{every:g}", "times": needed}
    return Line(at, "info", _("Probing began"), _("monitor"), words)


def _probing_now(connection: Connection) -> Line:
    good = connection.good_probes
    why = ngettext(
        "%(number)s good answer in a row so far.", "%(number)s good answers in a row so far.", good
    ) % {"number": good}
    if connection.last_error:
        why = _("%(so_far)s Last fault: %(fault)s") % {
            "so_far": why,
            "fault": reasons.read(connection.last_error, connection.last_error_codes),
        }
    return Line(timezone.now(), "info", _("Probing"), _("monitor"), why)


def _line(change: ConnectionChange) -> Line:
    states = (ConnectionState(change.old_state), ConnectionState(change.new_state))
    tone, title = _TITLES.get(states) or _TITLES_BY_NEW[states[1]]
    why = reasons.read(change.reason, change.reason_codes)
    # Only jobs write reasons as codes, and a person may have the name of a job.
    actor = change.actor if change.reason_codes is None else job_name(change.actor)
    return Line(change.at, tone, str(title), actor, why)


def span(start: datetime | None, end: datetime | None) -> str:
    """Return the time between two moments; a dash while one of them is missing."""
    return "–" if start is None or end is None else format_span((end - start).total_seconds())


def summary(
    outage: Outage,
    *,
    figures: Figures,
    runs: Sequence[Run],
    reports: Sequence[ReportDay],
    now: datetime,
) -> str:
    """Return the outage as plain text, complete enough to read without the console."""
    return "\n".join(
        [
            _("Outage %(outage)s of Omnichannel Inventory") % {"outage": outage.pk},
            "",
            *_times(outage, now),
            "",
            *_orders(figures),
            *_runs(runs),
            *_reports(reports),
        ]
    )


def _times(outage: Outage, now: datetime) -> Iterator[str]:
    cause = outage.get_cause_display() or _("not known")
    if outage.reason:
        cause = f"{cause} ({reasons.read(outage.reason, outage.reason_codes)})"
    if outage.is_practice:
        yield _("This is a practice outage: someone began it on purpose. Its orders are real.")
    yield _("Cause: %(cause)s") % {"cause": cause}
    yield _("Lost: %(time)s") % {"time": format_exact(outage.lost_at)}
    yield _("Detected: %(time)s (after %(span)s)") % {
        "time": format_exact(outage.detected_at),
        "span": span(outage.lost_at, outage.detected_at),
    }
    if outage.recovered_at is None:
        yield _("OCI has not recovered yet.")
    else:
        yield _("OCI answered again: %(time)s") % {"time": format_exact(outage.recovered_at)}
    if outage.drained_at is None:
        yield _("Not over yet. It has lasted %(span)s so far.") % {
            "span": span(outage.lost_at, now)
        }
    else:
        yield _("Backlog reconciled: %(time)s (took %(span)s)") % {
            "time": format_exact(outage.drained_at),
            "span": span(outage.recovered_at, outage.drained_at),
        }
        yield _("Length: %(span)s") % {"span": span(outage.lost_at, outage.drained_at)}


def _orders(figures: Figures) -> Iterator[str]:
    captured = _number_of_orders(figures.orders)
    if figures.orders:
        number = 1 if figures.units == 1 else 2
        units = ngettext("%(units)s unit", "%(units)s units", number)
        yield _("Captured offline: %(orders)s, %(units)s, worth %(value)s") % {
            "orders": captured,
            "units": units % {"units": format_quantity(figures.units)},
            "value": ", ".join(format_money(sum_, code) for code, sum_ in figures.value.items()),
        }
    else:
        yield _("Captured offline: %(orders)s") % {"orders": captured}
    for label, number in figures.outcomes:
        yield f"- {label}: {format_quantity(number)}"
    if figures.orders:
        yield _("Oversold: %(oversold)s of %(orders)s (%(percent)s %%)") % {
            "oversold": format_quantity(figures.oversold),
            "orders": captured,
            "percent": number_format(figures.oversold_percent),
        }
    if figures.oversold:
        yield _("Value short: %(value)s (units: %(units)s)") % {
            "value": format_amounts(figures.short.value),
            "units": format_quantity(figures.short.units),
        }


def _number_of_orders(number: int) -> str:
    words = ngettext("%(number)s order", "%(number)s orders", number)
    return words % {"number": format_quantity(number)}


def _runs(runs: Sequence[Run]) -> Iterator[str]:
    if runs:
        yield ""
        yield _("Reconciliations:")
    for run in runs:
        words = _("Run %(run)s: %(state)s (took %(span)s)") % {
            "run": run.pk,
            "state": run.get_state_display(),
            "span": span(run.started_at, run.finished_at),
        }
        yield f"- {words}"


def _reports(reports: Sequence[ReportDay]) -> Iterator[str]:
    if reports:
        yield ""
        yield _("Daily reports:")
    for report in reports:
        kind = report.get_report_type_display()
        number = _number_of_orders(report.order_count)
        yield f"- {report.date:%Y-%m-%d} {report.site_id}, {kind}: {number}"
