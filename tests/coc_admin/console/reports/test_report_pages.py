"""The calendar of reports, the content of a report, and rebuilding a day."""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from coc_admin.console.reports import content_views
from orders import actors, cancellation
from orders.models import Order, OrderItem, Site
from reconciliation import tasks
from reconciliation.models import AttemptOutcome, ReportDay, ReportType
from reconciliation.reports import names, publish, reader
from tests.coc_admin.console.scene import NOW, Scene, answer, make_run, make_shop, place
from tests.factories import limit_to


@pytest.fixture
def impex(tmp_path: Path, settings: Any) -> Path:
    settings.COC_IMPEX_DIR = tmp_path / "impex"
    return tmp_path / "impex"


@pytest.fixture
def oversold(db: None, impex: Path) -> ReportDay:
    """Return the oversold report of a day with five short orders."""
    site, run = make_shop(), make_run()
    for number in range(5):
        order = place(site, f"A{number}", minutes_ago=60 - number)
        answer(run, order, 1, number % 2, outcome=AttemptOutcome.PARTIAL)
    publish.project_and_merge(now=NOW)
    return ReportDay.objects.select_related("site").get(report_type="oversold")


def numbers(answer: Any) -> list[str]:
    return [line.in_file["orderNo"] for line in answer.context["lines"]]


def told(answer: Any) -> dict[date, list[tuple[str, int, int]]]:
    return {
        day.day: [(kind.kind.value, kind.orders, kind.sites) for kind in day.kinds]
        for week in answer.context["weeks"]
        for day in week
        if day.kinds
    }


def test_calendar_shows_each_day_with_its_kinds(viewer: Client, outage: Scene) -> None:
    other = Site.objects.get(pk="South Shop & Co")
    for day, number in ((date(2026, 2, 2), 4), (date(2026, 2, 28), 9), (date(2026, 3, 1), 1)):
        ReportDay.objects.create(
            site=other, date=day, report_type=ReportType.OFFLINE, order_count=number
        )
    answer = viewer.get("/reports/calendar/?month=2026-02")
    assert told(answer) == {
        date(2026, 2, 2): [("offline", 10, 2), ("oversold", 2, 1)],
        date(2026, 2, 28): [("offline", 9, 1)],
    }
    assert [len(week) for week in answer.context["weeks"]] == [7, 7, 7, 7, 7]
    assert (answer.context["previous"], answer.context["next"]) == (
        date(2026, 1, 1),
        date(2026, 3, 1),
    )
    page = answer.content.decode()
    assert 'href="/reports/?date=2026-02-02&amp;kind=oversold"' in page
    assert '<a href="/reports/" aria-current="page"' in page  # the navigation
    narrowed = viewer.get("/reports/calendar/?month=2026-02&site=NorthShop")
    assert told(narrowed) == {date(2026, 2, 2): [("offline", 6, 1), ("oversold", 2, 1)]}


def test_calendar_begins_with_the_latest_month_that_has_reports(
    viewer: Client, outage: Scene
) -> None:
    assert viewer.get("/reports/calendar/").context["month"] == date(2026, 2, 1)
    later = viewer.get("/reports/calendar/?month=2026-05")
    assert told(later) == {}
    assert "The latest report is of 2 February 2026." in later.content.decode()


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("month", ["x", "2026-13", "2026-2", "1999-12", "2200-01", "\u0662026-02"])
def test_month_that_is_none_is_told(viewer: Client, outage: Scene, month: str) -> None:
    answer = viewer.get("/reports/calendar/", {"month": month})
    assert answer.context["form"].errors.keys() == {"month"}
    assert answer.context["month"] == date(2026, 2, 1)
    assert 'id="month-error"' in answer.content.decode()


@pytest.mark.parametrize(("month", "side"), [("2000-01", "previous"), ("2199-12", "next")])
def test_calendar_has_ends(viewer: Client, outage: Scene, month: str, side: str) -> None:
    assert viewer.get(f"/reports/calendar/?month={month}").context[side] is None


def test_calendar_takes_as_many_queries_for_3_as_for_300_reports(
    viewer: Client, outage: Scene, django_assert_num_queries: Any
) -> None:
    path = "/reports/calendar/?month=2026-02"
    viewer.get(path)
    with CaptureQueriesContext(connection) as few:
        viewer.get(path)
    ReportDay.objects.bulk_create(
        ReportDay(site_id="NorthShop", date=date(2026, 2, day), report_type=kind)
        for day in range(3, 29)
        for kind in ReportType
    )
    with django_assert_num_queries(len(few)):
        assert len(told(viewer.get(path))) == 27


def test_file_is_looked_into_beside_the_database(
    viewer: Client, oversold: ReportDay, django_assert_max_num_queries: Any
) -> None:
    cancellation.request_cancellation(
        order_id=Order.objects.get(order_no="A1").pk,
        actor=actors.person("mia"),
        reason="sold out",
        now=NOW,
    )
    with django_assert_max_num_queries(22):
        answer = viewer.get(f"/reports/{oversold.pk}/")
    assert numbers(answer) == ["A0", "A1", "A2", "A3", "A4"]
    assert [line.has_moved_on for line in answer.context["lines"]] == [False, True] + 3 * [False]
    open_now = answer.context["open"]
    assert (open_now.orders, open_now.units, open_now.value) == (4, 7, {"EUR": Decimal("66.5")})
    page = answer.content.decode()
    assert "4 orders of this day are still open" in page
    (link,) = re.findall(r'href="(/orders/\?state=oversold[^"]*)"', page)
    rows = viewer.get(html.unescape(link)).context["rows"]
    assert [order.order_no for order, *_ in rows] == ["A0", "A2", "A3", "A4"]
    assert "1 short" in page
    assert "28.50 EUR" in page
    assert "Rebuild this day" not in page


def test_items_tell_what_is_short_cancelled_and_replaced(
    viewer: Client, oversold: ReportDay
) -> None:
    OrderItem.objects.filter(order__order_no="A1", sku="MUG-01").update(
        quantity=9, reserved_quantity=1, cancelled_quantity=2, replaced_quantity=3
    )
    publish.rebuild_one(oversold, now=NOW)
    answer = viewer.get(f"/reports/{oversold.pk}/?order=A1")
    ((item, *_),) = [line.items for line in answer.context["lines"]]
    assert (item.short, item.cancelled, item.replaced) == (3, 2, 3)
    page = answer.content.decode()
    assert ">3 short<" in page
    assert ">2 cancelled<" in page
    assert ">3 replaced<" in page


def test_a_whole_amount_is_shown_like_any_other(viewer: Client, oversold: ReportDay) -> None:
    """JSON has no decimals for it, so the file gives an int."""
    Order.objects.filter(order_no="A1").update(order_total=7319)
    publish.rebuild_one(oversold, now=NOW)
    page = viewer.get(f"/reports/{oversold.pk}/?order=A1").content.decode()
    assert "7,319.00 EUR" in page


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sku=MUG-01", ["A0", "A1", "A2", "A3", "A4"]),
        ("sku=MUG", []),
        ("order=A3", ["A3"]),
        ("order=3", []),
        ('order=A3"', []),
        ("state=PARTIALLY_RESERVED&order=A", ["A0", "A1", "A2", "A3", "A4"]),
        ("state=NOTHING_RESERVED", []),
        ("resolution=settled", ["A1"]),
        ("resolution=open", ["A0", "A2", "A3", "A4"]),
        ("customer=ADA", ["A0", "A1", "A2", "A3", "A4"]),
        ("customer=reed@", []),
        ("customer=example.test&order=A4", ["A4"]),
        ("sku=a%00b", []),
        ("state=nonsense", []),
    ],
)
def test_orders_in_a_report_are_filtered(
    viewer: Client, oversold: ReportDay, query: str, found: list[str]
) -> None:
    cancellation.request_cancellation(
        order_id=Order.objects.get(order_no="A1").pk,
        actor=actors.person("mia"),
        reason="sold out",
        now=NOW,
    )
    publish.project_and_merge(now=NOW + timedelta(minutes=1))
    assert numbers(viewer.get(f"/reports/{oversold.pk}/?{query}")) == found


def test_a_report_has_pages_until_it_is_written_anew(
    viewer: Client, oversold: ReportDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_views, "PAGE", 2)
    seen, query, cursors = [], "", []
    for _ in range(3):
        answer = viewer.get(f"/reports/{oversold.pk}/{query}")
        seen.append(numbers(answer))
        cursors.append(answer.context["page"].next_cursor)
        query = f"?cursor={cursors[-1]}"
    assert seen == [["A0", "A1"], ["A2", "A3"], ["A4"]]
    assert cursors[-1] == ""
    publish.rebuild_one(oversold, now=NOW + timedelta(minutes=1))
    answer = viewer.get(f"/reports/{oversold.pk}/?cursor={cursors[0]}")
    assert numbers(answer) == ["A0", "A1"]
    assert "rewritten while you were reading" in answer.content.decode()


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    "cursor", ["x", "WzEsM10", "WzEsOTk5OTk5OTk5XQ", "WzEsLTVd"]
)  # [1,3], [1,999999999], [1,-5]
def test_a_place_where_no_order_begins_is_the_start(
    viewer: Client, oversold: ReportDay, cursor: str
) -> None:
    answer = viewer.get(f"/reports/{oversold.pk}/", {"cursor": cursor})
    assert numbers(answer) == ["A0", "A1", "A2", "A3", "A4"]


@pytest.mark.parametrize(
    ("limit", "query"), [("MOST_LINES", "order=A4"), ("MOST_PARSED", "customer=grace")]
)
def test_a_long_search_goes_on_when_asked_to(
    viewer: Client, oversold: ReportDay, monkeypatch: pytest.MonkeyPatch, limit: str, query: str
) -> None:
    order = Order.objects.get(order_no="A4")
    Order.objects.filter(pk=order.pk).update(customer={"customerName": "Grace"})
    publish.rebuild_one(oversold, now=NOW)
    monkeypatch.setattr(reader, limit, 3)
    path = f"/reports/{oversold.pk}/?{query}"
    first = viewer.get(path)
    assert numbers(first) == []
    assert "None of the orders searched so far matches." in first.content.decode()
    assert numbers(viewer.get(f"{path}&cursor={first.context['page'].next_cursor}")) == ["A4"]


@pytest.mark.parametrize("fault", ["missing", "torn"])
def test_a_missing_or_torn_file_is_told_and_not_touched(
    viewer: Client, merchandiser: Client, oversold: ReportDay, fault: str
) -> None:
    path = names.path_of(oversold)
    content = path.read_bytes()
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-20])
    answer = viewer.get(f"/reports/{oversold.pk}/")
    page = answer.content.decode()
    assert (answer.status_code, numbers(answer)) == (200, [])
    assert "The file of this report cannot be shown." in page
    assert "A merchandiser can rebuild the day." in page
    assert f"/reports/{oversold.pk}/rebuild/" not in page
    assert path.exists() is (fault == "torn")
    page = merchandiser.get(f"/reports/{oversold.pk}/").content.decode()
    assert f'action="/reports/{oversold.pk}/rebuild/"' in page

    answer = merchandiser.post(f"/reports/{oversold.pk}/rebuild/")
    assert answer["Location"] == "/reports/?site=NorthShop&date=2026-02-02"
    listed = merchandiser.get(answer["Location"]).content.decode()
    assert "a newer one is being written" in listed
    tasks.merge_reports()
    assert numbers(viewer.get(f"/reports/{oversold.pk}/")) == ["A0", "A1", "A2", "A3", "A4"]


def test_a_day_is_written_anew_once_however_often_it_was_asked_for(
    merchandiser: Client, oversold: ReportDay
) -> None:
    for _ in range(2):
        merchandiser.post(f"/reports/{oversold.pk}/rebuild/")
    behind = ReportDay.objects.filter(needs_merge=True)
    assert sorted(behind.values_list("report_type", flat=True)) == ["offline", "oversold"]
    tasks.merge_reports()
    oversold.refresh_from_db()
    assert (oversold.revision, oversold.needs_merge) == (2, False)
    tasks.merge_reports()
    oversold.refresh_from_db()
    assert oversold.revision == 2


def test_viewers_cannot_have_a_day_written(viewer: Client, oversold: ReportDay) -> None:
    assert viewer.post(f"/reports/{oversold.pk}/rebuild/").status_code == 403
    assert not ReportDay.objects.filter(needs_merge=True).exists()


def test_reports_of_another_site_do_not_exist(
    viewer: Client, merchandiser: Client, oversold: ReportDay
) -> None:
    make_shop("South Shop & Co")
    limit_to("vera", "South Shop & Co")
    limit_to("mia", "South Shop & Co")
    for path in (f"/reports/{oversold.pk}/", f"/reports/{oversold.pk}.json"):
        assert viewer.get(path).status_code == 404
    assert merchandiser.post(f"/reports/{oversold.pk}/rebuild/").status_code == 404
    assert not ReportDay.objects.filter(needs_merge=True).exists()
    assert told(viewer.get("/reports/calendar/?month=2026-02&site=NorthShop")) == {}
    answer = viewer.get("/reports/?site=NorthShop")
    assert answer.context["page"].rows == []
    assert "NorthShop" not in viewer.get("/reports/").content.decode()


def test_list_and_its_live_part_are_alike(viewer: Client, outage: Scene) -> None:
    listed = viewer.get("/reports/?kind=oversold")
    assert [r.report_type for r in listed.context["page"].rows] == ["oversold"]
    live = viewer.get("/live/reports/?kind=oversold").content.decode()
    assert f'href="/reports/{listed.context["page"].rows[0].pk}/"' in live
    assert "<html" not in live


def test_the_reports_of_a_list_as_one_table_or_a_file_each(
    viewer: Client, oversold: ReportDay
) -> None:
    def rows(query: str) -> list[dict[str, str]]:
        answer: Any = viewer.get(f"/reports/export.csv{query}")
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text)))

    every, part = rows(""), rows("?kind=oversold")
    assert {row["reportType"] for row in every} == {"offline", "oversold"}
    assert part == [row for row in every if row["reportType"] == "oversold"]
    assert {row["reportDate"] for row in part} == {oversold.date.isoformat()}
    answer: Any = viewer.get("/reports/export.xlsx?kind=oversold&per_site=1")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as bundle:
        assert bundle.namelist() == [f"{names.stem_of(oversold)}.xlsx"]
    limit_to("vera")
    assert rows("") == []
