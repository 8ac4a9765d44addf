"""Orders whose rows are gone: named by `coc_check`, and nothing that still names them is lost."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from orders import capture_trace, privacy
from orders.models import CaptureTrace, Order, Site
from orders.serializers import iso
from reconciliation import tasks
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.site_text import site_texts
from reconciliation.maintenance import integrity_check
from reconciliation.maintenance.integrity_check import Fault
from reconciliation.models import Alert, ReportDay, VanishedOrder
from reconciliation.reports import downloads, missing_orders, names, publish
from tests import factories
from tests.engine import MIA, Engine
from tests.reconciliation.maintenance import accidents

pytestmark = pytest.mark.django_db


def found() -> dict[tuple[str, str], list[str]]:
    """What `coc_check` finds, by fault and row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for broken in integrity_check.check():
        rows.setdefault((broken.fault.value, broken.row), []).append(broken.detail)
    return rows


def vanished_rows() -> set[str]:
    return {row for fault, row in found() if fault == Fault.VANISHED}


def traced(order: Order) -> str:
    return (
        f"was captured at {iso(order.captured_at)} as id {order.pk} (total 42.25 USD), and is not"
        " in the database"
    )


def in_file(order: Order, file: str) -> str:
    return (
        f"is in {file} (RESERVATION_MISSING, total 42.25 USD, captured at"
        f" {iso(order.captured_at)}), and is not in the database"
    )


def kept() -> list[Path]:
    return sorted(names.kept_folder().glob("*"))


def offline() -> Path:
    return names.path_of(ReportDay.objects.get(report_type="offline"))


def numbers(path: Path) -> list[str]:
    return [order["orderNo"] for order in json.loads(path.read_text())["orders"]]


def test_a_deleted_order_is_named_until_it_is_restored(
    orders: dict[str, Order], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    order, before = orders["waits"], offline().read_bytes()
    backup = accidents.delete(order)

    rows = found()
    assert rows["vanished", "order shop waits"] == [
        in_file(order, offline().name),
        traced(order),
    ]
    assert rows["report", f"report {offline().name}"] == [
        "holds 5 orders, the database 4",
    ]

    with pytest.raises(SystemExit) as ended:
        call_command("coc_repair", apply_all=True, yes=True, reason="drill")
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert told.endswith("1 rows are still broken; run coc_repair again.\n")
    assert "no safe repair. Restore the order with all its rows from a backup." in told
    [copy] = kept()
    assert copy.name.startswith(f"{offline().name}.kept-")
    assert copy.read_bytes() == before
    assert "waits" not in numbers(offline())
    assert found() == {
        ("vanished", "order shop waits"): [in_file(order, f"kept/{copy.name}"), traced(order)]
    }

    backup.restore()
    # The repair has balanced the ledger without it.
    call_command("coc_repair", apply_all=True, yes=True, reason="restored")
    assert found() == {}
    assert numbers(offline())[-1] == "waits"
    assert kept() == [copy]


def console_rebuild(engine: Engine) -> None:
    report = ReportDay.objects.get(report_type="offline")
    publish.ask_for_day(site=report.site, day=report.date)
    tasks.merge_reports()


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


def test_an_alert_names_the_orders_until_they_exist_again(
    orders: dict[str, Order], engine: Engine
) -> None:
    day = ReportDay.objects.get(report_type="offline").date
    others = factories.make_site("other", list_id="outlet")
    backups = [accidents.delete(orders[number]) for number in ("waits", "nothing")]
    console_rebuild(engine)

    refresh_alerts(engine.clock())
    refresh_alerts(engine.clock())

    alert = Alert.objects.get(descriptor="vanished_orders")
    assert (alert.priority, alert.state, alert.context) == ("ACTION", "open", f"shop:{day}")
    assert alert.message == (
        f"2 orders of shop from {day} are in the daily reports but no longer in the database:"
        " nothing, waits."
    )
    assert alert.remedy.startswith("Run manage.py coc_check")
    assert alert.link == f"/reports/?site=shop&date={day}"
    assert site_texts([alert], site_ids=["shop"]) == {alert.pk: alert.message}
    assert site_texts([alert], site_ids=[others.pk]) == {}

    backups[0].restore()
    refresh_alerts(engine.clock())
    alert.refresh_from_db()
    assert alert.message == (
        f"1 order of shop from {day} is in the daily reports but no longer in the database:"
        " nothing."
    )
    backups[1].restore()
    refresh_alerts(engine.clock())
    alert.refresh_from_db()
    assert alert.state == "resolved"
    tasks.merge_reports()
    publish.rebuild(now=engine.clock(), day=day)
    assert found() == {}


def test_the_alert_names_ten_of_many(orders: dict[str, Order], engine: Engine) -> None:
    day = engine.clock().date()
    VanishedOrder.objects.bulk_create(
        VanishedOrder(
            site_id="shop", order_no=f"N-{n:02}", date=day, file="f", found_at=engine.clock()
        )
        for n in range(12)
    )
    refresh_alerts(engine.clock())
    alert = Alert.objects.get(descriptor="vanished_orders")
    listed = ", ".join(f"N-{n:02}" for n in range(10))
    assert alert.message.endswith(f"the database: {listed} and 2 more.")


def test_an_order_that_no_report_contains(orders: dict[str, Order]) -> None:
    order = orders["live"]
    backup = accidents.delete(order)
    assert found()["vanished", "order shop live"] == [traced(order)]
    assert kept() == []
    backup.restore()
    assert found() == {}


@pytest.mark.parametrize("order_no", ["live", "waits"])
def test_a_row_that_is_gone_from_under_its_own(orders: dict[str, Order], order_no: str) -> None:
    order = orders[order_no]
    backup = accidents.delete(order, all_rows=False)
    CaptureTrace.objects.filter(pk=order.pk).delete()
    [left] = [
        detail
        for row, details in found().items()
        if row == ("vanished", f"order (site unknown) (id {order.pk})")
        for detail in details
    ]
    assert left.startswith("has left ")
    assert "1 rows in orders_orderpayload" in left
    backup.restore()
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


def test_a_site_under_another_id_has_lost_nothing(orders: dict[str, Order]) -> None:
    """The old files stay, and their orders are found by number and moment of capture."""
    old = Site.objects.get()
    renamed = factories.make_site("boutique")
    Order.objects.filter(site=old).update(site=renamed)
    ReportDay.objects.all().delete()
    Site.objects.filter(pk=old.pk).delete()
    assert [row for row in vanished_rows() if "is in" in row] == []
    assert list(missing_orders.in_files()) == []


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


def test_an_order_that_cannot_be_restored_is_given_up(
    orders: dict[str, Order], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    accidents.delete(orders["waits"])
    console_rebuild(engine)
    refresh_alerts(engine.clock())
    with pytest.raises(CommandError, match="needs a reason"):
        call_command("coc_repair", give_up="shop/waits")
    with pytest.raises(CommandError, match="'shop/live' is no vanished order"):
        call_command("coc_repair", give_up="shop/live", reason="mistake")
    assert vanished_rows() == {"order shop waits"}

    call_command("coc_repair", give_up="shop/waits", reason="the customer was paid back")

    assert capsys.readouterr().out == "shop/waits: given up. Its files and traces stay.\n"
    row = VanishedOrder.objects.get()
    assert row.given_up_reason == "the customer was paid back"
    assert vanished_rows() == set()
    assert len(kept()) == 1
    refresh_alerts(engine.clock())
    assert Alert.objects.get(descriptor="vanished_orders").state == "resolved"


def test_orders_from_before_the_trace_are_noted_as_they_are(orders: dict[str, Order]) -> None:
    before = list(CaptureTrace.objects.order_by("pk").values())
    assert [row["order_no"] for row in before] == list(orders)
    CaptureTrace.objects.exclude(pk=orders["live"].pk).delete()
    assert found() == {}
    capture_trace.note_existing(apps, "default")
    assert list(CaptureTrace.objects.order_by("pk").values()) == before


def test_the_trigger_is_installed_again_where_it_was_lost(orders: dict[str, Order]) -> None:
    capture_trace.remove(connection)
    site = Site.objects.get()
    at = orders["waits"].captured_at + timedelta(seconds=1)
    unnoted = factories.capture(site, "unnoted", [("MUG", 1)], at=at)
    capture_trace.install_after_migrate(using="default")
    capture_trace.install_after_migrate(using="default")
    noted = factories.capture(site, "noted", [("MUG", 1)], at=at)
    traces = CaptureTrace.objects.filter(pk__in=[unnoted.pk, noted.pk])
    assert [trace.order_no for trace in traces] == ["noted"]


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
