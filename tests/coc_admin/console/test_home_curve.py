"""The curve on home: drawn from sampled minutes, with marks for OCI lost and back."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from coc_admin.accounts.site_access import SiteAccess
from coc_admin.console.home.curve import Curve, curve_of
from orders.models import Site
from reconciliation.models import MinuteFigures, Outage
from tests.coc_admin.console.scene import VIEWER, make_user
from tests.factories import START, make_outage, make_site

NOW = START.replace(second=30)
EVERY_SITE = SiteAccess(allowed=None)


def sampled(site: Site, *rows: tuple[int, int, int, int]) -> None:
    """Store minutes of a site: minutes ago, captured, waiting, short."""
    this = NOW.replace(second=0)
    MinuteFigures.objects.bulk_create(
        MinuteFigures(
            site=site,
            minute=this - timedelta(minutes=ago),
            captured=captured,
            waiting=waiting,
            short=short,
        )
        for ago, captured, waiting, short in rows
    )


def drawn(outage: Outage | None = None, access: SiteAccess = EVERY_SITE) -> Curve:
    return curve_of(access, outage, now=NOW)


def points(curve: Curve, key: str) -> list[str]:
    return [
        piece
        for chart in curve.charts
        for line in chart.lines
        if line.key == key
        for piece in line.pieces
    ]


@pytest.mark.django_db
def test_what_left_the_backlog_is_settled() -> None:
    sampled(make_site(), (4, 5, 0, 0), (3, 6, 6, 0), (2, 4, 10, 0), (1, 0, 3, 2), (0, 1, 3, 2))
    curve = drawn()
    assert [(s.captured, s.settled, s.waiting, s.short) for s in curve.steps] == [
        (5, 5, 0, 0),
        (6, 0, 6, 0),
        (4, 0, 10, 0),
        (0, 7, 3, 2),
        (1, 1, 3, 2),
    ]
    assert curve.minutes == 1
    # The unfinished minute is only in the chart of open orders.
    assert [piece.count(",") for piece in points(curve, "captured")] == [4]
    assert [piece.count(",") for piece in points(curve, "waiting")] == [5]
    assert [chart.highest for chart in curve.charts] == [10, 10]


@pytest.mark.django_db
def test_minutes_without_a_sample_leave_a_gap() -> None:
    sampled(make_site(), (30, 1, 0, 0), (29, 1, 0, 0), (10, 4, 2, 0))
    # An installation that samples since lately has an axis as long as that.
    assert NOW - drawn().start == timedelta(minutes=30, seconds=30)
    found = points(drawn(), "captured")
    assert [piece.count(",") for piece in found] == [2, 2]
    # The last piece is one point, drawn as a dot.
    assert len(set(found[1].split())) == 1
    # Orders waiting before a gap say nothing about orders settled after it.
    assert drawn().steps[-1].settled == 4


@pytest.mark.django_db
def test_a_long_outage_is_drawn_from_before_its_start_in_few_steps() -> None:
    site = make_site()
    sampled(site, *((ago, 2, 0, 0) for ago in range(600)))
    outage = make_outage(minutes_ago=540, over=False)
    curve = drawn(outage)
    assert curve.minutes == 10
    assert curve.start < outage.lost_at
    assert len(curve.steps) <= 61
    assert {step.captured for step in curve.steps} == {2}
    assert [mark.key for mark in curve.marks] == ["lost"]
    # A day is the longest.
    Outage.objects.update(lost_at=NOW - timedelta(days=3))
    outage.refresh_from_db()
    assert NOW - drawn(outage).start <= timedelta(hours=24, minutes=1)
    assert drawn(outage).marks == []


@pytest.mark.django_db
def test_loss_and_return_are_marked_where_they_were() -> None:
    sampled(make_site(), (59, 1, 0, 0), (1, 1, 0, 0))
    outage = make_outage(minutes_ago=30)
    lost, back = drawn().marks

    def place(at: datetime) -> float:
        curve = drawn()
        return 100 * ((at - curve.start) / (curve.end - curve.start))

    assert (lost.key, back.key) == ("lost", "back")
    assert lost.place == f"{place(outage.lost_at):.2f}%"
    assert outage.recovered_at is not None
    assert back.place == f"{place(outage.recovered_at):.2f}%"
    assert lost.name == "OCI lost"


@pytest.mark.django_db
def test_the_curve_has_the_readers_sites_only() -> None:
    sampled(make_site(), (1, 5, 1, 1))
    sampled(make_site("other", list_id="else"), (1, 7, 2, 2))
    assert [s.captured for s in drawn().steps] == [12]
    assert [s.captured for s in drawn(access=SiteAccess(allowed=("other",))).steps] == [7]


@pytest.mark.django_db
def test_home_draws_it_with_a_table_and_its_live_part_too(client: Client) -> None:
    client.force_login(make_user("vera", *VIEWER))
    assert "begins within a minute" in client.get("/").content.decode()
    this = timezone.now().replace(second=0, microsecond=0)
    MinuteFigures.objects.create(
        site=make_site(), minute=this - timedelta(minutes=1), captured=3, waiting=2, short=1
    )
    for address in ("/", "/live/home/"):
        page = client.get(address).content.decode()
        assert '<polyline class="curve-captured"' in page
        assert "Orders per minute" in page
        row = re.search(
            r"<tr>\s*<th scope=\"row\">.*?</tr>", page[page.index("curve-table") :], re.S
        )
        assert row is not None
        assert re.findall(r'number">(\S+?)</td>', row[0]) == ["3", "3", "2", "1"]
