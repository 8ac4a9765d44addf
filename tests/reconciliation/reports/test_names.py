"""Names of report files: of the seed, safe for any order number, never shared by two orders."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.models import Site
from reconciliation.models import ReportType
from reconciliation.reports import names

NOON = datetime(2026, 2, 2, 12, 0, tzinfo=UTC)


def site(site_id: str = "MySite", zone: str = "UTC") -> Site:
    return Site(id=site_id, time_zone=zone)


def work(order_no: str, site_id: str = "MySite", at: datetime = NOON, zone: str = "UTC") -> str:
    return names.work_name(
        ReportType.OFFLINE, order_no=order_no, captured_at=at, site=site(site_id, zone)
    )


def test_names_are_those_of_the_seed() -> None:
    assert work("0000012345") == "offline_MySite_20260202_120000_0000012345.json"
    assert names.daily_name("oversold", "MySite", date(2026, 2, 2)) == (
        "20260202_oversold_MySite.json"
    )


def test_day_and_stamp_are_of_the_site_s_time_zone() -> None:
    late = datetime(2026, 2, 2, 23, 30, 5, tzinfo=UTC)
    assert work("1", at=late, zone="Asia/Tokyo") == "offline_MySite_20260203_083005_1.json"
    assert names.day_of(late, site(zone="Asia/Tokyo")) == date(2026, 2, 3)
    assert names.day_of(late, site(zone="America/New_York")) == date(2026, 2, 2)


@pytest.mark.parametrize(
    ("order_no", "part"),
    [
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("a_b", "a%5Fb"),
        ("100%", "100%25"),
        ("tab\there", "tab%09here"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("..", ".."),
    ],
)
def test_an_order_number_cannot_leave_the_folder(order_no: str, part: str) -> None:
    assert work(order_no) == f"offline_MySite_20260202_120000_{part}.json"
    assert Path(work(order_no)).name == work(order_no)


def test_an_underscore_cannot_make_two_orders_share_a_name() -> None:
    assert work("X_20260202_120000_Y", "a") != work("Y", "a_20260202_120000_X")


_numbers = st.text(min_size=1, max_size=50)


@given(_numbers, _numbers)
def test_two_numbers_never_share_a_name_and_names_are_short(one: str, other: str) -> None:
    assert (work(one, "S" * 32) == work(other, "S" * 32)) == (one == other)
    longest = names.work_name(
        ReportType.OVERSOLD, order_no=one, captured_at=NOON, site=site("\U0001f600" * 32)
    )
    assert len(longest.encode()) <= 240
    assert longest.isascii()
    assert "/" not in longest


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 6, 1), 24),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # 00:00 does not exist
        ("Asia/Beirut", date(2026, 10, 24), 25),  # back at midnight, into the day before
        ("UTC", date(2026, 6, 1), 24),
    ],
)
def test_a_day_is_as_long_as_the_zone_makes_it(zone: str, day: date, hours: int) -> None:
    there = site(zone=zone)
    start, end = names.bounds(day, there)
    assert (end - start).total_seconds() == hours * 3600
    assert names.day_of(start, there) == day
    assert names.day_of(end, there) == date.fromordinal(day.toordinal() + 1)
