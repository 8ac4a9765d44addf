"""OCI's stock followed over real HTTP: exports, changes, and what goes wrong with either."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from orders.ledger import Figure
from orders.models import Delivery, InventoryRecord, Movement
from reconciliation import connection
from reconciliation.models import ConnectionState, FeedState, StockFeed
from reconciliation.oci.feeds import FeedClient
from reconciliation.reservation import stock_figures
from reconciliation.stock_mirror import StockMirror, changes, full_export
from tests import factories
from tests.engine import Engine, set_connection
from tests.reconciliation.oci.simulator_process import SimulatorProcess
from tests.reconciliation.stock_mirror.conftest import FEED_SCOPE, LAG, Mirror, config_of

D = Decimal
MANY = {f"S{number:03}": number + 1 for number in range(250)}


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


def test_an_expired_token_ends_in_a_new_export_and_no_drift(mirror: Mirror) -> None:
    mirror.stock(**MANY)
    mirror.export()
    mirror.stock(S001=77, NEW=1)
    mirror.delete("dc", "S002")
    mirror.oci.expire_deltas()
    mirror.turn()
    assert mirror.ours() == mirror.theirs()
    assert InventoryRecord.objects.get(sku="S002").gone_at is not None
    assert mirror.feed().state == FeedState.FOLLOWING
    mirror.stock(S003=5)
    mirror.turn()
    assert mirror.ours()["S003"] == 5


def test_changes_that_come_twice_or_whose_answer_is_lost_do_no_harm(mirror: Mirror) -> None:
    mirror.stock(**MANY)
    mirror.export()
    mirror.oci.settings(repeatDeltas="yes")
    mirror.stock(S001=77, NEW=1)
    mirror.oci.fault("drop", operations=["deltas"])
    mirror.turn()
    before = mirror.ours()
    assert "NEW" not in before
    assert mirror.feed().last_error
    mirror.oci.fault("none")
    mirror.turn(seconds=60)
    assert mirror.ours() == mirror.theirs()
    assert mirror.feed().last_error == ""


def test_a_change_that_oci_loses_is_found_by_asking(mirror: Mirror) -> None:
    mirror.stock(**MANY)
    mirror.export()
    mirror.oci.settings(loseDeltas=1)
    mirror.stock(S001=77, S002=5)
    mirror.turn(seconds=10)
    assert mirror.ours()["S001"] == 2
    for _ in range(3):
        mirror.probe()
    assert mirror.ours() == mirror.theirs()


@pytest.mark.parametrize("style", ["fails", "truncated"])
def test_an_export_that_is_not_whole_changes_nothing(mirror: Mirror, style: str) -> None:
    mirror.stock(MUG=3)
    mirror.export()
    before = mirror.ours()
    mirror.stock(MUG=4, NEW=1)
    mirror.oci.settings(exportStyle=style)
    mirror.oci.expire_deltas()
    mirror.turn()
    assert mirror.ours() == before
    assert mirror.feed().state == FeedState.NEW
    assert mirror.feed().last_error
    assert mirror.feed().next_export_at > mirror.clock()
    mirror.oci.settings(exportStyle="whole")
    mirror.turn(seconds=60)
    assert mirror.ours() == {"MUG": D(4), "NEW": D(1)}
    assert mirror.feed().last_error == ""


def test_a_file_cut_off_on_the_way_is_downloaded_again(mirror: Mirror) -> None:
    mirror.stock(**MANY)
    mirror.oci.fault("cut", operations=["export-file"])
    mirror.export()
    assert mirror.ours() == {}
    export_id = mirror.feed().export_id
    assert export_id
    mirror.oci.fault("none")
    mirror.turn(seconds=60)
    assert len(mirror.ours()) == 250
    started = [call for call in mirror.oci.requests() if call["operation"] == "export"]
    assert len(started) == 2  # one a list: the first export was good


def test_an_export_under_way_goes_on_with_the_next_poller(mirror: Mirror) -> None:
    mirror.stock(MUG=3)
    mirror.oci.settings(exportDelayMs=300)
    mirror.poller.leads = False
    with pytest.raises(full_export.Interrupted):
        mirror.export()
    assert StockFeed.objects.exclude(export_id="").count() == 1
    mirror.poller.leads = True
    mirror.export()
    assert mirror.ours() == {"MUG": D(3)}


@pytest.mark.parametrize("impex", ["absent", "forbidden"])
def test_where_oci_offers_no_feed_figures_are_asked_for_in_turn(mirror: Mirror, impex: str) -> None:
    mirror.oci.settings(impex=impex)
    mirror.stock(MUG=3)
    factories.know_stock({"MUG": 1}, at=mirror.clock() - timedelta(hours=1))
    mirror.export()
    assert mirror.feed().state == FeedState.NOT_OFFERED
    mirror.probe()
    assert mirror.ours() == {"MUG": D(3)}
    assert connection.current().state == ConnectionState.ONLINE
    assert connection.current().failures == 0
    # Tried again now and then, for the day on which it is offered.
    mirror.oci.settings(impex="offered")
    mirror.turn(seconds=60)
    assert mirror.feed().state == FeedState.NOT_OFFERED
    mirror.turn(seconds=600)
    assert mirror.feed().state == FeedState.FOLLOWING


def test_a_list_that_vanishes_or_sells_out_at_once_is_not_believed(mirror: Mirror) -> None:
    mirror.stock(**MANY)
    mirror.export()
    before = mirror.ours()
    mirror.stock(**dict.fromkeys(MANY, 0))
    mirror.turn()
    assert mirror.ours() == before
    assert mirror.feed().last_error
    mirror.stock(**MANY)
    mirror.turn(seconds=60)
    assert mirror.ours() == before
    assert mirror.feed().last_error == ""


def test_a_list_of_which_nearly_all_sells_out_at_once_is_not_believed(mirror: Mirror) -> None:
    mirror.stock(**MANY)
    mirror.export()
    before = mirror.ours()
    one = next(iter(MANY))
    mirror.stock(**dict.fromkeys(MANY, 0) | {one: 51})
    mirror.turn()
    assert mirror.ours() == before
    mirror.stock(**MANY)
    mirror.turn(seconds=60)
    assert mirror.ours() == before
    # Many that sell out while others of the same answer do not are believed.
    sold = dict.fromkeys(list(MANY)[: len(MANY) // 2], 0)
    mirror.stock(**dict.fromkeys(MANY, 7) | sold)
    mirror.turn()
    assert sum(units > 0 for units in mirror.ours().values()) == len(MANY) - len(sold)


def test_nothing_is_taken_over_while_the_connection_is_offline(mirror: Mirror) -> None:
    mirror.stock(MUG=3)
    mirror.export()
    set_connection(ConnectionState.OFFLINE)
    mirror.stock(MUG=1)
    mirror.clock.go(1)
    assert mirror.poller.turn()
    assert mirror.ours() == {"MUG": D(3)}
    set_connection(ConnectionState.ONLINE)
    assert mirror.poller.turn()
    assert mirror.ours() == {"MUG": D(1)}


def test_two_pollers_do_not_ask_twice(mirror: Mirror) -> None:
    mirror.export()
    other = StockMirror(holder="two", client=mirror.client, clock=mirror.clock)
    assert mirror.poller.turn()
    assert not other.turn()
    mirror.clock.go(20)
    assert other.turn()
    assert not mirror.poller.turn()
    other.stand_down()
    mirror.poller.stand_down()


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


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_the_figures_agree_in_the_end(mirror: Mirror, seed: int) -> None:
    """Changes, questions, lost and doubled answers, expiry and exports that fail, at random."""
    dice = random.Random(seed)
    skus = [f"S{number:02}" for number in range(40)]
    mirror.stock(**dict.fromkeys(skus[:30], 5))
    mirror.export()
    for _ in range(40):
        for _ in range(dice.randrange(3)):
            sku = dice.choice(skus)
            mirror.oci.set_stock(
                [
                    {
                        "location": dice.choice(["dc", "dc2", "store"]),
                        "sku": sku,
                        "onHand": dice.randrange(1, 50),
                    }
                ]
            )
        if dice.random() < 0.1:
            mirror.oci.expire_deltas()
        mirror.oci.settings(
            repeatDeltas=dice.choice(["no", "no", "yes"]),
            loseDeltas=dice.choice([0, 0, 0, 2]),
            exportStyle=dice.choice(["whole", "whole", "truncated", "fails"]),
        )
        mirror.oci.fault(dice.choice(["none", "none", "drop", "5xx"]), operations=["deltas"])
        dice.choice([mirror.turn, mirror.turn, mirror.probe])()
    mirror.oci.fault("none")
    mirror.oci.settings(loseDeltas=0, exportStyle="whole")
    for _ in range(3):
        mirror.turn(seconds=60)
        mirror.probe()
    for list_id in ("web", "store"):
        assert mirror.ours(list_id) == mirror.theirs(list_id)


@pytest.mark.django_db(transaction=True)
def test_a_new_sku_can_be_sold_within_seconds(
    mirrored: SimulatorProcess, simulator: SimulatorProcess, engine: Engine
) -> None:
    """The loop itself, with its threads, beside orders: nothing of it waits for it."""
    site = engine.site({"MUG": 5})
    client = FeedClient(config_of(engine.oci, FEED_SCOPE))
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
