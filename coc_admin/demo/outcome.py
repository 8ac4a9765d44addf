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
    told = ["", "What the shoppers were told:"]
    told += [f"  {number:5d}  {answer}" for answer, number in sorted(answers.items())]
    for site, states in sorted(counts().items()):
        told.append(f"What became of the {states.total()} orders captured offline at {site}:")
        told += [
            f"  {states[state]:5d}  {state.label}" for state in ReservationState if states[state]
        ]
    told.append("Open alerts:")
    told += [f"  {alert.priority:6}  {alert.message}" for alert in lifecycle.open_alerts()]
    told.append(f"Reports in {names.folder()}:")
    told += [
        f"  {names.name_of(day)}  ({day.order_count} orders)"
        for day in ReportDay.objects.order_by("site", "date", "report_type")
        if day.generated_at
    ]
    return told


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
    told = io.StringIO()
    try:
        call_command("coc_check", stdout=told, stderr=told)
    except (CommandError, SystemExit) as error:
        if isinstance(error, SystemExit) and not error.code:
            return []
        return ["coc_check found broken promises:", *told.getvalue().splitlines(), str(error)]
    return []
