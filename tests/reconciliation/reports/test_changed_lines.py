"""A later merge copies the lines of unchanged orders; some events cause all lines to be written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orders import actors, cancellation
from orders.models import Order, OrderEvent, Site
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports import daily, faithful, lines, names, publish
from reconciliation.reports.missing_orders import ORDER_LINE
from tests.coc_admin.console.scene import NOW, place
from tests.reconciliation.maintenance import accidents
from tests.reconciliation.reports.test_publish import merge, read, three_orders

pytestmark = pytest.mark.usefixtures("impex")
OFFLINE = "20260202_offline_NorthShop.json"


def report(kind: ReportType = ReportType.OFFLINE) -> ReportDay:
    return ReportDay.objects.select_related("site").get(report_type=kind)


def lines_of(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return [line.rstrip(b",\n") for line in file if line.startswith(ORDER_LINE)]


def from_database(kind: ReportType = ReportType.OFFLINE) -> list[bytes]:
    return list(lines.all_lines(report(kind), lambda row: None))


def totals(impex: Path) -> dict[str, Any]:
    return {one["orderNo"]: one["orderTotal"] for one in read(impex, OFFLINE)["orders"]}


def cancel(order: Order) -> None:
    cancellation.request_cancellation(
        order_id=order.pk, actor=actors.person("mia"), reason="asked for", now=NOW
    )


@pytest.fixture
def written(site: Site, impex: Path) -> tuple[Order, Order, Order]:
    """Three orders in written reports; the second then changed in the database without an event.

    Its total shows whether a line was copied: 28.5 as it was, or 7 from the database.
    """
    orders = three_orders(site)
    merge()
    before = totals(impex)["A-2"]
    assert before != 7
    Order.objects.filter(order_no="A-2").update(order_total=7)
    return orders


def test_only_lines_of_changed_orders_are_made(
    site: Site, impex: Path, written: tuple[Order, ...]
) -> None:
    before = lines_of(impex / OFFLINE)
    cancel(written[2])
    place(site, "first", minutes_ago=90)
    place(site, "last", minutes_ago=1)

    merge()

    after, now = lines_of(impex / OFFLINE), from_database()
    told = read(impex, OFFLINE)
    assert [one["orderNo"] for one in told["orders"]] == ["first", "A-1", "A-2", "A-3", "last"]
    assert (told["orderCount"], told["revision"]) == (5, 2)
    assert after[1:3] == before[:2], "copied, though the database says otherwise"
    assert now[2] != before[1]
    assert [after[0], *after[3:]] == [now[0], *now[3:]]
    assert report().changed_since is None
    assert not list(names.work_folder().iterdir())


@pytest.mark.parametrize("minutes_ago", [58, 57.5])
def test_lines_stay_sorted_and_one_moment_keeps_its_order(
    site: Site, impex: Path, written: tuple[Order, ...], minutes_ago: float
) -> None:
    # One of them is of the very moment of A-2.
    assert written[1].captured_at == NOW - timedelta(minutes=58)
    place(site, "new", minutes_ago=minutes_ago)
    cancel(written[1])

    merge()

    numbers = [one["orderNo"] for one in read(impex, OFFLINE)["orders"]]
    assert numbers == ["A-1", "A-2", "new", "A-3"]
    assert lines_of(impex / OFFLINE) == from_database()


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def altered(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"A-1", b"A-9"))


def removed(path: Path) -> None:
    path.unlink()


def as_written(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the file as if it had been written like this."""
    path.write_bytes(change(path.read_bytes()))
    ReportDay.objects.filter(report_type="offline").update(
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), byte_count=path.stat().st_size
    )


def of_another_release(path: Path) -> None:
    as_written(path, lambda text: text.replace(b'"runId":', b'"run":'))


def of_another_zone(path: Path) -> None:
    as_written(path, lambda text: text.replace(b"Europe/Berlin", b"Europe/Vienna"))


def of_another_site(path: Path) -> None:
    as_written(path, lambda text: text.replace(b'"siteId":"NorthShop","o', b'"siteId":"Old","o'))


DAMAGES = [torn, altered, removed, of_another_release, of_another_zone, of_another_site]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_file_that_can_t_be_trusted_is_not_copied(
    site: Site, impex: Path, written: tuple[Order, ...], damage: Callable[[Path], None]
) -> None:
    place(site, "last", minutes_ago=1)
    damage(impex / OFFLINE)
    publish.project(now=NOW)
    assert report().changed_since is not None

    merge()

    assert lines_of(impex / OFFLINE) == from_database()
    assert totals(impex)["A-2"] == 7
    assert OFFLINE not in {one.name for one in faithful.unfaithful_days()}


def test_an_order_that_the_database_lost_is_not_copied(
    site: Site, impex: Path, written: tuple[Order, ...]
) -> None:
    accidents.delete(written[0])
    place(site, "last", minutes_ago=1)

    merge()

    assert list(totals(impex)) == ["A-2", "A-3", "last"]
    (kept,) = names.kept_folder().iterdir()
    assert json.loads(lines_of(kept)[0])["orderNo"] == "A-1"


def test_many_changes_write_all_lines(
    site: Site, impex: Path, written: tuple[Order, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_MANY", 1)
    place(site, "last", minutes_ago=1)
    merge()
    assert totals(impex)["A-2"] == 28.5, "one of four changed"
    place(site, "later", minutes_ago=1)
    place(site, "latest", minutes_ago=1)
    place(site, "at last", minutes_ago=1)
    merge()
    assert totals(impex)["A-2"] == 7


def test_somebody_who_asks_for_a_day_gets_all_lines(
    site: Site, impex: Path, written: tuple[Order, ...]
) -> None:
    place(site, "last", minutes_ago=1)
    publish.ask_for_day(site=site, day=date(2026, 2, 2))
    merge()
    assert totals(impex)["A-2"] == 7


def test_a_file_is_behind_since_the_first_of_its_events(site: Site) -> None:
    def mark(since: int | None) -> int | None:
        daily.mark(site=site, kinds={(date(2026, 2, 2), ReportType.OFFLINE)}, since=since)
        assert report().needs_merge
        return report().changed_since

    assert mark(7) is None, "it has no file yet"
    assert mark(5) is None
    ReportDay.objects.update(needs_merge=False)
    assert [mark(9), mark(12), mark(8), mark(None), mark(3)] == [9, 9, 8, None, None]
    # As a version without the column leaves it.
    ReportDay.objects.update(needs_merge=False, changed_since=4)
    assert mark(9) == 9


def test_an_event_that_was_committed_late_is_not_missed(
    site: Site, impex: Path, written: tuple[Order, ...]
) -> None:
    # A lower number than events that were published before it.
    number = OrderEvent.objects.earliest("pk").pk - 1
    last = place(site, "last", minutes_ago=1)
    OrderEvent.objects.filter(order=last).update(projected=True)
    daily.mark(
        site=site,
        kinds={(date(2026, 2, 2), ReportType.OFFLINE)},
        since=OrderEvent.objects.get(order=last).pk,
    )
    stale = report()
    Order.objects.filter(order_no="A-1").update(order_total=3)
    OrderEvent.objects.create(
        pk=number, order=written[0], at=datetime.now(UTC), kind="captured", projected=False
    )
    # The caller read the report's row before that event was published.
    publish.rebuild_one(stale, now=NOW)
    assert totals(impex)["A-1"] == 3
    assert totals(impex)["last"] is not None


def test_a_line_that_is_older_than_its_order_is_found(
    site: Site, impex: Path, written: tuple[Order, ...]
) -> None:
    Order.objects.filter(order_no="A-2").update(order_total=28.5)
    assert list(faithful.unfaithful_days()) == []
    Order.objects.filter(order_no="A-2").update(reservation_state="NOTHING_RESERVED")
    found = [one for one in faithful.unfaithful_days() if one.name == OFFLINE]
    assert [(one.fault, one.order_id) for one in found] == [
        ("order A-2 is PARTIALLY_RESERVED in it, and NOTHING_RESERVED now", 0)
    ]

    publish.rebuild_one(report(), now=NOW)

    assert OFFLINE not in {one.name for one in faithful.unfaithful_days()}
