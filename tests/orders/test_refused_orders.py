"""Every refused order is a row without a shopper; one that is accepted later is not refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError

from orders import refused_orders
from orders.errors import (
    OfflineCapExceeded,
    OfflineCaptureRefused,
    OrderNoTaken,
    OrderRefused,
    ShortOnAto,
    UnknownSku,
)
from orders.models import Order, PermittedList, RefusedOrder, Site, UnknownSkuPolicy
from orders.offline_limits import Acceptance, limits_of, live_limits_of
from orders.payload import parse_order
from reconciliation.models import ConnectionState, Outage
from reconciliation.outages.demand import demand_of
from reconciliation.reservation.intake import place_orders
from reconciliation.reservation.placement import place_order
from tests.engine import set_connection
from tests.factories import SHOP, START, Clock, capture, make_site
from tests.orders.payloads import raw_order

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> Outage:
    set_connection(ConnectionState.OFFLINE)
    return Outage.objects.create(is_open=True, lost_at=START, detected_at=START)


def place(
    site: Site, order_no: str, items: list[tuple[str, float]], clock: Clock, total: float = 10
) -> Order:
    clock.go(1)
    raw = raw_order(order_no, items, orderTotal=total)
    return place_order(raw=raw, site=site, actor=SHOP, clock=clock).order


def test_requested_is_accepted_plus_refused_to_the_unit(clock: Clock, outage: Outage) -> None:
    site = make_site(stock={"MUG": 9}, cap_units_per_order=D(4), cap_total_value=D(50))
    off = make_site("closed", offline_capture=False)
    place(site, "A1", [("MUG", 3)], clock)
    for number, items, total, refusal in (
        ("R1", [("MUG", 5)], 10, OfflineCapExceeded),
        ("R2", [("MUG", 1.5), ("MUG", 1)], 41, OfflineCapExceeded),
        ("R3", [("NONE", 2)], 10, UnknownSku),
        ("R4", [("MUG", 4)], 10, None),
        ("R5", [("MUG", 3)], 10, ShortOnAto),
    ):
        if refusal is None:
            place(site, number, items, clock, total)
            continue
        with pytest.raises(refusal):
            place(site, number, items, clock, total)
    with pytest.raises(OfflineCaptureRefused):
        place(off, "R1", [("MUG", 1)], clock, 7.5)

    demand = demand_of(outage)
    assert (demand.requested_orders, demand.accepted_orders, demand.refused.orders) == (7, 2, 5)
    assert (demand.requested_units, demand.accepted_units) == (D("20.5"), D(7))
    assert demand.refused.units == D("13.5")
    assert demand.requested_value == {"USD": D("98.5")}
    assert demand.refused.by_why == {
        "offline-cap:unitsPerOrder": 1,
        "offline-cap:totalValue": 1,
        "unknown-sku": 1,
        "short-on-stock": 1,
        "offline-capture-off": 1,
    }
    of_one = demand_of(outage, site_ids=["closed"])
    assert (of_one.requested_orders, of_one.refused.orders) == (1, 1)
    assert Order.objects.count() == 2


def test_a_row_says_nothing_of_the_shopper(clock: Clock, outage: Outage) -> None:
    site = make_site(offline_capture=False)
    with pytest.raises(OfflineCaptureRefused):
        place(site, "R1", [("MUG", 2), ("CUP", 1)], clock)
    row = RefusedOrder.objects.values().get()
    assert row["skus"] == ["CUP", "MUG"]
    assert (row["why"], row["units"], row["value"]) == ("offline-capture-off", D(3), D(10))
    assert "Ada" not in str(row)
    assert "ada@example" not in str(row)


def test_the_same_order_again_is_the_same_row(clock: Clock, outage: Outage) -> None:
    site = make_site(offline_capture=False)
    for _ in range(3):
        with pytest.raises(OfflineCaptureRefused):
            place(site, "R1", [("MUG", 2)], clock)
    row = RefusedOrder.objects.get()
    assert (row.attempts, row.at) == (3, START + timedelta(seconds=1))
    assert row.last_at == START + timedelta(seconds=3)


def test_an_order_accepted_later_is_not_refused(clock: Clock, outage: Outage) -> None:
    site = make_site(stock={"MUG": 9}, offline_capture=False)
    with pytest.raises(OfflineCaptureRefused):
        place(site, "R1", [("MUG", 2)], clock)
    assert demand_of(outage).refused.orders == 1
    Site.objects.update(offline_capture=True)
    site.refresh_from_db()
    place(site, "R1", [("MUG", 2)], clock)
    demand = demand_of(outage)
    assert (demand.requested_orders, demand.accepted_orders, demand.refused.orders) == (1, 1, 0)


def test_a_number_that_is_taken_is_no_refused_order(clock: Clock, outage: Outage) -> None:
    site = make_site(stock={"MUG": 9})
    place(site, "A1", [("MUG", 1)], clock)
    with pytest.raises(OrderNoTaken):
        place(site, "A1", [("MUG", 2)], clock)
    assert not RefusedOrder.objects.exists()


def test_a_refusal_is_answered_when_its_row_cannot_be_written(
    clock: Clock, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(offline_capture=False)

    def fails(*_: object, **__: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(RefusedOrder, "save", fails)
    with pytest.raises(OfflineCaptureRefused):
        place(site, "R1", [("MUG", 2)], clock)


def test_refused_while_online_belongs_to_no_outage(clock: Clock, outage: Outage) -> None:
    refusal: OrderRefused = UnknownSku(["X"])
    site = make_site(stock={"MUG": 1})
    refused_orders.note(
        placed=parse_order(raw_order("R1", [("MUG", 2)]), site=site),
        site=site,
        refusal=refusal,
        is_offline=False,
        now=START,
    )
    assert RefusedOrder.objects.count() == 1
    assert demand_of(outage).refused.orders == 0


def test_forgetting_old_rows(clock: Clock, outage: Outage) -> None:
    site = make_site(offline_capture=False)
    with pytest.raises(OfflineCaptureRefused):
        place(site, "R1", [("MUG", 2)], clock)
    assert refused_orders.forget_old(before=START) == 0
    assert refused_orders.forget_old(before=START + timedelta(days=1)) == 1


class TestLimits:
    @pytest.mark.parametrize(
        ("fields", "minutes", "expected"),
        [
            ({}, 90, (Acceptance.ACCEPTED, "", None, None)),
            ({"offline_capture": False}, 90, (Acceptance.REFUSED, "off", None, START)),
            ({"cap_offline_minutes": 60}, 20, (Acceptance.LIMITED, "", 2400, None)),
            (
                {"cap_offline_minutes": 60},
                90,
                (Acceptance.REFUSED, "duration", 0, START + timedelta(hours=1)),
            ),
            ({"cap_units_per_order": D(3)}, 90, (Acceptance.LIMITED, "", None, None)),
        ],
    )
    def test_of_one_site(
        self, fields: dict[str, object], minutes: int, expected: tuple[object, ...]
    ) -> None:
        now = START + timedelta(minutes=minutes)
        (found,) = limits_of([make_site(stock={"MUG": 9}, **fields)], offline_since=START, now=now)
        left = found.seconds_left(now)
        assert (found.acceptance, found.why, left, found.refused_since) == expected

    def test_value_that_may_wait(self, clock: Clock, outage: Outage) -> None:
        site = make_site(stock={"MUG": 9}, cap_total_value=D(20))
        place(site, "A1", [("MUG", 1)], clock, 12)
        (found,) = limits_of([site], offline_since=START, now=clock())
        assert (found.acceptance, found.value_left) == (Acceptance.LIMITED, D(8))
        place(site, "A2", [("MUG", 1)], clock, 8)
        with pytest.raises(OfflineCapExceeded):
            place(site, "A3", [("MUG", 1)], clock, 1)
        refused_at = clock()
        (found,) = limits_of([site], offline_since=START, now=clock())
        assert (found.acceptance, found.why, found.value_left) == (
            Acceptance.REFUSED,
            "totalValue",
            D(0),
        )
        assert found.refused_since == refused_at

    def test_a_site_without_any_figure_takes_nothing(self) -> None:
        empty = make_site("empty", list_id="new")
        permits = make_site("permits", list_id="own")
        PermittedList.objects.create(
            site=permits, inventory_list=make_site(stock={"MUG": 9}).inventory_list
        )
        bold = make_site(
            "bold", list_id="other", unknown_sku_policy=UnknownSkuPolicy.ACCEPT_UNTRACKED
        )
        sites = [empty, permits, bold]
        offline = limits_of(sites, offline_since=START, now=START)
        for found in (offline, live_limits_of(sites)):
            assert [(one.acceptance, one.why) for one in found] == [
                (Acceptance.REFUSED, "noStock"),
                (Acceptance.ACCEPTED, ""),
                (Acceptance.ACCEPTED, ""),
            ]
        Site.objects.filter(pk="empty").update(offline_capture=False)
        (closed,) = limits_of([Site.objects.get(pk="empty")], offline_since=START, now=START)
        assert closed.why == "off"

    def test_a_site_that_was_closed_in_an_outage_refuses_since_its_last_order(
        self, clock: Clock, outage: Outage
    ) -> None:
        site = make_site(stock={"MUG": 9})
        other = make_site("other", offline_capture=False)
        place(site, "A1", [("MUG", 1)], clock, 12)
        taken_at = clock()
        clock.go(30)
        site.offline_capture = False
        site.save()
        since = [
            one.refused_since for one in limits_of([site, other], offline_since=START, now=clock())
        ]
        assert since == [taken_at, START]
        (found,) = limits_of([site], offline_since=None, now=clock())
        assert (found.acceptance, found.refused_since) == (Acceptance.REFUSED, None)

    def test_a_site_is_full_when_no_usual_order_fits_in_any_more(
        self, clock: Clock, outage: Outage
    ) -> None:
        site = make_site(stock={"MUG": 9}, cap_total_value=D(20))
        place(site, "A1", [("MUG", 1)], clock, 12)
        place(site, "A2", [("MUG", 1)], clock, 2)
        (found,) = limits_of([site], offline_since=START, now=clock())
        # Nothing was refused yet, and a small order would not be.
        assert (found.acceptance, found.value_left) == (Acceptance.LIMITED, D(6))
        with pytest.raises(OfflineCapExceeded):
            place(site, "A3", [("MUG", 1)], clock, 7)
        refused_at = clock()
        (found,) = limits_of([site], offline_since=START, now=clock())
        assert (found.acceptance, found.why) == (Acceptance.REFUSED, "totalValue")
        assert (found.value_left, found.refused_since) == (D(6), refused_at)


def test_an_order_captured_before_the_outage_does_not_count(outage: Outage) -> None:
    capture(make_site(stock={"MUG": 9}), "A1", [("MUG", 1)], at=START - timedelta(hours=1))
    assert demand_of(outage).requested_orders == 0


def test_orders_of_a_list_are_kept_as_well(clock: Clock, outage: Outage) -> None:
    site = make_site(stock={"MUG": 3})
    raws = [raw_order(f"L{n}", [("MUG", 2)], orderTotal=10) for n in range(3)]
    found = list(place_orders(raws=raws, site=site, actor=SHOP, clock=clock))
    assert [isinstance(one, ShortOnAto) for one in found] == [False, True, True]
    demand = demand_of(outage)
    assert (demand.requested_orders, demand.accepted_orders, demand.refused.orders) == (3, 1, 2)
