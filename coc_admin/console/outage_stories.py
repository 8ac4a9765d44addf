"""An outage told line by line, and as a text to be sent to somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from coc_admin.console.formats import (
    format_exact,
    format_money,
    format_quantity,
    format_span,
)
from coc_admin.console.outage_figures import Figures
from coc_admin.console.stories import Line
from coc_admin.console.wording import plural
from reconciliation.models import ConnectionChange, ConnectionState, Outage, ReportDay, Run

MOST_LINES = 200

_OFFLINE, _FORCED = ConnectionState.OFFLINE, ConnectionState.FORCED_OFFLINE
_RECOVERING, _ONLINE = ConnectionState.RECOVERING, ConnectionState.ONLINE
_TITLES = {
    (_FORCED, _OFFLINE): ("info", "Released; OCI is being checked"),
    (_RECOVERING, _OFFLINE): ("bad", "Lost again"),
    (_OFFLINE, _OFFLINE): ("warn", "The cause changed"),
}
_TITLES_BY_NEW = {
    _OFFLINE: ("bad", "Loss detected: offline"),
    _FORCED: ("warn", "Forced offline"),
    _RECOVERING: ("info", "OCI answers again; the backlog is being reconciled"),
    _ONLINE: ("ok", "Nothing waits any more; online"),
}


def timeline(outage: Outage) -> list[Line]:
    """Return the story of `outage`, newest line last; of a longer one the newest lines; 1 query."""
    changes = list(ConnectionChange.objects.filter(outage=outage).order_by("-id")[:MOST_LINES])
    lines = [_line(change) for change in reversed(changes)]
    if outage.lost_at < outage.detected_at:
        why = "From here on OCI gave no good answer; it was not known yet."
        lines.insert(0, Line(outage.lost_at, "warn", "First call without an answer", "", why))
    return lines


def _line(change: ConnectionChange) -> Line:
    states = (ConnectionState(change.old_state), ConnectionState(change.new_state))
    tone, title = _TITLES.get(states) or _TITLES_BY_NEW[states[1]]
    return Line(change.at, tone, title, change.actor, change.reason)


def span(start: datetime | None, end: datetime | None) -> str:
    """Return the time between two moments; a dash while one of them is not there."""
    return "–" if start is None or end is None else format_span((end - start).total_seconds())


def summary(
    outage: Outage,
    *,
    figures: Figures,
    runs: Sequence[Run],
    reports: Sequence[ReportDay],
    now: datetime,
) -> str:
    """Return the outage as plain text, complete enough to be read without the console."""
    return "\n".join(
        [
            f"Outage {outage.pk} of Omnichannel Inventory",
            "",
            *_times(outage, now),
            "",
            *_orders(figures),
            *_runs(runs),
            *_reports(reports),
        ]
    )


def _times(outage: Outage, now: datetime) -> Iterator[str]:
    cause = outage.get_cause_display() or "not known"
    yield f"Cause: {cause}{f' ({outage.reason})' if outage.reason else ''}"
    yield f"Lost: {format_exact(outage.lost_at)}"
    found = span(outage.lost_at, outage.detected_at)
    yield f"Detected: {format_exact(outage.detected_at)} (after {found})"
    if outage.recovered_at is None:
        yield "OCI has not come back for good yet."
    else:
        yield f"OCI answered again: {format_exact(outage.recovered_at)}"
    if outage.drained_at is None:
        yield f"Not over yet; it has lasted {span(outage.lost_at, now)} so far."
    else:
        took = span(outage.recovered_at, outage.drained_at)
        yield f"Backlog reconciled: {format_exact(outage.drained_at)} (took {took})"
        yield f"Length: {span(outage.lost_at, outage.drained_at)}"


def _orders(figures: Figures) -> Iterator[str]:
    value = ", ".join(format_money(amount, code) for code, amount in figures.value.items())
    units = f"{format_quantity(figures.units)} {'unit' if figures.units == 1 else 'units'}"
    worth = f", {units}, worth {value}" if figures.orders else ""
    yield f"Captured offline: {plural(figures.orders, 'order')}{worth}"
    for label, number in figures.outcomes:
        yield f"- {label}: {number:,}"
    if figures.orders:
        yield (
            f"Oversold: {figures.oversold:,} of {plural(figures.orders, 'order')}"
            f" ({figures.oversold_percent:f} %)"
        )


def _runs(runs: Sequence[Run]) -> Iterator[str]:
    if runs:
        yield ""
        yield "Reconciliations:"
    for run in runs:
        took = span(run.started_at, run.finished_at)
        yield f"- Run {run.pk}: {run.get_state_display()} (took {took})"


def _reports(reports: Sequence[ReportDay]) -> Iterator[str]:
    if reports:
        yield ""
        yield "Daily reports:"
    for report in reports:
        kind = report.get_report_type_display().lower()
        number = plural(report.order_count, "order")
        yield f"- {report.date:%Y-%m-%d} {report.site_id}, {kind}: {number}"
