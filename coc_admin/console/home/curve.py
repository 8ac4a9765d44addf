"""The curve on home: orders captured, settled, waiting and short over the last hour or outage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import SiteAccess
from coc_admin.console.charts import rounded_up
from reconciliation.models import Outage
from reconciliation.outages.minutes import MINUTE, Minute, minutes_since

USUAL = timedelta(hours=1)
LONGEST = timedelta(hours=24)
# For an installation that has only recently begun to sample.
SHORTEST = timedelta(minutes=15)
# Minutes before an outage, so that its beginning is visible.
BEFORE = timedelta(minutes=5)
_MOST_STEPS = 60
_STEPS = (1, 2, 5, 10, 15, 30)
_MOST_OUTAGES = 10
# The width of a mark's name, as a percentage of a chart.
_ROOM_OF_NAME = 30


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the curve: rates in orders a minute, and open orders at its end.

    The rates of an unfinished step (`is_running`) are those of its minutes so far.
    """

    at: datetime
    captured: Decimal
    settled: Decimal
    waiting: int
    short: int
    is_running: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name, and the points of each piece without a gap."""

    key: str
    name: str
    pieces: Sequence[str]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: its title with the unit, its lines, and the top of its axis."""

    key: str
    title: str
    lines: Sequence[Line]
    highest: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment across both charts; `place` is its percentage from the left."""

    key: str
    name: str
    at: datetime
    place: str
    is_late: bool
    is_named: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """The curve on the home page. Without `steps`, nothing has been sampled yet."""

    start: datetime
    end: datetime
    minutes: int
    steps: Sequence[Step]
    charts: Sequence[Chart]
    marks: Sequence[Mark]


def curve_of(access: SiteAccess, outage: Outage | None, *, now: datetime) -> Curve:
    """Return the curve of the reader's sites, from before the open `outage`; two queries."""
    end = now.replace(second=0, microsecond=0)
    start = end - USUAL
    if outage is not None:
        start = max(end - LONGEST, min(start, outage.lost_at - BEFORE))
    start = start.replace(second=0, microsecond=0)
    found = minutes_since(start - MINUTE, site_ids=access.site_ids)
    if found:
        start = max(start, min(found[0].at, end - SHORTEST))
    span = int((end - start) / MINUTE)
    minutes = next((n for n in _STEPS if span <= n * _MOST_STEPS), _STEPS[-1])
    steps = list(_steps(found, start, length=minutes * MINUTE, now=now))
    span_of_axis = (start, max(now, start + MINUTE))
    return Curve(
        start=start,
        end=now,
        minutes=minutes,
        steps=steps,
        charts=_charts(steps, span_of_axis, gap=minutes * MINUTE),
        marks=list(_marks(span_of_axis)),
    )


def _steps(
    found: Sequence[Minute], start: datetime, *, length: timedelta, now: datetime
) -> Iterator[Step]:
    """Yield the steps with known minutes.

    Orders that left the backlog in a minute are those waiting before it plus arrivals, less those
    waiting after it.
    """
    before = {one.at + MINUTE: one for one in found}
    groups: dict[datetime, list[Minute]] = {}
    for one in found:
        if one.at >= start:
            groups.setdefault(start + (one.at - start) // length * length, []).append(one)
    for at, minutes in groups.items():
        captured = sum(one.captured for one in minutes)
        first, last = minutes[0], minutes[-1]
        known = before.get(first.at)
        waited = known.waiting if known is not None else first.waiting
        settled = max(0, waited + captured - last.waiting)
        rates = [round(Decimal(n) / len(minutes), 1) for n in (captured, settled)]
        yield Step(at, rates[0], rates[1], last.waiting, last.short, at + length > now)


_Read = Callable[[Step], Decimal | int]


def _charts(
    steps: Sequence[Step], axis: tuple[datetime, datetime], *, gap: timedelta
) -> list[Chart]:
    flow: list[tuple[str, str, _Read]] = [
        ("captured", _("captured"), lambda one: one.captured),
        ("settled", _("settled"), lambda one: one.settled),
    ]
    backlog: list[tuple[str, str, _Read]] = [
        ("waiting", _("waiting"), lambda one: one.waiting),
        ("short", _("short"), lambda one: one.short),
    ]
    charts = []
    for key, title, lines in (
        ("flow", _("Orders per minute"), flow),
        ("backlog", _("Open orders"), backlog),
    ):
        # An unfinished minute would look like a drop.
        shown = [one for one in steps if key == "backlog" or not one.is_running]
        top = max((read(one) for _key, _name, read in lines for one in shown), default=0)
        highest = rounded_up(max(2, -int(-top // 1)))
        drawn = [
            Line(name_of, name, _pieces(shown, read, axis, highest=highest, gap=gap))
            for name_of, name, read in lines
        ]
        charts.append(Chart(key, title, drawn, highest))
    return charts


def _pieces(
    steps: Sequence[Step],
    read: _Read,
    axis: tuple[datetime, datetime],
    *,
    highest: int,
    gap: timedelta,
) -> list[str]:
    """Return the points of a line; minutes without a sample leave a gap."""
    pieces: list[list[str]] = []
    last: datetime | None = None
    for one in steps:
        if last is None or one.at - last > 2 * gap:
            pieces.append([])
        height = 100 - 100 * float(read(one)) / highest
        pieces[-1].append(f"{_place(one.at, axis):.2f},{height:.2f}")
        last = one.at
    # A line of one point is drawn as a dot.
    return [" ".join(piece if len(piece) > 1 else piece * 2) for piece in pieces]


def _place(at: datetime, axis: tuple[datetime, datetime]) -> float:
    start, end = axis
    return 100 * ((at - start) / (end - start))


def _marks(axis: tuple[datetime, datetime]) -> Iterator[Mark]:
    """Yield when OCI was lost and came back, the newest first.

    A mark close to a newer one of its kind has no name, since the names would overlap.
    """
    start, end = axis
    named = {"lost": 200.0, "back": 200.0}
    for outage in Outage.objects.order_by("-lost_at")[:_MOST_OUTAGES]:
        moments = (
            ("lost", _("OCI lost"), outage.lost_at),
            ("back", _("OCI back"), outage.recovered_at),
        )
        for key, name, at in moments:
            if at is None or not start <= at <= end:
                continue
            place = _place(at, axis)
            is_named = named[key] - place > _ROOM_OF_NAME
            if is_named:
                named[key] = place
            yield Mark(
                key,
                name,
                timezone.localtime(at),
                f"{place:.2f}%",
                place > 100 - _ROOM_OF_NAME,
                is_named,
            )
