"""`manage.py import_orders` with files of shops and data sets, and how they are read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from orders.models import Order, OrderPayload, Site, UnknownSkuPolicy
from tests import factories
from tests.engine import D, ato, set_connection
from tests.orders.payloads import raw_order
from tests.reconciliation.import_command import RETAIL, outcome, run, write
from tests.sources import CASES, REAL_DAY

pytestmark = pytest.mark.django_db


def test_a_real_day_is_imported_with_a_map(tmp_path: Path) -> None:
    set_connection("OFFLINE")
    factories.make_site(currency="GBP", unknown_sku_policy=UnknownSkuPolicy.ACCEPT_UNTRACKED)
    maps = [f"--map={part}" for part in RETAIL]

    code, out, err = run(REAL_DAY, *maps, "--dry-run")
    assert (code, out) == (1, "152 orders: 114 to be placed, 38 refused.\n")
    assert len(err.splitlines()) == 38
    assert err.splitlines()[0] == (
        "line 297: order C576108: productItems[0].quantity: must be more than 0"
    )

    morning = b"".join(gzip.decompress(REAL_DAY.read_bytes()).splitlines(keepends=True)[:101])
    path = write(tmp_path, morning, "morning.csv.gz")
    code, out, err = run(path, *maps)
    placed = list(Order.objects.order_by("pk").prefetch_related("items"))
    assert (code, out, err) == (0, f"{len(placed)} orders: {len(placed)} captured offline.\n", "")
    assert sum(len(one.items.all()) for one in placed) == 100
    first = placed[0]
    assert (first.order_no, first.creation_date) == ("576080", "2011-11-14 08:10:00")
    assert (first.customer, first.currency) == ({"customerId": "18211.0"}, "GBP")
    assert json.loads(first.payload.body)["orderTotal"] == float(
        sum(one.ordered_quantity * (one.unit_price or D(0)) for one in first.items.all())
    )
    assert run(path, *maps)[:2] == (0, f"{len(placed)} orders: {len(placed)} there already.\n")


def test_the_cases_of_orders(tmp_path: Path) -> None:
    set_connection("OFFLINE")
    stock = {"A1": 100, "A2": 100, "PART1": 5, "PART2": 5}
    site = factories.make_site(stock=stock, currency="USD")

    assert run(CASES / "csv-empty-rows" / "orders.csv") == (0, "1 order: 1 captured offline.\n", "")
    assert outcome("6004") == [("A1", D(1))]
    columns = (
        "orderNo=Name,email=Email,currency=Currency,orderTotal=Total,creationDate=Created at,"
        "quantity=Lineitem quantity,productName=Lineitem name,basePrice=Lineitem price,"
        "sku=Lineitem sku,customerName=Billing Name"
    )
    path = CASES / "shopify-continuation-lines" / "orders.csv"
    assert run(path, f"--map={columns}") == (0, "1 order: 1 captured offline.\n", "")
    placed = Order.objects.get(order_no="#2220")
    assert outcome("#2220") == [("A1", D(1)), ("A2", D(2))]
    assert (placed.currency, placed.order_total) == ("EUR", D("606.55"))
    assert placed.customer == {"email": "ann@shop.example", "customerName": "Ann Example"}
    assert placed.creation_date == "2024-01-25T13:23:17+01:00"
    # Read with its profile it is the same order: placing it twice is not possible.
    assert run(path) == (0, "Read with the profile shopify.\n1 order: 1 there already.\n", "")

    for name, number in (("name-600", "LN-1"), ("newline", "NL-1")):
        path = CASES / "descriptive-text-refuses-order" / f"{name}.xml"
        assert run(path) == (0, "1 order: 1 captured offline.\n", "")
        assert outcome(number) == [("A1", D(1))]
    shown = Order.objects.get(order_no="NL-1").items.get()
    assert shown.product_name == "Long sleeve shirt"
    payload = json.loads(OrderPayload.objects.get(order__order_no="NL-1").body)
    assert payload["productItems"][0]["productName"] == "Long sleeve\n      shirt"
    payload = json.loads(OrderPayload.objects.get(order__order_no="LN-1").body)
    assert len(payload["productItems"][0]["productName"]) == 600

    raw = (CASES / "descriptive-text-refuses-order" / "order.json").read_bytes()
    described = factories.capture_raw(site, raw)
    line = described.items.get()
    assert (described.order_total, line.unit_price) == (D("0.3"), D("8.2645"))
    assert (line.product_name, described.customer) == (
        "Mug blue",
        {"customerName": "Sean O’Example"},
    )

    path = CASES / "bundle-components" / "orders.xml"
    assert run(path) == (0, "1 order: 1 captured offline.\n", "")
    assert (ato("PART1")[0], ato("PART2")[0]) == (D(3), D(4))


def test_a_profile_is_told_and_what_takes_no_stock_is_counted(
    offline_shop: Site, tmp_path: Path
) -> None:
    content = (
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "1,MUG,Mug,1,12/1/2010 8:26,2,1,UK\n"
        "2,10001A,Mug,1,12/1/2010 8:26,2,1,UK\n2,POST,Postage,1,12/1/2010 8:26,2,1,UK\n"
    )
    factories.know_stock({"10001A": 5})
    rejects = tmp_path / "rejects.csv"
    code, out, err = run(write(tmp_path, content), f"--rejects={rejects}")
    assert (code, out) == (
        1,
        "Read with the profile online-retail.\n2 orders: 1 captured offline, 1 refused.\n"
        "1 line takes no stock and were left out.\n".replace("were", "was"),
    )
    why = "none of its lines takes stock: line 2 the stock code 'MUG' is not a product"
    assert err == f"line 2: order 1: {why}\n"
    assert rejects.read_text("utf-8-sig").splitlines() == [
        "line,orderNo,reason,raw",
        f'2,1,{why},"1,MUG,Mug,1,12/1/2010 8:26,2,1,UK"',
        "4,2,left out: the stock code 'POST' is not a product,"
        '"2,POST,Postage,1,12/1/2010 8:26,2,1,UK"',
    ]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--profile=shopify"], "--profile is for CSV files; a.jsonl is read as jsonl.\n"),
        (["--dates=mdy"], "--dates is for CSV files; a.jsonl is read as jsonl.\n"),
    ],
)
def test_options_of_csv_are_for_csv(
    offline_shop: Site, tmp_path: Path, args: list[str], said: str
) -> None:
    assert run(write(tmp_path, "{}", "a.jsonl"), *args) == (2, "", said)


def test_dates_are_read_as_people_say(offline_shop: Site, tmp_path: Path) -> None:
    content = "orderNo,sku,quantity,basePrice,creationDate\nA1,MUG,1,2,12/1/2010 8:26\n"
    path = write(tmp_path, content)
    assert run(path)[0] == 1
    assert run(path, "--dates=dmy")[0] == 0
    assert Order.objects.get().creation_date == "2010-01-12T08:26:00"
    # Read otherwise it is the same order still, only stamped otherwise.
    assert run(path, "--dates=mdy")[1] == "1 order: 1 there already.\n"


def test_a_cancelled_order_of_the_commerce_api_is_refused(
    offline_shop: Site, tmp_path: Path
) -> None:
    content = raw_order("A1", [("MUG", 1)], status="cancelled")
    assert run(write(tmp_path, content, "a.json")) == (
        1,
        "1 order: 1 refused.\n",
        "line 1: order A1: status: the order is cancelled already\n",
    )
    assert not Order.objects.exists()
