"""Two busy sites side by side; everything of the second bears a mark that is easy to look for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User

from coc_admin.accounts import tokens
from orders import customer_messages, outcomes
from orders.desk import entries
from orders.models import (
    InventoryList,
    InventoryRecord,
    MessageKind,
    Order,
    OrderItem,
    RefusedOrder,
    Site,
)
from orders.replacement_parts import Besides
from orders.settlement import settle_outside
from reconciliation.decisions import bulk_asks
from reconciliation.models import (
    Channel,
    ChannelKind,
    FeedState,
    HeldFigures,
    Scope,
    StockFeed,
    VanishedOrder,
)
from reconciliation.reports import publish
from reconciliation.reservation import release
from tests import factories
from tests.engine import MIA, Engine

# Of each of them: a word that nothing else holds.
NORTH, SOUTH = "Nordwind", "Zuidpool"
LISTS = {NORTH: ("web", "dc"), SOUTH: ("outlet", "dc2")}
KINDS = ("FULL", "PART", "NONE", "SPLIT", "REPLACED", "CANCELLED", "OUTSIDE", "PROMISED", "REVIEW")


def sku(mark: str, name: str) -> str:
    return f"{mark.upper()}-{name}"


def busy(engine: Engine, mark: str) -> Site:
    """Open a site and let it have an outage's orders, and each remedy."""
    list_id, location = LISTS[mark]
    names = [*KINDS, "SECOND", "LATER", "NEW", "LIVE"]
    stock = {sku(mark, name): 200 for name in names}
    engine.at_oci(stock, location=location)
    site = factories.make_site(
        f"{mark}-shop",
        list_id=list_id,
        stock=stock,
        at=engine.clock() - timedelta(hours=1),
        cap_total_value=Decimal(5000),
        keeps_promises=True,
    )
    InventoryRecord.objects.filter(inventory_list=list_id).update(product_name=f"{mark} thing")
    orders = {name: _capture(engine, site, mark, name) for name in KINDS}
    engine.at_oci({sku(mark, name): 3 for name in (*KINDS, "SECOND")}, location=location)
    engine.at_oci({sku(mark, "FULL"): 9, sku(mark, "NONE"): 0}, location=location)
    engine.reconcile(Scope.MISSING, site=site.pk)
    _remedies(engine, mark, orders)
    for number in range(3):
        _capture(engine, site, mark, "LATER", number)
    _refuse(engine, site, mark)
    _settings(engine, site, mark, orders)
    publish.project_and_merge(now=engine.clock())
    return site


def more(engine: Engine, site: Site, mark: str) -> None:
    """Let a site have more of everything that is counted."""
    for number in range(10, 17):
        _capture(engine, site, mark, "LATER", number)
        order = _capture(engine, site, mark, "PART", number)
        release.cancel_order(order_id=order.pk, actor=MIA, reason=f"{mark} no.", now=engine.clock())
    _refuse(engine, site, mark, first=10, number=5)
    review = _capture(engine, site, mark, "FULL", 50)
    outcomes.put_to_review(
        order_id=review.pk, holder=None, actor=MIA, reason=f"{mark} why?", now=engine.clock()
    )


def _capture(engine: Engine, site: Site, mark: str, name: str, number: int = 0) -> Order:
    engine.captured_at += timedelta(seconds=1)
    items = [(sku(mark, name), 4.0)]
    if name == "SPLIT":
        items.append((sku(mark, "SECOND"), 4.0))
    order_no = f"{mark.upper()}-{name}-{number}" if number else f"{mark.upper()}-{name}"
    value = 77.77 if mark == SOUTH else 42.25
    return factories.capture(
        site,
        order_no,
        items,
        at=engine.captured_at,
        orderTotal=value,
        customerInfo={"customerName": f"{mark} Kim", "email": f"kim@{mark.lower()}.example"},
    )


def _remedies(engine: Engine, mark: str, orders: dict[str, Order]) -> None:
    second = OrderItem.objects.get(order=orders["SPLIT"], sku=sku(mark, "SECOND"))
    for name, besides in (("SPLIT", [Besides(second.pk, Decimal(1))]), ("REPLACED", [])):
        engine.replace(
            OrderItem.objects.get(order=orders[name], sku=sku(mark, name)),
            sku(mark, "NEW"),
            units=Decimal(1),
            reason=f"{mark} agreed.",
            besides=besides,
        )
    settle_outside(
        order_id=orders["OUTSIDE"].pk,
        reference=f"{mark} PO 7",
        actor=MIA,
        reason=f"{mark} bought.",
        now=engine.clock(),
    )
    release.cancel_order(
        order_id=orders["CANCELLED"].pk, actor=MIA, reason=f"{mark} no.", now=engine.clock()
    )
    release.finish_cancellations(clock=engine.clock)
    outcomes.put_to_review(
        order_id=orders["REVIEW"].pk,
        holder=None,
        actor=MIA,
        reason=f"{mark} contradiction.",
        now=engine.clock(),
    )


def _refuse(engine: Engine, site: Site, mark: str, *, first: int = 0, number: int = 2) -> None:
    for one in range(first, first + number):
        RefusedOrder.objects.create(
            site=site,
            order_no=f"{mark.upper()}-REFUSED-{one}",
            at=engine.clock(),
            last_at=engine.clock(),
            why="not-available",
            is_offline=True,
            units=3,
            value="19.19",
            currency="USD",
            skus=[sku(mark, "FULL")],
            sku_count=1,
        )


def _settings(engine: Engine, site: Site, mark: str, orders: dict[str, Order]) -> None:
    now = engine.clock()
    user = User.objects.create_user(f"{mark}-lena", first_name=mark, email=f"{mark}@lena.example")
    entries.assign(was={orders["PART"].pk: 0}, assignee=user.pk, actor=MIA, now=now)
    bulk_asks.begin(user=user, order_ids=[orders["PART"].pk, orders["NONE"].pk], now=now)
    customer_messages.save_template(
        site_id=site.pk,
        kind=MessageKind.REPLACED,
        subject=f"{mark} news",
        body=f"{mark} {{items}}",
        seen=0,
        actor=MIA,
        now=now,
    )
    tokens.make(name=f"{mark}-token", site=site, scopes=["orders:read"])
    channel = Channel.objects.create(
        name=f"{mark}-channel",
        kind=ChannelKind.WEBHOOK,
        target=f"https://{mark.lower()}.example.test/hook",
        every_site=False,
        enabled=True,
        failures=5,
        failing_since=now,
        last_error=f"{mark} failed.",
    )
    channel.sites.set([site])
    old = now - timedelta(days=2)
    StockFeed.objects.update_or_create(
        inventory_list=InventoryList.objects.get(pk=site.inventory_list_id),
        defaults={
            "state": FeedState.NEW,
            "records": 9,
            "p50_at": old,
            "p95_at": old,
            "oldest_at": old,
            "last_error": f"{mark} feed.",
        },
    )
    HeldFigures.objects.create(list_id=site.inventory_list_id, why="all_zero", since=now, skus=4)
    VanishedOrder.objects.create(
        site_id=site.pk,
        order_no=f"{mark.upper()}-VANISHED",
        date=now.date(),
        file=f"{mark}.json",
        found_at=now,
    )
