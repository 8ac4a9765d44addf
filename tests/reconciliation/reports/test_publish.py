"""From events to work files to daily reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orders import actors, adjustments, cancellation, give_back, outcomes, replacements, short_items
from orders.adjustment_lines import Keep
from orders.models import InventoryList, Order, OrderEvent, Site
from reconciliation.models import AttemptOutcome, ReportDay, ReportType
from reconciliation.reports import faithful, names, publish, serializers
from tests.coc_admin.console.scene import JOB, NOW, answer, make_run, make_shop, place
from tests.factories import know_stock, permit_lists
from tests.orders.payloads import PLAIN_LINE

Files = Callable[[], list[str]]
MIA = actors.person("mia")
SCHEMAS = Path(serializers.__file__).parent / "schemas"
pytestmark = pytest.mark.usefixtures("impex")


def check_schema(document: Any, schema: str) -> None:
    rules = json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
    jsonschema.Draft202012Validator(
        rules, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(document)


def read(impex: Path, name: str) -> Any:
    return json.loads((impex / name).read_text())


def merge(now: datetime = NOW) -> publish.Done:
    return publish.project_and_merge(now=now)


def three_orders(site: Site) -> tuple[Order, Order, Order]:
    """Capture three orders; the first ends complete, the second partial, the third waits."""
    one, two, three = (place(site, f"A-{n}", minutes_ago=60 - n) for n in (1, 2, 3))
    run = make_run()
    answer(run, one, 2, 1, outcome=AttemptOutcome.COMPLETE)
    answer(run, two, 1, 0, outcome=AttemptOutcome.PARTIAL)
    return one, two, three


def test_a_captured_order_has_a_work_file_until_its_day_is_merged(
    site: Site, impex: Path, files: Files, settings: Any
) -> None:
    place(site, "00_1/x")
    settings.COC_MERGE_SECONDS = 1e9
    ReportDay.objects.create(
        site=site, date=date(2026, 2, 2), report_type="offline", generated_at=NOW
    )

    done = publish.project(now=NOW)

    name = "work/offline_NorthShop_20260202_123000_00%5F1%2Fx.json"
    assert (done.work_files, done.reports) == (1, 0)
    assert files() == [name]
    work = read(impex, name)
    check_schema(work, "work-file")
    assert work["orderNo"] == "00_1/x"
    assert work["reservationState"] == "RESERVATION_MISSING"
    assert work["items"] == [
        {
            "itemId": "1",
            "sku": "MUG-01",
            "productName": "Stoneware MUG-01",
            "inventoryListId": "NorthShop-stock",
            "quantity": 2,
            "reservedQuantity": 0,
            "shortQuantity": 2,
            **PLAIN_LINE,
            "unitPrice": 9.5,
        },
        {
            "itemId": "2",
            "sku": "CUP-02",
            "productName": "Stoneware CUP-02",
            "inventoryListId": "NorthShop-stock",
            "quantity": 1,
            "reservedQuantity": 0,
            "shortQuantity": 1,
            **PLAIN_LINE,
            "unitPrice": 9.5,
        },
    ]
    assert not OrderEvent.objects.filter(projected=False).exists()

    merge()

    assert files() == ["20260202_offline_NorthShop.json"]


def test_each_kind_has_its_report_and_they_add_up(site: Site, impex: Path, files: Files) -> None:
    three_orders(site)

    merge()

    assert files() == [
        "20260202_offline_NorthShop.json",
        "20260202_oversold_NorthShop.json",
        "20260202_reserved_NorthShop.json",
    ]
    reports = {kind: read(impex, f"20260202_{kind}_NorthShop.json") for kind in ReportType}
    for report in reports.values():
        check_schema(report, "daily-report")
    assert {
        kind: [order["orderNo"] for order in report["orders"]] for kind, report in reports.items()
    } == {"offline": ["A-1", "A-2", "A-3"], "reserved": ["A-1"], "oversold": ["A-2"]}
    assert reports["offline"]["timeZone"] == "Europe/Berlin"
    assert reports["offline"]["revision"] == 1
    assert reports["offline"]["orderCount"] == 3
    oversold = reports["oversold"]["orders"][0]
    assert [(i["reservedQuantity"], i["shortQuantity"]) for i in oversold["items"]] == [
        (1, 1),
        (0, 1),
    ]
    assert oversold["runId"] is not None
    assert oversold["resolution"] is None
    assert list(faithful.unfaithful_days()) == []


def test_one_order_a_line(site: Site, impex: Path) -> None:
    three_orders(site)
    merge()
    lines = (impex / "20260202_offline_NorthShop.json").read_text().splitlines()
    assert [json.loads(line.rstrip(","))["orderNo"] for line in lines[1:-1]] == [
        "A-1",
        "A-2",
        "A-3",
    ]


def test_a_later_outcome_makes_a_new_revision_of_its_day(site: Site, impex: Path) -> None:
    _, two, three = three_orders(site)
    merge()
    cancellation.request_cancellation(
        order_id=two.pk, actor=actors.person("mia"), reason="asked for", now=NOW
    )
    cancellation.request_cancellation(
        order_id=three.pk, actor=actors.person("mia"), reason="double", now=NOW
    )

    merge(NOW + timedelta(minutes=1))

    oversold = read(impex, "20260202_oversold_NorthShop.json")
    offline = read(impex, "20260202_offline_NorthShop.json")
    reserved = read(impex, "20260202_reserved_NorthShop.json")
    assert (offline["revision"], oversold["revision"], reserved["revision"]) == (2, 2, 1)
    settled = {
        "what": "cancelled",
        "at": "2026-02-02T12:00:00.000Z",
        "by": "mia",
        "note": "asked for",
    }
    assert [order["resolution"] for order in oversold["orders"]] == [settled]
    # Cancelled while waiting: in offline alone, with the reason.
    assert [order["resolution"] and order["resolution"]["note"] for order in offline["orders"]] == [
        None,
        "asked for",
        "double",
    ]


def test_reserved_again_is_in_oversold_and_in_reserved(site: Site, impex: Path) -> None:
    _, two, _ = three_orders(site)
    outcomes.take_claim(order_id=two.pk, holder="w", until=NOW + timedelta(minutes=1), now=NOW)
    first, second = two.items.order_by("position")
    outcomes.add_reserved(
        order_id=two.pk,
        holder="w",
        added={first.pk: Decimal(1), second.pk: Decimal(1)},
        actor=JOB,
        reason="reserved again",
        now=NOW,
    )

    merge()

    reserved = read(impex, "20260202_reserved_NorthShop.json")
    oversold = read(impex, "20260202_oversold_NorthShop.json")
    assert [order["orderNo"] for order in reserved["orders"]] == ["A-1", "A-2"]
    assert [order["orderNo"] for order in oversold["orders"]] == ["A-2"]
    assert oversold["orders"][0]["resolution"]["what"] == "reserved_again"


def test_reserved_again_and_then_cancelled_stays_in_both_with_its_last_resolution(
    site: Site, impex: Path
) -> None:
    _, two, _ = three_orders(site)
    outcomes.take_claim(order_id=two.pk, holder="w", until=NOW + timedelta(minutes=1), now=NOW)
    short = {item.pk: item.open_quantity for item in two.items.all()}
    outcomes.add_reserved(
        order_id=two.pk, holder="w", added=short, actor=JOB, reason="reserved again", now=NOW
    )
    cancellation.request_cancellation(order_id=two.pk, actor=MIA, reason="No more.", now=NOW)

    merge()

    for kind in ("reserved", "oversold"):
        report = read(impex, f"20260202_{kind}_NorthShop.json")
        told = {order["orderNo"]: order["resolution"] for order in report["orders"]}
        assert told["A-2"]["what"] == "cancelled"
        assert told["A-2"]["by"] == "mia"


def test_cancelled_short_items_and_what_replaces_an_item_are_told(site: Site, impex: Path) -> None:
    _, two, _ = three_orders(site)
    mug, cup = two.items.order_by("position")
    short_items.cancel_short(
        order_id=two.pk, units={cup.pk: Decimal(1)}, actor=MIA, reason="No cups.", now=NOW
    )
    replacement = replacements.begin(
        item_id=mug.pk,
        sku="JUG-03",
        units=Decimal(1),
        unit_price=Decimal("8.50"),
        holder="w",
        until=NOW + timedelta(minutes=1),
        actor=MIA,
        reason="A jug will do.",
        now=NOW,
    )
    replacements.complete(replacement_id=replacement.pk, holder="w", now=NOW)

    merge()

    report = read(impex, "20260202_oversold_NorthShop.json")
    check_schema(report, "daily-report")
    (order,) = report["orders"]
    assert order["reservationState"] == "PARTIALLY_RESERVED"
    assert order["resolution"] == {
        "what": "replaced",
        "at": "2026-02-02T12:00:00.000Z",
        "by": "mia",
        "note": "1 MUG-01 by JUG-03: A jug will do.",
    }
    names = ("sku", "quantity", "reservedQuantity", "shortQuantity", "cancelledQuantity")
    names += ("replacedQuantity", "replacesItemId", "parentItemId", "kind", "takesStock")
    assert [tuple(item[name] for name in names) for item in order["items"]] == [
        ("MUG-01", 2, 1, 1, 0, 1, None, None, "product", True),
        ("CUP-02", 1, 0, 1, 1, 0, None, None, "product", True),
        ("JUG-03", 1, 1, 0, 0, 0, mug.item_id, None, "product", True),
    ]


def test_an_item_that_was_moved_is_told_with_its_new_list(site: Site, impex: Path) -> None:
    one, _, _ = three_orders(site)
    item = one.items.earliest("position")
    InventoryList.objects.create(pk="outlet")
    permit_lists(site, "outlet")
    know_stock({item.sku: 9}, list_id="outlet", at=NOW - timedelta(hours=1))
    held = item.reserved_quantity
    mine = adjustments.begin(
        order_id=one.pk,
        document_id=one.documents.get().pk,
        keeps=[Keep(item.inventory_list_id, item.sku, held, held, "outlet")],
        holder="w",
        until=NOW + timedelta(minutes=1),
        actor=MIA,
        reason="It leaves from there.",
        now=NOW,
    )
    merge()
    adjustments.complete(adjustment_id=mine.pk, holder="w", replacements_first=False, now=NOW)

    merge()

    for kind in ("offline", "reserved"):
        report = read(impex, f"20260202_{kind}_NorthShop.json")
        check_schema(report, "daily-report")
        told = {order["orderNo"]: order["items"][0] for order in report["orders"]}
        assert told["A-1"]["inventoryListId"] == "outlet"
        assert told["A-1"]["shortQuantity"] == 0


def test_merging_again_changes_nothing(site: Site, impex: Path, files: Files) -> None:
    three_orders(site)
    merge()
    before = {name: (impex / name).read_bytes() for name in files()}

    again = merge(NOW + timedelta(hours=1))

    assert (again.work_files, again.reports, again.failed) == (0, 0, 0)
    assert {name: (impex / name).read_bytes() for name in files()} == before


def test_days_that_were_just_written_wait(site: Site, settings: Any) -> None:
    settings.COC_MERGE_SECONDS = 20
    place(site, "1")
    assert publish.project(now=NOW).reports == 1
    place(site, "2", minutes_ago=1)
    assert publish.project(now=NOW + timedelta(seconds=19)).reports == 0
    assert publish.project(now=NOW + timedelta(seconds=21)).reports == 1


@pytest.mark.parametrize("merged", [True, False])
def test_an_order_whose_document_was_given_back_leaves_the_reserved_report(
    site: Site, impex: Path, files: Files, settings: Any, merged: bool
) -> None:
    one, *_ = three_orders(site)
    if not merged:
        ReportDay.objects.bulk_create(
            ReportDay(site=site, date=date(2026, 2, 2), report_type=kind, generated_at=NOW)
            for kind in ReportType
        )
        settings.COC_MERGE_SECONDS = 1e9
    (merge if merged else publish.project)(now=NOW)
    assert any("reserved" in name for name in files())

    give_back.take_back(
        order_id=one.pk,
        held={("NorthShop-stock", "MUG-01"): Decimal(2)},
        replacements_first=False,
        actor=MIA,
        reason="Damaged.",
        data={},
        now=NOW,
    )
    merge()

    assert list(faithful.unfaithful_days()) == []
    assert not list(names.work_folder().iterdir())
    told = {
        kind: [o["orderNo"] for o in read(impex, f"20260202_{kind}_NorthShop.json")["orders"]]
        for kind in ("reserved", "oversold")
    }
    assert told == {"reserved": [], "oversold": ["A-1", "A-2"]}


def test_more_orders_than_one_chunk_keep_their_order(
    site: Site, impex: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serializers, "CHUNK", 3)
    # Two share a moment: the sequence breaks the tie.
    placed = [place(site, f"{n:02}", minutes_ago=30 - n // 2) for n in range(11)]
    merge()
    report = read(impex, "20260202_offline_NorthShop.json")
    assert [o["orderNo"] for o in report["orders"]] == [o.order_no for o in placed]


def test_sites_do_not_share_files_and_a_day_ends_at_the_site_s_midnight(
    site: Site, impex: Path, files: Files
) -> None:
    far = make_shop("FarShop")
    Site.objects.filter(pk=far.pk).update(time_zone="America/New_York")
    far.refresh_from_db()
    midnight_in_berlin = datetime(2026, 2, 2, 23, 0, tzinfo=UTC)
    place(site, "before", minutes_ago=1, now=midnight_in_berlin)
    place(site, "after", minutes_ago=0, now=midnight_in_berlin)
    place(far, "after", minutes_ago=0, now=midnight_in_berlin)
    merge()
    assert files() == [
        "20260202_offline_FarShop.json",
        "20260202_offline_NorthShop.json",
        "20260203_offline_NorthShop.json",
    ]
    assert list(faithful.unfaithful_days()) == []


def test_an_order_reserved_live_is_in_no_report(site: Site, files: Files) -> None:
    order = place(site, "1")
    Order.objects.filter(pk=order.pk).update(captured_offline=False)
    OrderEvent.objects.update(projected=True)
    merge()
    assert files() == []
    assert names.daily_name("offline", "NorthShop", date(2026, 2, 2)) not in files()
