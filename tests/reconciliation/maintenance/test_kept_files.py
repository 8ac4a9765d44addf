"""Files that know more than the database: they are kept, and not replaced."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from orders import privacy
from orders.models import CaptureTrace, Order, Site
from reconciliation import tasks
from reconciliation.models import ReportDay, VanishedOrder
from reconciliation.reports import downloads, missing_orders, names, publish
from tests.engine import MIA, Engine
from tests.reconciliation.maintenance import accidents
from tests.reconciliation.maintenance.missing import (
    console_rebuild,
    found,
    in_file,
    kept,
    numbers,
    offline,
    traced,
    vanished_rows,
)

pytestmark = pytest.mark.django_db


def another_order(engine: Engine) -> None:
    engine.capture(Site.objects.get(), "another", [("MUG", 1)])
    tasks.project_reports()
    tasks.merge_reports()


def torn_and_opened(engine: Engine) -> None:
    offline().write_bytes(offline().read_bytes()[:-9])
    downloads.open_json(ReportDay.objects.get(report_type="offline")).close()


def command_for_a_day(engine: Engine) -> None:
    call_command("merge_reports", date=str(ReportDay.objects.get(report_type="offline").date))


def command(engine: Engine) -> None:
    ReportDay.objects.update(needs_merge=True)
    call_command("merge_reports")


@pytest.mark.parametrize(
    "write", [console_rebuild, another_order, torn_and_opened, command, command_for_a_day]
)
def test_whatever_writes_a_report_keeps_the_file_that_knows_more(
    orders: dict[str, Order], engine: Engine, write: Callable[[Engine], None]
) -> None:
    backup = accidents.delete(orders["waits"])
    ReportDay.objects.update(needs_merge=write is command_for_a_day)

    write(engine)

    assert "waits" not in numbers(offline())
    [copy] = kept()
    assert b'"orderNo":"waits"' in copy.read_bytes()
    assert vanished_rows() == {"order shop waits"}
    # Written again, nothing more is to be kept.
    ReportDay.objects.update(needs_merge=True)
    tasks.merge_reports()
    assert kept() == [copy]

    backup.restore()
    ReportDay.objects.update(needs_merge=True)
    tasks.merge_reports()
    assert "waits" in numbers(offline())
    assert found() == {}


def test_the_work_file_of_a_deleted_order_stays(
    orders: dict[str, Order], engine: Engine, settings: Any
) -> None:
    settings.COC_MERGE_SECONDS = 1e9
    order = engine.capture(Site.objects.get(), "late", [("MUG", 1)])
    publish.project(now=engine.clock())
    [work] = names.work_folder().iterdir()
    backup = accidents.delete(order)

    ReportDay.objects.update(needs_merge=True)
    tasks.merge_reports()

    assert work.exists()
    assert kept() == []
    assert found()["vanished", "order shop late"] == [
        in_file(order, f"work/{work.name}"),
        traced(order),
    ]
    assert VanishedOrder.objects.get().file == f"work/{work.name}"
    backup.restore()
    ReportDay.objects.update(needs_merge=True)
    tasks.merge_reports()
    assert list(names.work_folder().iterdir()) == []
    assert found() == {}
    assert not missing_orders.still_vanished().exists()


def test_an_older_database_under_newer_files(orders: dict[str, Order], engine: Engine) -> None:
    """As after a restore: order, trace and the rows of the report are of an earlier moment."""
    order = orders["waits"]
    name, day = offline().name, ReportDay.objects.get(report_type="offline").date
    accidents.delete(order)
    CaptureTrace.objects.filter(pk=order.pk).delete()
    ReportDay.objects.all().delete()
    assert found()["vanished", "order shop waits"] == [in_file(order, name)]
    publish.rebuild(now=engine.clock(), day=day)
    assert [b'"orderNo":"waits"' in path.read_bytes() for path in kept()] == [True]
    assert vanished_rows() == {"order shop waits"}


def test_an_order_that_leaves_a_report_is_none_that_vanished(
    orders: dict[str, Order], engine: Engine
) -> None:
    accidents.execute(
        "UPDATE orders_order SET reservation_state = %s WHERE order_no = %s",
        "NOTHING_RESERVED",
        "done",
    )
    reserved = names.path_of(ReportDay.objects.get(report_type="reserved"))
    assert "done" in numbers(reserved)
    ReportDay.objects.update(needs_merge=True)
    tasks.merge_reports()
    assert "done" not in numbers(reserved)
    assert (kept(), vanished_rows()) == ([], set())


def test_an_erased_customer_is_in_no_kept_file(orders: dict[str, Order], engine: Engine) -> None:
    backup = accidents.delete(orders["waits"])
    console_rebuild(engine)
    backup.restore()
    [copy] = kept()
    before = {order["orderNo"]: order for order in json.loads(copy.read_text())["orders"]}
    assert before["waits"]["customer"] != {}
    ids = [orders["waits"].pk, orders["done"].pk]

    privacy.erase(order_ids=ids, actor=MIA, reason="asked", now=engine.clock())
    tasks.project_reports()

    assert kept() == [copy]
    after = {order["orderNo"]: order for order in json.loads(copy.read_text())["orders"]}
    assert after == before | {
        number: before[number] | {"customer": {}} for number in ("waits", "done")
    }
    tasks.merge_reports()
    publish.rebuild(now=engine.clock())
    assert found() == {}


def line(number: str, site_id: str = "shop") -> bytes:
    return json.dumps({"siteId": site_id, "orderNo": number}, separators=(",", ":")).encode()


def test_what_a_file_lacks_of_another_one_whatever_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In windows of any size all that is lacking is found, and more only where they are small."""

    def lacking(before: list[bytes], after: list[bytes]) -> list[str]:
        named = [
            list(missing_orders.orders_named(io.BytesIO(b"\n".join(x)))) for x in (before, after)
        ]
        return [one.order_no for one in missing_orders._not_among(*named)]

    every = [line(f"A-{n}") for n in range(40)]
    for chunk in (1, 3, 100):
        monkeypatch.setattr(missing_orders, "_CHUNK", chunk)
        assert lacking(every, every) == []
        assert lacking(every, every[:7] + every[8:]) == ["A-7"]
        assert lacking(every, [line("new"), *every[1:]]) == ["A-0"]
        assert lacking(every, every[::-1]) == []
        assert lacking([line("A-1", "other")], every) == ["A-1"]
        assert lacking([b'{"siteId":"shop","orde'], every) == [""]
        assert lacking([], every) == []
    monkeypatch.setattr(missing_orders, "_MOST_UNMET", 2)
    monkeypatch.setattr(missing_orders, "_CHUNK", 1)
    assert {"A-7"} <= set(lacking(every, every[:7] + every[8:][::-1]))


def test_a_line_that_cannot_be_read_is_kept(orders: dict[str, Order]) -> None:
    """Nobody knows which order it was."""
    damaged = offline().read_bytes().replace(b'"orderNo":"waits"', b'"orderNo:"waits"')
    offline().write_bytes(damaged)
    publish.rebuild(now=orders["waits"].captured_at)
    assert [path.read_bytes() for path in kept()] == [damaged]
    assert found() == {}
    assert not VanishedOrder.objects.exists()


def test_a_file_that_cannot_be_kept_is_not_replaced(
    orders: dict[str, Order], engine: Engine
) -> None:
    before = offline().read_bytes()
    backup = accidents.delete(orders["waits"])
    names.kept_folder().write_text("not a folder")
    ReportDay.objects.update(needs_merge=True)
    tasks.merge_reports()
    assert offline().read_bytes() == before
    assert ReportDay.objects.get(report_type="offline").last_error != ""
    names.kept_folder().unlink()
    backup.restore()
    tasks.merge_reports()
    assert found() == {}
