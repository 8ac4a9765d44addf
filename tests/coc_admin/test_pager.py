"""The pager of every list: each row once, forwards and backwards, whatever comes in between."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from coc_admin.pager import NEWEST_FIRST, BadCursor, Column, Keyset, Page
from reconciliation.models import OfflineCause, Outage

START = datetime(2026, 2, 2, 12, tzinfo=UTC)
MIXED = Keyset(Column("lost_at", datetime, True), Column("cause", str), Column("pk"))


def lost(seconds: int, cause: str = OfflineCause.SLOW) -> Outage:
    at = START + timedelta(seconds=seconds)
    return Outage.objects.create(lost_at=at, detected_at=at, is_open=False, cause=cause)


def walk(cursor: str = "", *, backwards: bool = False) -> tuple[list[list[int]], str]:
    """Return the rows of all pages from `cursor` on, and the cursor of the last page."""
    pages = []
    while True:
        page: Page[Outage] = MIXED.page(Outage.objects.all(), cursor, size=3)
        pages.append([row.pk for row in page.rows])
        further = page.previous_cursor if backwards else page.next_cursor
        if not further:
            return pages, cursor
        cursor = further


@pytest.mark.django_db
def test_pages_show_each_row_once_in_both_directions() -> None:
    causes = (OfflineCause.SLOW, OfflineCause.THROTTLED)
    rows = [lost(number // 4, causes[number % 2]) for number in range(11)]
    rows.sort(key=lambda row: (-row.lost_at.timestamp(), row.cause, row.pk))
    expected = [row.pk for row in rows]
    pages, last = walk()
    assert pages == [expected[:3], expected[3:6], expected[6:9], expected[9:]]
    back, first = walk(last, backwards=True)
    assert back == [expected[9:], expected[6:9], expected[3:6], expected[:3]]
    shown: Page[Outage] = MIXED.page(Outage.objects.all(), first, size=3)
    assert (shown.is_first, shown.previous_cursor) == (True, "")


@pytest.mark.django_db
def test_rows_that_come_and_go_neither_repeat_nor_hide_others() -> None:
    rows = [lost(number).pk for number in range(6)][::-1]
    first: Page[Outage] = NEWEST_FIRST.page(Outage.objects.all(), "", size=2)
    newer = lost(9)
    Outage.objects.filter(pk__in=rows[1:3]).delete()
    second: Page[Outage] = NEWEST_FIRST.page(Outage.objects.all(), first.next_cursor, size=2)
    assert [row.pk for row in first.rows + second.rows] == [*rows[:2], *rows[3:5]]
    # New rows alone do not fill the page before: it is the first page, as it is now.
    before: Page[Outage] = NEWEST_FIRST.page(Outage.objects.all(), second.previous_cursor, size=2)
    assert ([row.pk for row in before.rows], before.is_first) == ([newer.pk, rows[0]], True)
    Outage.objects.all().delete()
    gone: Page[Outage] = NEWEST_FIRST.page(Outage.objects.all(), first.next_cursor, size=2)
    assert gone == Page([], is_first=False)


@pytest.mark.django_db
def test_page_has_a_bounded_size() -> None:
    for size in (0, 201):
        with pytest.raises(ValueError, match="1 to 200 rows"):
            NEWEST_FIRST.page(Outage.objects.all(), "", size=size)


def coded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


HOSTILE = [
    (Column("n"), [-1, 2**63, 1.0, True, "1", None, [1]]),
    (Column("n", float), [-0.5, 1e30, float("nan"), float("inf"), 10**400, "1", True]),
    (Column("n", str), ["\x00", "\ud800", 1, None]),
    (Column("n", datetime), ["2026-02-02T10:00:00", "1999-01-01T00:00:00+00:00", "x", 1, None]),
    (Column("n", Decimal), ["NaN", "1e999", "1.23456", "", 1, None]),
]


@pytest.mark.django_db
def test_a_hostile_cursor_is_refused_or_is_the_start() -> None:
    cursors = [(Keyset(one), coded([value])) for one, values in HOSTILE for value in values]
    texts = ("x", "-", "é", "A" * 9_999, coded("x"), coded([]), coded([1, 2]), "W" * 2_000)
    cursors += [(NEWEST_FIRST, text) for text in texts]
    for keyset, cursor in cursors:
        with pytest.raises(BadCursor):
            keyset.place(cursor)
        assert keyset.place_or_start(cursor) is None
    backwards = "-" + NEWEST_FIRST.cursor([5])
    with pytest.raises(BadCursor):
        NEWEST_FIRST.page(Outage.objects.all(), backwards, size=2, strict=True)
    assert NEWEST_FIRST.place(backwards) is not None
