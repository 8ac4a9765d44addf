"""What is missing of short orders, in units and money: one number on every surface."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from orders.desk.shortages import sums_of
from orders.models import Order, OrderItem, Site
from orders.units import note_open
from reconciliation import remedies
from reconciliation.alerts.channels import outbox
from reconciliation.alerts.channels.text import mail_body, slack_body, webhook_body
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.models import (
    Alert,
    Channel,
    ChannelKind,
    Delivery,
    Outage,
    Priority,
    ReportDay,
    ReservationDocument,
    Run,
)
from reconciliation.outages.cost import cost_of
from reconciliation.reports import publish
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.console import scene
from tests.engine import MIA, D, Engine
from tests.factories import browser_of, capture_raw
from tests.reconciliation.every_order import impex as impex
from tests.reconciliation.every_order import lower

pytestmark = pytest.mark.django_db

# Five orders: order number, currency, SKU, units, price, and what OCI has of it.
ORDERS = (
    ("PART", "EUR", "A", 3, "10", 2),  # 1 short: 10 EUR
    ("DOLLARS", "USD", "B", 2, "7.5", 0),  # 2 short: 15 USD
    ("NO-PRICE", "EUR", "C", 2, None, 1),  # 1 short
    ("REPLACED", "EUR", "D", 4, "5", 3),  # 1 short: 5 EUR, and as much of E, which is replaced
    ("ADJUSTED", "EUR", "ADJUSTED", 4, "2", 4),  # 1 given back later: 2 EUR
)
FIRST = {"EUR": D(22), "USD": D(15)}
VALUE = {"EUR": D(17), "USD": D(15)}
UNITS = 6
WORDS = "6 units short, value short 17.00 EUR and 15.00 USD"


def place(
    engine: Engine, site: Site, name: str, code: str, sku: str, units: int, price: str | None
) -> Order:
    item = {"quantity": units}
    body = {
        "orderNo": name,
        "currency": code,
        "productItems": [
            {**item, "productId": one} | ({} if price is None else {"basePrice": float(price)})
            for one in ((sku, "E") if name == "REPLACED" else (sku,))
        ],
        # Shipping and what is in stock are in the total, and in no value short.
        "orderTotal": 500.0,
    }
    engine.captured_at += timedelta(seconds=1)
    at = engine.captured_at
    return capture_raw(site, json.dumps(body).encode(), at=at, offline_since=at)


@pytest.fixture
def short(engine: Engine, impex: object) -> Run:
    """Play an outage: two currencies, an order without prices, a replacement, an adjustment."""
    del impex
    site = engine.site({sku: 9 for _, _, sku, *_ in ORDERS} | {"E": 9, "NEW": 99})
    made = {name: place(engine, site, name, *line) for name, *line, _ in ORDERS}
    engine.at_oci({sku: had for _, _, sku, _, _, had in ORDERS} | {"E": 3, "ADJUSTED": 9})
    run = engine.reconcile()
    item = OrderItem.objects.get(order=made["REPLACED"], sku="E")
    done = remedies.replace_short(
        item_id=item.pk,
        sku="NEW",
        units=D(1),
        unit_price=D(50),
        actor=MIA,
        reason="Agreed.",
        clock=engine.clock,
    )
    assert done.state == "done"
    lower(engine, made["ADJUSTED"])
    publish.project_and_merge(now=engine.clock())
    return run


def test_one_number_for_what_is_short(short: Run, engine: Engine) -> None:
    assert Order.objects.oversold().count() == 5
    viewer = browser_of(scene.make_user("otto", *scene.OPERATOR))
    for kind in (ChannelKind.EMAIL, ChannelKind.WEBHOOK):
        Channel.objects.create(
            name=kind, kind=kind, target="a@example.test", least_priority=Priority.ACTION
        )
    first = Order.objects.order_by("captured_at").values_list("captured_at", flat=True)[0]
    later = engine.clock() + timedelta(hours=1)
    outage = Outage.objects.create(
        is_open=False, lost_at=first, detected_at=first, drained_at=later
    )
    refresh_alerts(engine.clock(), watching_since=engine.clock())
    outbox.write_due(engine.clock())

    alert = Alert.objects.get(descriptor="reconciliation_shortages")
    assert WORDS in alert.message
    for page in ("/alerts/", f"/alerts/{alert.pk}/", "/"):
        assert WORDS in viewer.get(page).content.decode(), page
    told = {delivery.channel.kind: delivery for delivery in Delivery.objects.filter(alert=alert)}
    assert WORDS in mail_body(told["email"])
    assert WORDS in json.loads(webhook_body(told["webhook"]))["message"]
    assert WORDS in json.loads(slack_body(told["webhook"]))["text"]

    home = viewer.get("/")
    assert home.context["headline"].title == "5 orders are oversold: 17.00 EUR, 15.00 USD short"
    assert "6 units are missing." in home.context["headline"].lines[0]
    cost = home.context["last_outage"]["cost"]
    assert cost == viewer.get(f"/outages/{outage.pk}/").context["cost"]
    assert (cost.still_open.orders, cost.still_open.units, cost.still_open.value) == (
        5,
        UNITS,
        VALUE,
    )
    assert (cost.figures.oversold, cost.figures.short.units, cost.figures.short.value) == (
        5,
        7,
        FIRST,
    )
    assert cost.rescued == {"EUR": D(5)}

    status = api_for(Site.objects.get()).get("status").json()
    assert status["short"] == {"orders": 5, "units": UNITS, "value": {"EUR": 17, "USD": 15}}
    desk: dict[str, Decimal] = {}
    for row in viewer.get("/desk/").context["rows"]:
        currency = row.order.currency
        desk[currency] = desk.get(currency, D(0)) + row.short.value
    assert desk == VALUE
    of_day = ReportDay.objects.get(report_type="oversold")
    open_now = viewer.get(f"/reports/{of_day.pk}/").context["open"]
    assert (open_now.orders, open_now.units, open_now.value) == (5, UNITS, VALUE)
    # That run had left four of them short: the fifth was given back later.
    left = viewer.get(f"/runs/{short.pk}/").context["still_open"]
    assert (left.orders, left.units, left.value) == (4, UNITS - 1, VALUE | {"EUR": D(15)})


def test_what_an_earlier_version_settled_is_counted_by_its_items(
    short: Run, engine: Engine
) -> None:
    assert ReservationDocument.objects.exists()
    Order.objects.update(lacked_units=None, lacked_value=None)
    viewer = browser_of(scene.make_user("otto", *scene.OPERATOR))
    outage = Outage.objects.create(
        is_open=False,
        lost_at=engine.captured_at - timedelta(minutes=1),
        detected_at=engine.captured_at,
        drained_at=engine.clock() + timedelta(hours=1),
    )
    figures = viewer.get(f"/outages/{outage.pk}/").context["figures"]
    assert (figures.short.units, figures.short.value) == (7, FIRST)


def test_orders_that_keep_no_sums_are_added_up_by_their_items(short: Run) -> None:
    orders = Order.objects.oversold()
    kept = sums_of(orders)
    assert (kept.orders, kept.units, kept.value) == (5, UNITS, VALUE)
    Order.objects.filter(order_no__in=["PART", "DOLLARS"]).update(open_units=None, open_value=None)
    assert sums_of(orders) == kept
    # The next remedy writes them.
    note_open(OrderItem.objects.filter(order__in=orders.order_by()))
    assert not Order.objects.filter(pk__in=orders.order_by(), open_units=None).exists()
    assert sums_of(orders) == kept


def test_items_that_were_cancelled_are_not_rescued(short: Run, engine: Engine) -> None:
    part = Order.objects.get(order_no="PART")
    outage = Outage.objects.create(
        is_open=False,
        lost_at=engine.captured_at - timedelta(minutes=1),
        detected_at=engine.captured_at,
        drained_at=engine.clock() + timedelta(hours=1),
    )
    before = cost_of(outage)
    item = OrderItem.objects.get(order=part)
    remedies.cancel_short(
        order_id=part.pk, units={item.pk: D(1)}, actor=MIA, reason="Sold out.", now=engine.clock()
    )
    after = cost_of(outage)

    assert before.rescued == after.rescued == {"EUR": D(5)}
    assert after.still_open.value == {"EUR": D(7), "USD": D(15)}
    assert after.figures.short == before.figures.short
