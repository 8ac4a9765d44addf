"""The demo's plan: the same each time, with stock that lets every outcome happen."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coc_admin.demo import catalogue
from coc_admin.demo.plan import DE, UK, US, Plan, replay_plan, shop_plan
from coc_admin.demo.real_orders import UnreadableFile
from tests.sources import CASES

NOW = datetime(2026, 2, 2, 12, tzinfo=UTC)


def demand(plan: Plan) -> Counter[tuple[str, str]]:
    lists = {site.id: site.list_id for site in plan.sites}
    wanted: Counter[tuple[str, str]] = Counter()
    for posting in [*plan.before, *plan.during, *plan.after]:
        for item in posting.payload["productItems"]:
            wanted[lists[posting.site_id], item["productId"]] += item["quantity"]
    return wanted


def test_the_catalogue_has_about_three_hundred_skus_with_names_of_their_own() -> None:
    products = catalogue.products()

    assert len(products) == 310
    assert len({product.sku for product in products}) == 310
    assert len({product.name for product in products}) == 310
    assert products[0].sku == "LINSH-OAT-1"
    assert products[0].name == "Linen shirt, oatmeal, S"


def test_the_shop_plan_is_the_same_each_time() -> None:
    first, second = shop_plan(orders=64), shop_plan(orders=64)

    assert first == second
    assert [len(first.before), len(first.during), len(first.after)] == [16, 32 + 24, 16]
    numbers = [
        posting.payload["orderNo"] for posting in [*first.before, *first.during, *first.after]
    ]
    assert numbers == [f"{number:010d}" for number in range(1, 89)]
    assert {posting.site_id for posting in first.during} == {US.id, DE.id}


@pytest.mark.parametrize("orders", [64, 240])
def test_the_shop_could_keep_every_promise_if_nobody_else_sold(orders: int) -> None:
    plan = shop_plan(orders=orders)
    ato = plan.ato()

    assert {key: units for key, units in demand(plan).items() if units > ato[key]} == {}


def test_what_another_channel_leaves_makes_the_youngest_rush_order_go_short() -> None:
    plan = shop_plan(orders=64)
    wanted = demand(plan)

    assert len(plan.sales) == 8
    assert {sale.leave for sale in plan.sales} == {2}
    assert {wanted[sale.list_id, sale.sku] for sale in plan.sales} == {7}


def test_a_posting_is_dated_when_it_is_sent_unless_it_has_a_date() -> None:
    posting = shop_plan(orders=64).before[0]

    sent = json.loads(posting.body(NOW))

    assert sent.pop("creationDate") == "2026-02-02T12:00:00.000+00:00"
    assert sent == posting.payload


def test_the_stock_file_names_group_members_and_single_locations() -> None:
    told = shop_plan(orders=64).stock_file()

    assert told["groups"] == {"shop-us-stock": ["boston", "denver", "oakland"]}
    assert told["locations"] == ["boston", "denver", "oakland", "berlin"]
    assert len(told["stock"]) == 310 * 4
    assert all(row["onHand"] > 0 for row in told["stock"])


def test_a_replay_splits_the_day_in_three_and_contests_what_sells_in_the_middle(
    tmp_path: Path,
) -> None:
    path = tmp_path / "day.csv.gz"
    lines = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    lines += [f"{n},2208{n},CHAIN {n},{n},2011-11-14 08:00:00,1.5,,France" for n in range(1, 7)]
    lines += ["C7,22081,CHAIN 1,-1,2011-11-14 08:00:00,1.5,,France"]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))

    plan = replay_plan(path)

    assert [[p.payload["orderNo"] for p in part] for part in (plan.before, plan.during)] == [
        ["1", "2"],
        ["3", "4"],
    ]
    assert [posting.payload["orderNo"] for posting in plan.after] == ["5", "6"]
    assert {sale.sku: sale.leave for sale in plan.sales} == {"22084": 2, "22083": 1}
    assert plan.ato()[UK.list_id, "22086"] == 8
    assert plan.notes == [
        "day.csv.gz: 6 orders",
        "  1 orders are refused. Line 8 (order C7): the invoice is a cancellation.",
        "  0 lines take no stock.",
    ]
    assert json.loads(plan.during[0].body(NOW))["creationDate"] == "2011-11-14T08:00:00+00:00"


def test_a_file_without_orders_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    )

    with pytest.raises(
        UnreadableFile, match=r"day\.csv cannot be read: line 1: the file holds no order\.$"
    ):
        replay_plan(path)


def test_the_set_is_replayed_as_it_is_published() -> None:
    plan = replay_plan(CASES / "uci-online-retail-dates" / "orders.csv")
    # The only order is placed during the outage: the story needs one.
    assert (plan.before, plan.after) == ([], [])
    (posting,) = plan.during
    assert (posting.payload["orderNo"], len(posting.payload["productItems"])) == ("600001", 2)
    assert plan.notes[0] == "orders.csv: 1 orders"
    assert plan.notes[1].endswith(": the invoice is a cancellation.")


def test_a_file_without_orders_says_why_its_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "1,10002,MUG,1,31.31.2010,2,1,UK\n"
    )
    with pytest.raises(UnreadableFile) as refused:
        replay_plan(path)
    assert str(refused.value) == (
        f"{path} holds no order. Line 2 (order 1): the creationDate '31.31.2010' is not a date."
    )
