"""What is missing of short orders, in units and money: one number on every surface."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from orders import cancellation, settlement
from orders.adjustment_lines import Keep
from orders.desk.shortages import sums_of
from orders.models import Order, OrderItem, RefusedOrder, Site
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
from reconciliation.outages.cost import Cost, cost_of
from reconciliation.reports import publish
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.console import scene
from tests.engine import MIA, D, Engine
from tests.factories import browser_of, capture_raw, know_stock
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
# What the page of an outage with each kind of order says.
SHOWN = {
    "en": (
        "Requested 8 orders · 25 units · 2,509.99 EUR, 1,000.00 USD = captured offline + refused",
        "= reserved in full + oversold + not reconciled",
        "Value short 7 units · 22.00 EUR, 15.00 USD Short later 1 unit · 10.00 EUR",
        "Rescued 1 unit · 5.00 EUR · replaced, or reserved later Settled outside 1 unit",
        "Not delivered 4 units · 20.00 EUR, 15.00 USD · cancelled Still open 2 units · 7.00 EUR",
    ),
    "de": (
        "= offline erfasst + abgelehnt",
        "= vollständig reserviert + überverkauft + nicht abgeglichen",
        "= gerettet + anderweitig erledigt + nicht geliefert + noch offen",
    ),
}
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
    site = engine.site({sku: 9 for _, _, sku, *_ in ORDERS} | {"E": 9, "NEW": 99, "WHOLE": 9})
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
    assert (cost.became.rescued.units, cost.became.rescued.value) == (1, {"EUR": D(5)})

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

    assert before.became.rescued == after.became.rescued
    assert after.became.rescued.value == {"EUR": D(5)}
    assert after.became.dropped.value == {"EUR": D(10)}
    assert after.still_open.value == {"EUR": D(7), "USD": D(15)}
    assert after.figures.short == before.figures.short


def added(*parts: object) -> tuple[D, dict[str, D]]:
    """Return the sum of some figures: units, and value by currency."""
    value: dict[str, D] = {}
    for part in parts:
        for code, amount in part.value.items():  # type: ignore[attr-defined]
            value[code] = value.get(code, D(0)) + amount
    return sum((part.units for part in parts), D(0)), value  # type: ignore[attr-defined]


def of(part: object) -> tuple[D, dict[str, D]]:
    return part.units, dict(part.value)  # type: ignore[attr-defined]


def test_the_cost_of_an_outage_adds_up_to_the_unit_and_the_cent(short: Run, engine: Engine) -> None:
    site, now = Site.objects.get(), engine.clock()
    by_number = {order.order_no: order for order in Order.objects.all()}
    place(engine, site, "WHOLE", "EUR", "WHOLE", 3, "1.99")
    engine.at_oci({"WHOLE": 9})
    engine.reconcile()
    place(engine, site, "WAITS", "USD", "WHOLE", 1, "0.05")
    refused = {"order_no": "R1", "sku_count": 1, "is_offline": True, "why": "off"}
    at = {"at": engine.captured_at, "last_at": engine.captured_at}
    worth = {"currency": "EUR", "units": 2, "value": D("9.99")}
    RefusedOrder.objects.create(site=site, **refused, **at, **worth)
    outage = Outage.objects.create(
        is_open=False,
        lost_at=engine.captured_at - timedelta(minutes=1),
        detected_at=engine.captured_at,
        drained_at=engine.clock() + timedelta(hours=1),
    )
    give_back_one(engine, by_number["PART"])
    check_sums(cost_of(outage), later=(1, {"EUR": D(10)}))
    item = OrderItem.objects.get(order=by_number["PART"])
    cancel = {"actor": MIA, "reason": "Sold out.", "now": now}
    remedies.cancel_short(order_id=item.order_id, units={item.pk: D(2)}, **cancel)
    cancellation.request_cancellation(order_id=by_number["DOLLARS"].pk, **cancel)
    settlement.settle_outside(order_id=by_number["NO-PRICE"].pk, reference="PO-7", **cancel)
    cost = check_sums(cost_of(outage), later=(1, {"EUR": D(10)}))
    became = cost.became
    assert of(became.rescued) == (1, {"EUR": D(5)})
    assert of(became.settled) == (1, {})
    assert of(became.dropped) == (4, {"EUR": D(20), "USD": D(15)})
    assert of(cost.still_open) == (2, {"EUR": D(7)})
    check_page(outage)
    figures = cost.figures
    assert (figures.reserved.orders, figures.lacking.orders, figures.unsettled.orders) == (1, 5, 1)


def give_back_one(engine: Engine, order: Order) -> None:
    """Give back one of two units of A: two are short now, one of them later."""
    engine.at_oci({"A": 9})
    know_stock({"A": 5}, at=engine.clock() + timedelta(seconds=10))
    engine.clock.go(20)
    remedies.adjust_reservation(
        document_id=ReservationDocument.objects.get(order=order).pk,
        keeps=[Keep("web", "A", D(2), D(1), "web")],
        actor=MIA,
        reason="Broken.",
        clock=engine.clock,
    )


def check_page(outage: Outage) -> None:
    """Assert that the page names the sums and their parts."""
    viewer = Client()
    viewer.force_login(
        scene.make_user("vera", *scene.VIEWER),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    for language, lines in SHOWN.items():
        page = viewer.get(f"/outages/{outage.pk}/", headers={"accept-language": language})
        text = " ".join(re.sub("<[^>]*>", " ", page.content.decode()).split())
        for line in lines:
            assert line in text, text[text.find("What it cost") :][:900]


def check_sums(cost: Cost, *, later: tuple[int, dict[str, D]]) -> Cost:
    """Assert the sums that the pages name."""
    figures, became, demand = cost.figures, cost.became, cost.demand
    parts = (figures.reserved, figures.lacking, figures.unsettled)
    assert sum(part.orders for part in parts) == figures.orders == 7
    assert added(*parts) == of(figures)
    assert demand.requested_orders == figures.orders + cost.refused.orders == 8
    requested = (demand.requested_units, demand.requested_value)
    assert added(figures, cost.refused) == requested
    assert of(became.later) == later
    ends = (became.rescued, became.settled, became.dropped, cost.still_open)
    assert added(figures.short, became.later) == added(*ends)
    return cost
