"""OCI's stock followed over real HTTP: exports, changes, and the age of figures."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from orders.ledger import Figure
from orders.models import Delivery, InventoryRecord, Movement
from reconciliation.models import FeedState, StockFeed
from reconciliation.oci.feeds import FeedClient
from reconciliation.reservation import stock_figures
from reconciliation.stock_mirror import StockMirror, changes
from tests import factories
from tests.engine import Engine
from tests.reconciliation.oci.simulator_process import SimulatorProcess
from tests.reconciliation.stock_mirror.conftest import FEED_SCOPE, LAG, MANY, D, Mirror


def test_a_full_export_brings_every_sku_of_a_list_and_its_futures(mirror: Mirror) -> None:
    mirror.stock(MUG=3, **MANY)
    coming = [{"quantity": 5, "expectedDate": "2999-03-01T00:00:00Z"}]
    mirror.oci.set_stock(
        [
            {"location": "dc2", "sku": "MUG", "onHand": 4, "safetyStockCount": 1},
            {"location": "store", "sku": "HAT", "onHand": 2, "futures": coming},
            {"location": "store", "sku": "GIFT", "onHand": 999_999_999},
        ]
    )
    assert mirror.export() == 2
    assert mirror.ours() == {"MUG": D(6), **{sku: D(n) for sku, n in MANY.items()}}
    assert mirror.ours("store") == {"HAT": D(7), "GIFT": D(999_999_999)}
    assert InventoryRecord.objects.get(sku="MUG").safety_stock == 1
    assert InventoryRecord.objects.get(sku="GIFT").is_unlimited
    assert not InventoryRecord.objects.get(sku="HAT").is_unlimited
    assert {feed.state for feed in StockFeed.objects.all()} == {FeedState.FOLLOWING}
    moved = Movement.objects.filter(record__sku="MUG").values_list("ato_change", flat=True)
    assert list(moved) == [D(6)]
    assert mirror.export() == 0


def test_deliveries_follow_by_export_and_change_and_end_with_their_sku(mirror: Mirror) -> None:
    day, later = datetime(2999, 3, 1, tzinfo=UTC), datetime(2999, 4, 1, tzinfo=UTC)

    def expect(sku: str, *due: tuple[datetime, int]) -> None:
        futures = [{"quantity": n, "expectedDate": at.isoformat()} for at, n in due]
        row = {"location": "store", "sku": sku, "onHand": 2, "futures": futures}
        mirror.oci.set_stock([row])

    def ours() -> list[tuple[str, datetime, Decimal]]:
        rows = Delivery.objects.order_by("record__sku", "expected_at")
        return list(rows.values_list("record__sku", "expected_at", "quantity"))

    expect("HAT", (day, 5), (later, 1))
    expect("CAP", (day, 3))
    mirror.export()
    assert ours() == [("CAP", day, D(3)), ("HAT", day, D(5)), ("HAT", later, D(1))]
    expect("HAT", (later, 4))
    mirror.delete("store", "CAP")
    mirror.turn()
    assert ours() == [("HAT", later, D(4))]


def test_changes_new_skus_and_deletions_follow(mirror: Mirror) -> None:
    mirror.stock(MUG=3, CUP=8, PEN=1)
    mirror.export()
    mirror.stock(MUG=9, NEW=4)
    mirror.delete("dc", "CUP")
    mirror.turn()
    assert mirror.ours() == {"MUG": D(9), "NEW": D(4), "PEN": D(1)}
    gone = InventoryRecord.objects.get(inventory_list="web", sku="CUP")
    assert (gone.ato, gone.snapshot_ato, gone.gone_at) == (0, 0, mirror.clock())
    mirror.stock(CUP=2)
    mirror.turn()
    gone.refresh_from_db()
    assert (gone.ato, gone.gone_at) == (2, None)
    # The other list was asked as well, and has none of them.
    assert mirror.ours("store") == {}
    assert InventoryRecord.objects.filter(inventory_list="store").count() == 0


def test_more_changes_than_one_answer_holds_come_in_one_turn(mirror: Mirror) -> None:
    mirror.stock(MUG=1)
    mirror.export()
    mirror.stock(**{f"{sku}-{n}": n + 1 for sku in MANY for n in range(3)})
    mirror.turn()
    assert len(mirror.ours()) == 751
    assert mirror.ours() == mirror.theirs()


def test_a_list_with_a_backlog_keeps_no_other_waiting(mirror: Mirror) -> None:
    mirror.stock(MUG=1)
    mirror.export()
    mirror.stock(**{f"{sku}-{n}": n + 1 for sku in MANY for n in range(7)})

    def asked() -> int:
        return sum(call["operation"] == "deltas" for call in mirror.oci.requests())

    # An answer of the simulator has 200 changes: nine are due for each list, of which it has five.
    mirror.clock.go(1)
    assert mirror.poller.turn()
    assert (asked(), mirror.poller.is_behind) == (2 * changes.MOST_ANSWERS, True)
    assert len(mirror.ours()) < 1751
    # The list is not held to be current before it has all.
    assert mirror.feed().current_at == mirror.feed().exported_at
    assert mirror.poller.turn()
    assert (asked(), mirror.poller.is_behind) == (18, False)
    assert mirror.ours() == mirror.theirs()
    assert mirror.feed().current_at == mirror.clock()


def test_what_is_held_stays_on_top_and_an_older_figure_never_overwrites_a_newer(
    mirror: Mirror,
) -> None:
    mirror.stock(MUG=10)
    mirror.export()
    site = factories.make_site("shop", list_id="web")
    factories.capture(site, "A-1", [("MUG", 4)], at=mirror.clock())
    mirror.stock(MUG=12)
    mirror.turn()
    record = InventoryRecord.objects.get(sku="MUG")
    assert (record.snapshot_ato, record.held, record.ato) == (12, 4, 8)
    # A figure that came later is known when the feed brings its own.
    mirror.stock(MUG=11)
    later = mirror.clock() + timedelta(seconds=5)
    factories.know_stock({"MUG": 20}, at=later)
    mirror.turn()
    record.refresh_from_db()
    assert (record.snapshot_ato, record.snapshot_at) == (20, later)
    # It is not forgotten either: OCI is asked which is right.
    assert record.recheck_at == mirror.clock() + LAG
    mirror.clock.go(LAG.total_seconds() + 6)
    mirror.probe()
    record.refresh_from_db()
    assert (record.snapshot_ato, record.ato, record.recheck_at) == (11, 7, None)


def test_an_answer_to_a_question_never_overwrites_a_change_that_may_be_newer(
    mirror: Mirror,
) -> None:
    mirror.stock(MUG=10)
    mirror.export()
    mirror.stock(MUG=5)
    mirror.turn(seconds=10)
    # Asked a second after the change came: OCI may have read it before the change.
    figure = [Figure("web", "MUG", D(10))]
    asked_at = mirror.clock() + timedelta(seconds=1)
    assert stock_figures.apply(figure, taken_at=asked_at, clock=mirror.clock) == 0
    assert mirror.ours() == {"MUG": D(5)}
    asked_at = mirror.clock() + LAG
    assert stock_figures.apply(figure, taken_at=asked_at, clock=mirror.clock) == 1


def test_the_age_of_figures_is_that_of_the_feed_or_of_each_figure(mirror: Mirror) -> None:
    mirror.oci.settings(impex="absent")
    start = mirror.clock()
    for number, sku in enumerate(MANY):
        at = start - timedelta(seconds=number)
        factories.know_stock({sku: 1}, at=at)
    mirror.export()
    asked = mirror.ages()["web"]
    assert asked.records == 250
    assert (asked.oldest, asked.p95, asked.p50) == (
        timedelta(seconds=249),
        timedelta(seconds=237),
        timedelta(seconds=124),
    )
    assert not asked.is_kept
    mirror.oci.settings(impex="offered")
    mirror.stock(**MANY)
    mirror.turn(seconds=600)
    mirror.turn(seconds=600)
    mirror.clock.go(2)
    followed = mirror.ages()["web"]
    assert followed.is_kept
    assert followed.oldest == followed.p95 == followed.p50 == timedelta(seconds=2)
    mirror.clock.go(100)
    assert mirror.ages()["web"].oldest == timedelta(seconds=102)


@pytest.mark.django_db(transaction=True)
def test_a_new_sku_can_be_sold_within_seconds(
    mirrored: SimulatorProcess, simulator: SimulatorProcess, engine: Engine
) -> None:
    """The loop itself, with its threads, beside orders: nothing of it waits for it."""
    site = engine.site({"MUG": 5})
    client = FeedClient(engine.oci.config(scope=FEED_SCOPE))
    poller, stop = StockMirror(holder="loop", client=client, clock=timezone.now), threading.Event()
    thread = threading.Thread(target=poller.run, args=(stop,), daemon=True)
    thread.start()
    try:
        _wait_for(lambda: StockFeed.objects.filter(state=FeedState.FOLLOWING).exists())
        engine.at_oci({"NEW": 2})
        began = time.monotonic()
        _wait_for(lambda: InventoryRecord.objects.filter(sku="NEW", ato=2).exists())
        # Ten are promised, on a machine that has time for it.
        assert time.monotonic() - began < 30
        engine.clock.now = timezone.now()
        assert engine.place(site, "A-1", [("NEW", 1)]).order.order_no == "A-1"
    finally:
        stop.set()
        thread.join(60)
        client.close()
    assert not thread.is_alive()


def _wait_for(is_so: Any, *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)
