"""The outcome of the story: counts, alerts and files, and whether they are as planned."""

from __future__ import annotations

import io
from collections import Counter

from django.core.management import call_command, get_commands
from django.core.management.base import CommandError
from django.db.models import Count

from orders.models import Order, ReservationState
from reconciliation.alerts import lifecycle
from reconciliation.models import ReportDay
from reconciliation.reports import names


def counts() -> dict[str, Counter[str]]:
    """Return, by site, how many orders captured offline are in each reservation state."""
    rows = (
        Order.objects.filter(captured_offline=True)
        .order_by()
        .values("site_id", "reservation_state")
        .annotate(number=Count("id"))
    )
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row["site_id"], Counter())[row["reservation_state"]] = row["number"]
    return found


def lines(answers: Counter[str]) -> list[str]:
    """Return the closing lines of the story."""
    shown = ["", "What the shoppers were told:"]
    shown += [f"  {number:5d}  {answer}" for answer, number in sorted(answers.items())]
    for site, states in sorted(counts().items()):
        shown.append(f"What became of the {states.total()} orders captured offline at {site}:")
        shown += [
            f"  {states[state]:5d}  {state.label}" for state in ReservationState if states[state]
        ]
    shown.append("Open alerts:")
    shown += [f"  {alert.priority:6}  {alert.message}" for alert in lifecycle.open_alerts()]
    shown.append(f"Reports in {names.folder()}:")
    shown += [
        f"  {names.name_of(day)}  ({day.order_count} orders)"
        for day in ReportDay.objects.order_by("site", "date", "report_type")
        if day.generated_at
    ]
    return shown


def an_order_that_went_short() -> Order | None:
    """Return an example of a short order, preferably a partially reserved one."""
    short = Order.objects.oversold().filter(captured_offline=True)
    partial = short.filter(reservation_state=ReservationState.PARTIAL).first()
    return partial or short.first()


def faults(*, every_outcome: bool) -> list[str]:
    """Return the differences from the planned outcome; empty if there are none.

    `every_outcome`: each of the three outcomes must occur, as in the shop's own story; in real
    orders one may be missing.
    """
    total: Counter[str] = Counter()
    for states in counts().values():
        total += states
    found = []
    if total[ReservationState.MISSING]:
        found.append(f"{total[ReservationState.MISSING]} orders still wait")
    for state in (ReservationState.COMPLETE, ReservationState.PARTIAL, ReservationState.NOTHING):
        if every_outcome and not total[state]:
            found.append(f"no order ended {state.label}")
    missing = [
        names.name_of(day) for day in ReportDay.objects.all() if not names.path_of(day).is_file()
    ]
    found += [f"the report {name} is not there" for name in missing]
    return found + _broken_promises()


def _broken_promises() -> list[str]:
    if "coc_check" not in get_commands():
        return []
    output = io.StringIO()
    try:
        call_command("coc_check", stdout=output, stderr=output)
    except (CommandError, SystemExit) as error:
        if isinstance(error, SystemExit) and not error.code:
            return []
        return ["coc_check found broken promises:", *output.getvalue().splitlines(), str(error)]
    return []
