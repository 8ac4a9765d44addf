"""Orders whose rows are gone: named by `coc_check`, and nothing that still names them is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from orders import capture_trace
from orders.models import CaptureTrace, Order, Site
from reconciliation import tasks
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.site_text import site_texts
from reconciliation.models import Alert, ReportDay, VanishedOrder
from reconciliation.reports import missing_orders, publish
from tests import factories
from tests.engine import Engine
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


def test_a_site_under_another_id_has_lost_nothing(orders: dict[str, Order]) -> None:
    """The old files stay, and their orders are found by number and moment of capture."""
    old = Site.objects.get()
    renamed = factories.make_site("boutique")
    Order.objects.filter(site=old).update(site=renamed)
    ReportDay.objects.all().delete()
    Site.objects.filter(pk=old.pk).delete()
    assert [row for row in vanished_rows() if "is in" in row] == []
    assert list(missing_orders.in_files()) == []


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
