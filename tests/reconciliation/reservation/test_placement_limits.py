"""What a site takes while OCI is away: its caps, the floor of its list, and the fence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders import outcomes
from orders.actors import job
from orders.errors import OfflineCapExceeded, OfflineCaptureRefused, Shortfall, ShortOnAto
from orders.models import InventoryList, InventoryRecord, Order, OrderEvent, Site
from reconciliation.models import Outage
from reconciliation.reservation import release
from tests import factories
from tests.engine import D, Engine, ato, set_connection, standing
from tests.reconciliation.reservation.calls import COMPLETE, MISSING

pytestmark = pytest.mark.django_db


CAPS: list[tuple[dict[str, Any], str]] = [
    ({"cap_units_per_order": 1}, "unitsPerOrder"),
    ({"cap_total_value": 80}, "totalValue"),
    ({"cap_offline_minutes": 10}, "duration"),
]


def lost(engine: Engine, *, minutes_ago: int, state: str = "OFFLINE") -> None:
    """Make the connection lost for some time, in a state that has only just begun."""
    since = engine.clock() - timedelta(minutes=minutes_ago)
    Outage.objects.create(cause="unreachable", lost_at=since, detected_at=since)
    set_connection(state)


@pytest.mark.parametrize(("caps", "name"), CAPS)
@pytest.mark.parametrize("known", ["OFFLINE", "FORCED_OFFLINE"])
def test_caps_hold_while_selling_offline(
    engine: Engine, caps: dict[str, Any], name: str, known: str
) -> None:
    site = engine.site({"MUG": 9}, **caps)
    lost(engine, minutes_ago=9, state=known)
    # Up to the cap: one unit, 42.25 of value, nine minutes.
    engine.place(site, "A1", [("MUG", 1)])
    engine.clock.go(90)
    with pytest.raises(OfflineCapExceeded) as refused:
        engine.place(site, "A2", [("MUG", 2)])
    assert (refused.value.cap, refused.value.status) == (name, 503)
    assert Order.objects.get().order_no == "A1"
    assert ato("MUG") == (D(8), D(1))


@pytest.mark.parametrize(("caps", "name"), CAPS)
def test_caps_hold_for_a_live_order_that_oci_does_not_answer(
    engine: Engine, caps: dict[str, Any], name: str
) -> None:
    site = engine.site({"MUG": 9, "CUP": 9}, **caps)
    engine.capture(site, "A0", [("MUG", 1)])
    lost(engine, minutes_ago=11, state="RECOVERING")
    engine.oci.fault("5xx", operations=["put"])
    with pytest.raises(OfflineCapExceeded, match="under a new number") as refused:
        engine.place(site, "A1", [("CUP", 2)])
    assert refused.value.cap == name
    assert standing(Order.objects.get(order_no="A1")) == ("failed", MISSING, False)
    assert ato("CUP") == (D(7), D(2))
    engine.oci.fault("none")
    release.finish_cancellations(clock=engine.clock)
    assert ato("CUP") == (D(7), D(2))
    engine.clock.go(61)
    release.finish_cancellations(clock=engine.clock)
    assert engine.held() == {}
    assert ato("CUP") == (D(9), D(0))


@pytest.mark.parametrize(
    ("floor", "left"),
    [
        ({"offline_floor_units": 3}, 3),
        ({"offline_floor_percent": 50}, 5),
        ({"offline_floor_units": 4, "offline_floor_percent": 30}, 4),
    ],
)
def test_the_floor_of_a_list_is_kept_while_selling_offline(
    engine: Engine, floor: dict[str, Any], left: int
) -> None:
    site = engine.site({"MUG": 9})
    InventoryList.objects.update(**floor)
    InventoryRecord.objects.update(safety_stock=10)
    set_connection("OFFLINE")
    with pytest.raises(ShortOnAto) as refused:
        engine.place(site, "A1", [("MUG", 10 - left)])
    assert refused.value.shortfalls == [Shortfall("MUG", "web", D(10 - left), D(9 - left))]
    engine.place(site, "A2", [("MUG", 9 - left)])
    assert ato("MUG")[0] == left
    # Online there is no such floor.
    Order.objects.all().update(needs_review_since=engine.clock())
    set_connection("ONLINE")
    engine.place(site, "A3", [("MUG", 1)])
    assert ato("MUG")[0] == left - 1
    Order.objects.all().update(needs_review_since=None)


@pytest.mark.parametrize("known", ["RECOVERING", "ONLINE"])
def test_the_fence_queues_behind_waiting_orders_of_the_same_sku(engine: Engine, known: str) -> None:
    site = engine.site({"MUG": 5, "CUP": 5})
    first = engine.capture(site, "A1", [("MUG", 1)])
    set_connection(known)
    engine.clock.go(1)
    behind = engine.place(site, "A2", [("CUP", 1), ("MUG", 1)]).order
    beside = engine.place(site, "A3", [("CUP", 1)]).order
    # A2 waits for CUP as well, so that A3 is fenced by it.
    assert [standing(order)[1] for order in (first, behind, beside)] == [MISSING, MISSING, MISSING]
    assert engine.puts() == []
    reason = OrderEvent.objects.get(order=behind).reason
    assert reason == "An earlier order waits for the same stock, so this order queues behind it."
    assert engine.reconcile().state == "completed"
    live = engine.place(site, "A4", [("MUG", 1), ("CUP", 1)]).order
    assert standing(live) == ("new", COMPLETE, False)


def test_the_fence_lets_orders_of_other_skus_and_lists_through(engine: Engine) -> None:
    site = engine.site({"MUG": 5, "CUP": 5})
    engine.at_oci({"MUG": 5}, location="dc2")
    outlet = factories.make_site("outlet", list_id="outlet", stock={"MUG": 5})
    engine.capture(site, "A1", [("MUG", 1)])
    set_connection("RECOVERING")
    assert standing(engine.place(site, "A2", [("CUP", 1)]).order)[1] == COMPLETE
    assert standing(engine.place(outlet, "A3", [("MUG", 1)]).order)[1] == COMPLETE
    assert engine.reconcile().state == "completed"


def test_an_order_that_needs_review_does_not_fence(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    stuck = engine.capture(site, "A1", [("MUG", 1)])
    outcomes.put_to_review(
        order_id=stuck.pk, holder=None, actor=job("test"), reason="stuck", now=engine.clock()
    )
    assert standing(engine.place(site, "A2", [("MUG", 1)]).order)[1] == COMPLETE


def test_a_site_without_offline_capture_is_told_of_the_fence(engine: Engine) -> None:
    site = engine.site({"MUG": 5})
    cautious = Site.objects.create(
        pk="cautious", inventory_list_id="web", offline_capture=False, currency="USD"
    )
    engine.capture(site, "A1", [("MUG", 1)])
    set_connection("RECOVERING")
    with pytest.raises(OfflineCaptureRefused, match="An earlier order waits"):
        engine.place(cautious, "A2", [("MUG", 1)])
    assert Order.objects.count() == 1
