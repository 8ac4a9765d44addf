"""An outage with an order of each kind, and what is to be read of each: written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orders import outcomes
from orders.adjustment_lines import Keep
from orders.errors import ShortAtOci
from orders.models import Order, OrderItem, OrderStatus, Site
from orders.replacement_parts import Besides
from orders.settlement import settle_outside
from orders.short_items import cancel_short
from reconciliation import remedies
from reconciliation.models import ReservationDocument, Scope
from reconciliation.reports import publish
from reconciliation.reservation import release
from tests import factories
from tests.bundles import bundle
from tests.engine import MIA, D, Engine
from tests.factories import know_stock

UNKNOWN = None


@dataclass(frozen=True)
class Row:
    """What must be read of an order, wherever it is read; written by hand.

    `short` is None where OCI has not answered or the order is not accepted; `outside` is what
    somebody has secured by other means.
    """

    ordered: int
    reserved: int
    short: int | None
    cancelled: int = 0
    replaced: int = 0
    outside: int = 0


# Each is an order of four units of a SKU of its own, of which OCI had three, unless it says else.
EXPECTED = {
    "COMPLETE": Row(4, 4, 0),
    "PARTIAL": Row(4, 3, 1),
    "NOTHING": Row(4, 0, 4),
    "WAITING": Row(4, 0, UNKNOWN),
    "REVIEW": Row(4, 0, UNKNOWN),
    "CANCELLED-WAITING": Row(4, 0, UNKNOWN),
    "CANCELLED": Row(4, 0, UNKNOWN),
    "BEING-CANCELLED": Row(4, 3, UNKNOWN),
    "SHORT-CANCELLED": Row(4, 3, 0, cancelled=1),
    "REPLACED": Row(4, 4, 0, replaced=1),
    "REPLACED-IN-PART": Row(8, 7, 1, replaced=1),
    "REPLACED-AND-GIVEN-BACK": Row(4, 3, 1, replaced=1),
    "REPLACED-TWICE": Row(4, 4, 0, replaced=1),
    "REPLACED-AND-SHORT-CANCELLED": Row(4, 3, 0, cancelled=1, replaced=1),
    "REPLACED-AND-CANCELLED": Row(4, 0, UNKNOWN, replaced=1),
    "REPLACED-IN-BUNDLE": Row(4, 4, 0, replaced=1),
    "SPLIT": Row(8, 7, 0, cancelled=1, replaced=1),
    "SPLIT-REPLACED": Row(8, 8, 0, replaced=2),
    "SPLIT-AND-GIVEN-BACK": Row(8, 6, 1, cancelled=1, replaced=1),
    "SPLIT-AND-CANCELLED": Row(8, 0, UNKNOWN, cancelled=1, replaced=1),
    "BUNDLE": Row(4, 3, 1),
    "ADJUSTED": Row(4, 3, 1),
    "SETTLED-OUTSIDE": Row(4, 3, 0, outside=1),
    "RESERVED-AGAIN": Row(4, 4, 0),
    "LIVE": Row(4, 4, 0),
    "REFUSED": Row(4, 0, UNKNOWN),
}
# The state that people read, where it is not that of one short unit or more.
STATES = {
    "COMPLETE": "Completely Reserved",
    "NOTHING": "Nothing Reserved",
    "WAITING": "Reservation Missing",
    "REVIEW": "Needs review",
    "CANCELLED-WAITING": "Cancelled",
    "CANCELLED": "Cancelled",
    "BEING-CANCELLED": "Being cancelled",
    "SHORT-CANCELLED": "Short items cancelled",
    "REPLACED": "Replaced",
    "REPLACED-TWICE": "Replaced",
    "REPLACED-AND-SHORT-CANCELLED": "Short items cancelled",
    "REPLACED-AND-CANCELLED": "Cancelled",
    "REPLACED-IN-BUNDLE": "Replaced",
    "SPLIT": "Replaced",
    "SPLIT-REPLACED": "Replaced",
    "SPLIT-AND-CANCELLED": "Cancelled",
    "SETTLED-OUTSIDE": "Settled outside",
    "RESERVED-AGAIN": "Completely Reserved",
    "LIVE": "Completely Reserved",
    "REFUSED": "Failed",
}
ALL_AT_OCI = ("COMPLETE", "ADJUSTED", "LIVE")
LATER = ("WAITING", "REVIEW", "CANCELLED-WAITING")
LIVE = ("LIVE", "REFUSED")
OFFLINE = {name: row for name, row in EXPECTED.items() if name not in LIVE}


@pytest.fixture
def impex(tmp_path: Path, settings: Any) -> Path:
    settings.COC_IMPEX_DIR = tmp_path / "impex"
    return tmp_path


@pytest.fixture
def shop(engine: Engine, impex: Path) -> Engine:
    """Play an outage, its run and every remedy; return the engine."""
    seconds = [second_of(name) for name in EXPECTED if name.startswith("SPLIT")]
    skus = [*EXPECTED, "OTHER", *seconds]
    site = engine.site(dict.fromkeys(skus, 9) | {"NEW": 99, "NEWER": 99, "NEWEST": 99})
    orders: dict[str, Order] = {}
    for name in [name for name in OFFLINE if name not in LATER]:
        orders[name] = capture(engine, site, name)
    engine.at_oci(
        {sku: 4 if sku in ALL_AT_OCI else 3 for sku in skus} | {"NOTHING": 0, "ADJUSTED": 9}
    )
    engine.reconcile()
    assert engine.place(site, "LIVE", [("LIVE", 4)]).created
    with pytest.raises(ShortAtOci):
        engine.place(site, "REFUSED", [("REFUSED", 4)])
    remedy(engine, orders)
    for name in LATER:
        orders[name] = engine.capture(site, name, [(name, 4)])
    release.cancel_order(
        order_id=orders["CANCELLED-WAITING"].pk, actor=MIA, reason="No.", now=engine.clock()
    )
    outcomes.put_to_review(
        order_id=orders["REVIEW"].pk, holder=None, actor=MIA, reason="Why?", now=engine.clock()
    )
    publish.project_and_merge(now=engine.clock())
    return engine


def capture(engine: Engine, site: Site, name: str) -> Order:
    """Capture an order offline: of two SKUs, or of a bundle that takes no stock itself."""
    if "BUNDLE" in name:
        engine.captured_at += timedelta(seconds=1)
        line = bundle("KIT", {name: 4}, quantity=2)
        return factories.capture(site, name, [], at=engine.captured_at, productItems=[line])
    extra = [("OTHER", 4)] if name == "REPLACED-IN-PART" else []
    if name.startswith("SPLIT"):
        extra = [(second_of(name), 4)]
    return engine.capture(site, name, [(name, 4), *extra])


def second_of(name: str) -> str:
    """Return the other SKU of an order that is split."""
    return f"{name}-2"


def remedy(engine: Engine, orders: Mapping[str, Order]) -> None:
    """Do to each order what its name says."""
    for name in (name for name in orders if name.startswith("REPLACED")):
        replace(engine, orders[name], name, "NEW")
    for name in (name for name in orders if name.startswith("SPLIT")):
        split(engine, orders[name], name, "NEWER" if name == "SPLIT-REPLACED" else "")
    for name in (
        "REPLACED-AND-GIVEN-BACK",
        "REPLACED-TWICE",
        "REPLACED-AND-SHORT-CANCELLED",
        "SPLIT-AND-GIVEN-BACK",
    ):
        give_back(engine, orders[name])
    replace(engine, orders["REPLACED-TWICE"], "NEW", "NEWER")
    for name in ("SHORT-CANCELLED", "REPLACED-AND-SHORT-CANCELLED"):
        open_items = [i for i in OrderItem.objects.filter(order=orders[name]) if i.open_quantity]
        cancel_short(
            order_id=orders[name].pk,
            units={item.pk: item.open_quantity for item in open_items},
            actor=MIA,
            reason="No more.",
            now=engine.clock(),
        )
    settle_outside(
        order_id=orders["SETTLED-OUTSIDE"].pk,
        reference="PO 7",
        actor=MIA,
        reason="Bought.",
        now=engine.clock(),
    )
    lower(engine, orders["ADJUSTED"])
    engine.at_oci({"RESERVED-AGAIN": 4})
    engine.reconcile(Scope.ORDERS, orders=[orders["RESERVED-AGAIN"].pk])
    for name in ("CANCELLED", "REPLACED-AND-CANCELLED", "SPLIT-AND-CANCELLED"):
        cancel(engine, orders[name])
    assert not Order.objects.filter(status=OrderStatus.CANCELLING).exists()
    release.cancel_order(
        order_id=orders["BEING-CANCELLED"].pk, actor=MIA, reason="No.", now=engine.clock()
    )


def replace(engine: Engine, order: Order, old: str, new: str) -> None:
    done = engine.replace(OrderItem.objects.get(order=order, sku=old), new, units=D(1))
    assert done.state == "done"


def split(engine: Engine, order: Order, old: str, second_sku: str) -> None:
    """Replace one short item, and replace or cancel the other, in one act."""
    second = OrderItem.objects.get(order=order, sku=second_of(old))
    done = engine.replace(
        OrderItem.objects.get(order=order, sku=old),
        "NEWEST",
        units=D(1),
        besides=[Besides(second.pk, D(1), second_sku)],
    )
    assert done.state == "done"


def give_back(engine: Engine, order: Order) -> None:
    """Give back what replaced an item."""
    document = ReservationDocument.objects.filter(order=order, purpose="replace").get()
    engine.clock.go(10)
    done = remedies.give_back(
        document_id=document.pk, actor=MIA, reason="Broken.", clock=engine.clock
    )
    assert done.released


def lower(engine: Engine, order: Order) -> None:
    """Keep three of four units that are reserved."""
    know_stock({"ADJUSTED": 5}, at=engine.clock() + timedelta(seconds=10))
    engine.clock.go(20)
    done = remedies.adjust_reservation(
        document_id=ReservationDocument.objects.get(order=order).pk,
        keeps=[Keep("web", "ADJUSTED", D(4), D(3), "web")],
        actor=MIA,
        reason="Broken.",
        clock=engine.clock,
    )
    assert done.adjustment.state == "done"


def cancel(engine: Engine, order: Order) -> None:
    release.cancel_order(order_id=order.pk, actor=MIA, reason="No.", now=engine.clock())
    release.finish_cancellations(clock=engine.clock)
