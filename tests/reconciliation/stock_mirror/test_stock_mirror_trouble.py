"""Exports and changes that are lost, cut off, expired or hard to believe; no figure is wrong."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from orders.models import InventoryRecord
from reconciliation import connection
from reconciliation.models import ConnectionState, FeedState, StockFeed
from reconciliation.stock_mirror import StockMirror, full_export
from tests import factories
from tests.engine import set_connection
from tests.reconciliation.stock_mirror.conftest import MANY, D, Mirror


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
