"""The ledger: ATO is the snapshot less the holds, and the movements add up to both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from orders import ledger
from orders.actors import job
from orders.capture import Claim, capture_order
from orders.ledger import Figure
from orders.models import (
    Hold,
    HoldState,
    InventoryList,
    InventoryRecord,
    Movement,
    Order,
    OrderItem,
    Site,
)
from orders.payload import parse_order
from tests.orders.payloads import raw_order

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 2, 2, 12, tzinfo=UTC)
LAG = timedelta(seconds=3)
D = Decimal


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.fixture
def site() -> Site:
    InventoryList.objects.create(id="site-us")
    return Site.objects.create(id="MySite", inventory_list_id="site-us")


def snapshot(ato: str, seconds: float, sku: str = "MUG-01") -> int:
    return ledger.apply_snapshot(
        figures=[Figure("site-us", sku, D(ato))], taken_at=at(seconds), lag=LAG, now=at(seconds)
    )


def capture(site: Site, number: str, quantity: float, seconds: float = 1) -> Order:
    return capture_order(
        placed=parse_order(raw_order(number, [("MUG-01", quantity)]), site=site),
        site=site,
        offline_since=None,
        offline_reason="test",
        claim=None,
        actor=job("test"),
        now=at(seconds),
    ).order


def mug() -> tuple[Decimal, Decimal]:
    """Return (ato, held), having checked them against rows."""
    record = InventoryRecord.objects.get(sku="MUG-01")
    sums = Movement.objects.filter(record=record).aggregate(
        a=Sum("ato_change"), h=Sum("held_change")
    )
    assert (sums["a"] or 0, sums["h"] or 0) == (record.ato, record.held)
    assert ledger.open_holds(record) == record.held
    return record.ato, record.held


def test_a_capture_comes_off_and_a_release_comes_back(site: Site) -> None:
    snapshot("10", 0)
    order = capture(site, "1", 2.5)
    assert mug() == (D("7.5"), D("2.5"))

    ledger.release(order=order, now=at(2))
    ledger.release(order=order, now=at(3))
    assert mug() == (D("10"), D("0"))
    assert Hold.objects.get().state == HoldState.RELEASED


def test_a_snapshot_does_not_forget_what_waits(site: Site) -> None:
    snapshot("10", 0)
    capture(site, "1", 4)
    snapshot("9", 60)
    assert mug() == (D("5"), D("4"))


def test_a_snapshot_below_our_promises_gives_no_negative_ato_and_a_release_pays_it_first(
    site: Site,
) -> None:
    snapshot("10", 0)
    first, second = capture(site, "1", 4), capture(site, "2", 3)
    snapshot("5", 60)
    assert mug() == (D("0"), D("7"))
    ledger.release(order=second, now=at(61))
    assert mug() == (D("1"), D("4"))
    ledger.release(order=first, now=at(62))
    assert mug() == (D("5"), D("0"))


def test_an_answered_hold_goes_only_with_a_snapshot_asked_for_later_than_the_lag(
    site: Site,
) -> None:
    snapshot("10", 0)
    order = capture(site, "1", 4)
    ledger.mark_answered(order=order, now=at(10))
    snapshot("6", 12.9)  # counts the reservation, which may not be relied on yet
    assert mug() == (D("6"), D("4"))
    snapshot("6", 13)
    assert mug() == (D("6"), D("0"))
    assert Hold.objects.get().state == HoldState.DROPPED


@pytest.mark.parametrize("state", ["answered", "being asked for"])
@pytest.mark.parametrize(
    ("figure", "at_once", "later"),
    [
        ("10", "6", "6"),  # not counted yet
        ("8", "6", "6"),  # counted in part
        ("6", "6", "6"),  # counted: not taken off twice, or a shopper would be refused for nothing
        ("5", "1", "5"),  # another channel sells as well: OCI's word, and the hold on top of it
        ("20", "16", "16"),  # new stock
    ],
)
def test_units_that_are_settling_are_not_taken_off_twice(
    site: Site, figure: str, at_once: str, later: str, state: str
) -> None:
    snapshot("10", 0)
    order = capture(site, "1", 4)
    if state == "answered":
        ledger.mark_answered(order=order, now=at(10))
    else:
        Order.objects.filter(pk=order.pk).update(claim="live", claimed_until=at(20))
    snapshot(figure, 11)
    assert mug() == (D(at_once), D("4"))

    ledger.mark_answered(order=order, now=at(12))
    settled = min(D(figure), D("6")) if D(figure) <= 10 else D(figure) - 4
    snapshot(str(settled), 20)

    assert mug() == (D(later), D("0"))


def test_a_sku_that_sells_all_the_time_still_loses_its_older_holds(site: Site) -> None:
    snapshot("100", 0)
    for second in range(1, 20):
        order = capture(site, str(second), 2, seconds=second)
        ledger.mark_answered(order=order, now=at(second))
        snapshot(str(100 - 2 * second), second + 0.5)
        ato, held = mug()
        assert ato == 100 - 2 * second
        assert held <= 8


def test_an_older_snapshot_changes_nothing(site: Site) -> None:
    snapshot("10", 10)
    assert snapshot("3", 10) == 0
    assert snapshot("3", 9) == 0
    assert mug() == (D("10"), D("0"))


def test_a_sku_that_no_list_knows_is_taken_once_a_figure_comes(site: Site) -> None:
    site.unknown_sku_policy = "accept_untracked"
    site.save()
    capture(site, "1", 4)
    assert not InventoryRecord.objects.exists()
    snapshot("6", 60)
    assert mug() == (D("6"), D("0"))
    capture(site, "2", 4)
    assert mug() == (D("2"), D("4"))


def ask_again(order: Order, units: str, seconds: int, *, again: bool = False) -> None:
    with transaction.atomic():
        ledger.hold_shortfall(
            order=order,
            asked={("site-us", "MUG-01"): D(units)},
            again=again,
            until=at(seconds + 60),
            now=at(seconds),
        )


def test_a_rerun_holds_what_it_asks_for_until_a_snapshot_counts_it(site: Site) -> None:
    snapshot("10", 0)
    order = capture(site, "1", 4)
    ledger.mark_answered(order=order, now=at(10))
    snapshot("8", 20)
    OrderItem.objects.update(reserved_quantity=D("2"))
    ask_again(order, "2", 30)
    assert mug() == (D("6"), D("2"))
    ask_again(order, "2", 40, again=True)
    ask_again(order, "2", 101, again=True)
    assert mug() == (D("6"), D("2"))
    ledger.mark_answered(order=order, now=at(102))
    snapshot("6", 104)
    assert mug() == (D("6"), D("2"))
    snapshot("6", 105)
    assert mug() == (D("6"), D("0"))


def test_what_a_rerun_without_an_answer_holds_ends_when_oci_must_have_heard_it(site: Site) -> None:
    snapshot("10", 0)
    order = capture(site, "1", 4)
    ledger.mark_answered(order=order, now=at(10))
    snapshot("8", 20)
    ask_again(order, "2", 30)
    snapshot("8", 92)
    assert mug() == (D("6"), D("2"))
    snapshot("8", 93)
    assert mug() == (D("8"), D("0"))
    # The same call once more.
    ask_again(order, "2", 100, again=True)
    assert mug() == (D("6"), D("2"))


def test_an_open_hold_covers_what_a_rerun_asks_for_as_far_as_it_has_units_to_spare(
    site: Site,
) -> None:
    snapshot("10", 0)
    order = capture(site, "1", 4)
    OrderItem.objects.update(reserved_quantity=D("1"))
    ledger.mark_answered(order=order, now=at(10))
    ask_again(order, "3", 11)
    assert mug() == (D("6"), D("4"))
    # Another id, while the first call may still be heard, and later.
    OrderItem.objects.update(reserved_quantity=D("2"))
    ask_again(order, "3", 12)
    OrderItem.objects.update(reserved_quantity=D("1"))
    ask_again(order, "3", 80)
    assert mug() == (D("6"), D("4"))
    # Asked for more than that call did, the hold grows by the difference.
    ask_again(order, "5", 81)
    assert mug() == (D("5"), D("5"))
    snapshot("9", 200)
    assert mug() == (D("9"), D("0"))
    # Of two units asked for one was got; the other stays in the hold until a figure comes.
    ask_again(order, "2", 201)
    OrderItem.objects.update(reserved_quantity=D("2"))
    ledger.mark_answered(order=order, now=at(202))
    ask_again(order, "2", 203)
    assert mug() == (D("5"), D("4"))


def test_the_database_refuses_figures_that_do_not_follow(site: Site) -> None:
    snapshot("10", 0)
    for wrong in ({"ato": 9}, {"ato": -1, "held": 11}, {"held": -1, "ato": 11}, {"held": 1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            InventoryRecord.objects.update(**wrong)
    assert mug() == (D("10"), D("0"))


def test_exact_thousandths_on_every_database(site: Site) -> None:
    snapshot("0.3", 0)
    capture(site, "1", 0.1)
    capture(site, "2", 0.2)
    assert mug() == (D("0"), D("0.3"))


def test_a_claimed_order_keeps_no_floor(site: Site) -> None:
    InventoryList.objects.update(offline_floor_units=D("2"))
    snapshot("3", 0)
    capture_order(
        placed=parse_order(raw_order("1", [("MUG-01", 3)]), site=site),
        site=site,
        offline_since=None,
        offline_reason="",
        claim=Claim("live:1", at(20)),
        actor=job("test"),
        now=at(1),
    )
    assert mug() == (D("0"), D("3"))
