"""A stock mirror over a real simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.utils import timezone

from orders.models import InventoryList, InventoryRecord, ListType
from reconciliation.models import StockFeed
from reconciliation.oci.client import OciClient
from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.feeds import FeedClient
from reconciliation.reservation import stock_refresh
from reconciliation.stock_mirror import StockMirror, age, changes, feeds, full_export
from tests.factories import Clock
from tests.reconciliation.oci.simulator_process import SimulatorProcess

FEED_SCOPE = (
    "SALESFORCE_COMMERCE_API:abcd_001 sfcc.inventory.availability sfcc.inventory.impex-inventory"
)
PLACES = {"groups": {"web": ["dc", "dc2"]}, "locations": ["dc", "dc2", "store"]}
LAG = timedelta(seconds=3)


@dataclass
class Mirror:
    """The mirror of the lists `web` (a group) and `store` (a location), by a clock of its own."""

    oci: SimulatorProcess
    client: FeedClient
    probing: OciClient
    clock: Clock = field(default_factory=lambda: Clock(timezone.now()))
    poller: StockMirror = field(init=False)

    def __post_init__(self) -> None:
        self.poller = StockMirror(holder="one", client=self.client, clock=self.clock)
        self.poller.leads = True

    def stock(self, **units: float) -> None:
        """Set what is on hand at `dc`."""
        self.oci.set_stock(
            {"location": "dc", "sku": sku, "onHand": number} for sku, number in units.items()
        )

    def delete(self, location: str, sku: str) -> None:
        """Take a SKU out of a location."""
        base = f"{self.oci.base_url}/inventory/availability/v1/organizations"
        path = f"locations/{location}/availability-records/skus/{sku}/r1"
        answer = requests.delete(
            f"{base}/{self.oci.tenant_group_id}/{path}",
            headers={"Authorization": f"Bearer {self.oci.token()}"},
            timeout=10,
        )
        assert answer.status_code == 204, answer.text

    def turn(self, *, seconds: float = 1) -> None:
        """Let time pass, ask for the changes of every list, and bring in the exports due."""
        self.clock.go(seconds)
        for feed in self.due():
            changes.follow(feed, client=self.client, clock=self.clock)
        self.export()

    def due(self) -> list[StockFeed]:
        """Return the feeds whose changes are due."""
        feeds.ensure_rows()
        return list(feeds.due_for_changes(self.clock()))

    def export(self) -> int:
        """Bring in the exports that are due."""
        feeds.ensure_rows()
        number = 0
        while (feed := feeds.due_for_export(self.clock())) is not None:
            full_export.bring_in(
                feed, client=self.client, clock=self.clock, pause=self.poller._pause
            )
            number += 1
        return number

    def probe(self) -> None:
        """Ask for the figures that need it most, as a probe does."""
        self.clock.go(1)
        due = stock_refresh.next_due(now=self.clock())
        stock_refresh.ask(due, client=self.probing, clock=self.clock)

    def feed(self, list_id: str = "web") -> StockFeed:
        """Return the row of a feed."""
        return StockFeed.objects.get(pk=list_id)

    def ours(self, list_id: str = "web") -> dict[str, Decimal]:
        """Return the figures that the ledger has of a list, without those that are gone."""
        rows = InventoryRecord.objects.filter(inventory_list=list_id, gone_at=None)
        return {
            sku: figure
            for sku, figure in rows.values_list("sku", "snapshot_ato")
            if figure is not None
        }

    def theirs(self, list_id: str = "web") -> dict[str, Decimal]:
        """Return OCI's figures of every SKU of a list, as a full export has them."""
        kind = InventoryList.objects.get(pk=list_id).list_type
        skus = sorted(InventoryRecord.objects.values_list("sku", flat=True).distinct())
        place = Place(PlaceKind(kind), list_id)
        found = self.probing.get_availability(place=place, skus=skus)
        return {one.sku: one.ato for one in found}

    def ages(self) -> dict[str, age.ListAge]:
        """Measure, and return the ages by list."""
        for feed in StockFeed.objects.all():
            age.measure(feed)
        return {one.list_id: one for one in age.ages(self.clock())}


@pytest.fixture(scope="session")
def mirrored() -> Iterator[SimulatorProcess]:
    """Return an OCI with a group of two locations and a location of its own."""
    with SimulatorProcess(stock={**PLACES, "stock": []}) as process:
        yield process


@pytest.fixture
def mirror(mirrored: SimulatorProcess, db: None, settings: Any) -> Iterator[Mirror]:
    """Return a mirror of two lists that nothing is known of yet."""
    mirrored.reset()
    settings.COC_OCI_READ_LAG = LAG.total_seconds()
    InventoryList.objects.create(pk="web", list_type=ListType.GROUP)
    InventoryList.objects.create(pk="store", list_type=ListType.LOCATION)
    client, probing = FeedClient(mirrored.config(scope=FEED_SCOPE)), OciClient(mirrored.config())
    yield Mirror(mirrored, client, probing)
    client.close()
    probing.close()


D = Decimal

MANY = {f"S{number:03}": number + 1 for number in range(250)}
