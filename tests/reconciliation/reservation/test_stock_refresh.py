"""Figures from OCI into the ledger, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders.models import (
    Hold,
    HoldState,
    InventoryList,
    InventoryRecord,
    ListType,
    Movement,
    Order,
    OrderStatus,
    Site,
)
from reconciliation import connection
from reconciliation.models import Connection
from reconciliation.monitor import Prober
from reconciliation.oci.client import Availability, OciClient
from reconciliation.oci.documents import Place
from reconciliation.oci.errors import OciNoAnswer, OciRefused
from reconciliation.reservation import stock_figures, stock_refresh
from tests.reconciliation.oci.simulator_process import SimulatorProcess

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MANY = [f"S{number:03}" for number in range(250)]


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def clock() -> datetime:
    return NOW


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    stock = {
        "groups": {"web": ["dc"]},
        "locations": ["dc", "store"],
        "stock": [{"location": "dc", "sku": sku, "onHand": 7} for sku in MANY]
        + [{"location": "store", "sku": "MUG", "onHand": 2.5, "safetyStockCount": 1}],
    }
    with SimulatorProcess(stock=stock) as process:
        yield process


@pytest.fixture
def oci(simulator: SimulatorProcess) -> SimulatorProcess:
    simulator.reset("faults", "requests")
    return simulator


@pytest.fixture
def client(oci: SimulatorProcess) -> Iterator[OciClient]:
    made = OciClient(oci.config(read_timeout=5))
    yield made
    made.close()


@pytest.fixture
def web() -> InventoryList:
    return InventoryList.objects.create(pk="web")


@pytest.fixture
def store() -> InventoryList:
    return InventoryList.objects.create(pk="store", list_type=ListType.LOCATION)


def known(list_: InventoryList, sku: str, ato: int = 1, seconds: float = -1000) -> InventoryRecord:
    return InventoryRecord.objects.create(
        inventory_list=list_, sku=sku, snapshot_ato=ato, ato=ato, snapshot_at=at(seconds)
    )


def hold(record: InventoryRecord, *, state: HoldState, answered: float | None = None) -> Hold:
    """Hold one unit for an order of its own."""
    site = Site.objects.get_or_create(pk="s", defaults={"inventory_list": record.inventory_list})[0]
    order = Order.objects.create(
        site=site,
        order_no=f"{Order.objects.count()}",
        status=OrderStatus.NEW,
        captured_at=NOW,
        currency="EUR",
        order_total=1,
        payload_hash="x",
    )
    record.held += 1
    record.ato = max(Decimal(0), Decimal(record.snapshot_ato or 0) - record.held)
    record.save()
    return Hold.objects.create(
        order=order,
        record=record,
        quantity=1,
        state=state,
        answered_at=None if answered is None else at(answered),
    )


def availability_calls(oci: SimulatorProcess) -> list[dict[str, Any]]:
    return [entry for entry in oci.requests() if entry["operation"] == "availability"]


def test_figures_are_asked_for_a_hundred_at_a_time(
    oci: SimulatorProcess, client: OciClient, web: InventoryList
) -> None:
    figures = stock_refresh.fetch_figures(list_=web, skus=MANY + MANY, client=client)
    assert [(figure.sku, figure.ato) for figure in figures] == [(sku, 7) for sku in MANY]
    assert {figure.list_id for figure in figures} == {"web"}
    assert len(availability_calls(oci)) == 3


def test_figures_of_several_lists_groups_and_locations(
    client: OciClient, web: InventoryList, store: InventoryList
) -> None:
    figures = stock_refresh.fetch([("web", "S001"), ("store", "MUG"), ("none", "X")], client=client)
    assert [(f.list_id, f.sku, f.ato, f.safety_stock) for f in figures] == [
        ("store", "MUG", Decimal("1.5"), 1),
        ("web", "S001", 7, 0),
    ]


def test_without_an_answer_there_are_no_figures(
    oci: SimulatorProcess, client: OciClient, web: InventoryList
) -> None:
    oci.fault("5xx")
    assert stock_refresh.fetch([("web", "S001")], client=client) == []
    with pytest.raises(OciNoAnswer):
        stock_refresh.fetch_keys([("web", "S001")], client=client)


def test_refresh_writes_the_ledger(
    client: OciClient, web: InventoryList, store: InventoryList
) -> None:
    record = known(web, "S001", ato=3)
    hold(record, state=HoldState.WAITING)
    connection.current()
    keys = [("web", "S001"), ("store", "MUG")]
    assert stock_refresh.refresh(keys=keys, client=client, clock=clock) == 2
    record.refresh_from_db()
    assert (record.snapshot_ato, record.held, record.ato) == (7, 1, 6)
    assert record.snapshot_at == NOW
    assert InventoryRecord.objects.get(sku="MUG").ato == Decimal("1.5")
    assert Movement.objects.filter(record=record, reason="snapshot").get().ato_change == 4


def test_a_counted_sku_that_the_answer_leaves_out_has_none_to_sell(
    oci: SimulatorProcess, client: OciClient, web: InventoryList
) -> None:
    gone, untracked = known(web, "GONE", ato=5), InventoryRecord(inventory_list=web, sku="NEW")
    untracked.save()
    connection.current()
    keys = [("web", sku) for sku in ("GONE", "NEW", "S001")]
    stock_refresh.refresh(keys=keys, client=client, clock=clock)
    gone.refresh_from_db()
    assert (gone.ato, gone.snapshot_ato) == (0, 0)
    asked = len(availability_calls(oci))
    # It was asked for twice; once it has none, one answer is enough.
    assert asked == 2
    stock_refresh.refresh(keys=keys, client=client, clock=lambda: at(1))
    assert len(availability_calls(oci)) == asked + 1
    gone.refresh_from_db()
    assert (gone.ato, gone.snapshot_at) == (0, at(1))


@dataclass
class LosesLines(OciClient):
    """A client some of whose answers, by their number, lost SKUs."""

    inner: OciClient
    lost: dict[int, set[str]]
    asked: list[set[str]] = field(default_factory=list)

    def get_availability(
        self, *, place: Place, skus: Sequence[str], read_timeout: float | None = None
    ) -> list[Availability]:
        lost = self.lost.get(len(self.asked), set())
        self.asked.append(set(skus))
        answer = self.inner.get_availability(place=place, skus=skus, read_timeout=read_timeout)
        return [one for one in answer if one.sku not in lost]


@pytest.mark.parametrize(
    "lost",
    [
        {0: {"S001", "S002"}},  # the second answer has them after all
        {0: {"S001"}, 1: {"S001", "S003"}},  # the second answer lost what the first had, too
        {0: {"S001", "S002", "S003"}},  # nothing at all is said
    ],
)
def test_an_answer_that_lost_lines_sells_nothing_out(
    client: OciClient, web: InventoryList, lost: dict[int, set[str]]
) -> None:
    for sku in ("S001", "S002", "S003"):
        known(web, sku, ato=5)
    connection.current()
    lossy = LosesLines(client, lost)
    keys = [("web", sku) for sku in ("S001", "S002", "S003")]
    stock_refresh.refresh(keys=keys, client=lossy, clock=clock)
    figures = dict(InventoryRecord.objects.values_list("sku", "ato"))
    left_out = lost[0]
    assert figures == {sku: 5 if sku in left_out else 7 for sku in ("S001", "S002", "S003")}
    assert len(lossy.asked) == (1 if len(left_out) == 3 else 2)


@pytest.mark.parametrize("style", ["lists", "object", "noplaces"])
def test_an_empty_answer_changes_no_figure(
    oci: SimulatorProcess, client: OciClient, web: InventoryList, style: str
) -> None:
    record = known(web, "S001", ato=5)
    connection.current()
    oci.fault("empty", style=style)
    with suppress(OciNoAnswer):
        stock_refresh.refresh(keys=[("web", "S001")], client=client, clock=clock)
    record.refresh_from_db()
    assert (record.ato, record.snapshot_at) == (5, at(-1000))
    assert stock_refresh.fetch([("web", "S001")], client=client) == []


@pytest.mark.parametrize("state", ["OFFLINE", "FORCED_OFFLINE"])
def test_nothing_is_applied_while_the_connection_is_not_trusted(
    client: OciClient, web: InventoryList, state: str
) -> None:
    record = known(web, "S001", ato=3)
    connection.current()
    Connection.objects.update(state=state)
    assert stock_refresh.refresh(keys=[("web", "S001")], client=client, clock=clock) == 0
    record.refresh_from_db()
    assert (record.ato, record.snapshot_at) == (3, at(-1000))


def test_due_are_answered_holds_first_then_the_oldest_figures(web: InventoryList) -> None:
    known(web, "old", seconds=-500)
    known(web, "older", seconds=-600)
    answered = known(web, "answered", ato=9, seconds=-10)
    early = known(web, "early", ato=9, seconds=-10)
    just = known(web, "just", ato=9, seconds=-10)
    waiting = known(web, "waiting", ato=9, seconds=-9)
    hold(answered, state=HoldState.ANSWERED, answered=-5)
    hold(answered, state=HoldState.ANSWERED, answered=-4)
    hold(early, state=HoldState.ANSWERED, answered=-7)
    hold(just, state=HoldState.ANSWERED, answered=-2)
    hold(waiting, state=HoldState.WAITING)
    due = stock_refresh.next_due(now=NOW)
    assert (due.list_id, due.place.id) == ("web", "web")
    assert due.skus == ["early", "answered", "older", "old", "just", "waiting"]
    assert stock_refresh.next_due(now=NOW, limit=3).skus == ["early", "answered", "older"]


def test_due_goes_round_through_the_lists(
    client: OciClient, web: InventoryList, store: InventoryList
) -> None:
    known(web, "S001", seconds=-20)
    known(web, "S002", seconds=-20)
    known(store, "MUG", seconds=-15)
    connection.current()
    seen = []
    for second in range(4):
        moment = at(second)
        due = stock_refresh.next_due(now=moment, limit=1)
        seen.append((due.list_id, *due.skus))
        stock_refresh.ask(due, client=client, clock=lambda moment=moment: moment)  # type: ignore[misc]
    assert seen == [("web", "S001"), ("web", "S002"), ("store", "MUG"), ("web", "S001")]
    assert stock_refresh.next_due(now=NOW, skip=["web"]).list_id == "store"


def refresh_due(client: OciClient) -> stock_refresh.Refreshed:
    return stock_refresh.ask(stock_refresh.next_due(now=NOW), client=client, clock=clock)


def test_a_refresh_drops_the_holds_that_the_figure_counts(
    client: OciClient, web: InventoryList
) -> None:
    record = known(web, "S001", ato=7)
    counted = hold(record, state=HoldState.ANSWERED, answered=-4)
    young = hold(record, state=HoldState.ANSWERED, answered=-2)
    connection.current()
    assert refresh_due(client).applied == 1
    counted.refresh_from_db()
    young.refresh_from_db()
    record.refresh_from_db()
    assert (counted.state, young.state) == (HoldState.DROPPED, HoldState.ANSWERED)
    assert (record.held, record.ato) == (1, 6)


def test_figures_that_say_all_is_sold_out_at_once_are_not_believed(
    oci: SimulatorProcess, client: OciClient, web: InventoryList
) -> None:
    skus = MANY[: stock_figures.SUSPICIOUS]
    for sku in skus:
        known(web, sku, ato=7)
    connection.current()
    Connection.objects.update(state="OFFLINE", good_probes=2)
    rows = [{"location": "dc", "sku": sku} for sku in skus]
    oci.set_stock([{**row, "onHand": 0} for row in rows])
    prober = Prober(client=client, clock=clock)
    try:
        assert refresh_due(client).suspicious is True
        assert prober.probe() is False
        assert (connection.current().state, connection.current().good_probes) == ("OFFLINE", 0)
        assert set(InventoryRecord.objects.values_list("ato", flat=True)) == {7}
        # One of them with stock, and the rest is a sale like any other.
        oci.set_stock([{**rows[0], "onHand": 1}])
        Connection.objects.update(state="ONLINE")
        assert refresh_due(client).applied == len(skus)
        assert InventoryRecord.objects.filter(ato=0).count() == len(skus) - 1
    finally:
        oci.set_stock([{**row, "onHand": 7} for row in rows])


def test_a_place_that_oci_does_not_know_is_a_good_probe_and_is_left_alone_for_a_while(
    oci: SimulatorProcess, client: OciClient, web: InventoryList
) -> None:
    nowhere = InventoryList.objects.create(pk="nowhere")
    known(nowhere, "X", seconds=-5000)
    known(web, "S001")
    connection.current()
    with pytest.raises(OciRefused):
        refresh_due(client)
    prober = Prober(client=client, clock=clock)
    assert prober.probe() is True
    assert prober.probe() is True
    assert InventoryRecord.objects.get(sku="S001").snapshot_at == NOW


@pytest.mark.parametrize("lists", [[], ["web"]])
def test_with_nothing_to_refresh_a_harmless_question_is_a_probe(
    oci: SimulatorProcess, client: OciClient, lists: list[str]
) -> None:
    for name in lists:
        InventoryList.objects.create(pk=name)
    connection.current()
    assert Prober(client=client, clock=clock).probe() is True
    assert len(availability_calls(oci)) == 1
    assert InventoryRecord.objects.count() == 0
    oci.fault("down")
    assert Prober(client=client, clock=clock).probe() is False
