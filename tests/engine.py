"""The reconciliation engine over a real simulator process: fixtures and what tests ask of it.

Import `simulator` and `engine` in a conftest. When a test ends the promises must hold, unless it
has broken one itself; the short form checks them after a third of the tests.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from orders.actors import person
from orders.models import (
    InventoryRecord,
    Order,
    OrderEvent,
    OrderItem,
    OrderStatus,
    Replacement,
    Site,
)
from reconciliation import connection, remedies
from reconciliation.connection import clients
from reconciliation.maintenance import integrity_check
from reconciliation.models import CallHealth, Connection, ReservationDocument, Run, Scope, Trigger
from reconciliation.oci.client import CancelResult, OciClient, PutAnswer
from reconciliation.reservation.placement import Placement, place_order
from reconciliation.runs import batches, lifecycle, order_worker
from tests import factories, sampling
from tests.factories import SHOP, Clock, Units
from tests.orders.payloads import raw_order
from tests.reconciliation.oci.simulator_process import SimulatorProcess, use_simulator

MIA = person("mia")
GRAPH = {"groups": {"web": ["dc"], "outlet": ["dc2"]}, "locations": ["dc", "dc2", "store"]}


def D(units: Units) -> Decimal:
    return Decimal(str(units))


@dataclass
class Engine:
    """The product's engine and the OCI that it talks to."""

    oci: SimulatorProcess
    clock: Clock = field(default_factory=lambda: Clock(timezone.now()))
    keeps_promises: bool = True
    captured_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.captured_at = self.clock() - timedelta(minutes=30)

    def at_oci(self, stock: Mapping[str, Units], *, location: str = "dc") -> None:
        """Set the on-hand stock at OCI; the ledger does not know of it."""
        self.oci.set_stock(
            {"location": location, "sku": sku, "onHand": float(units)}
            for sku, units in stock.items()
        )

    def site(self, stock: Mapping[str, Units], site_id: str = "shop", **fields: Any) -> Site:
        """Create a site with the list `web` that has `stock`, here and at OCI."""
        self.at_oci(stock)
        before = self.clock() - timedelta(hours=1)
        return factories.make_site(site_id, stock=stock, at=before, **fields)

    def place(self, site: Site, order_no: str, items: list[tuple[str, float]]) -> Placement:
        """Place an order as the storefront does."""
        return place_order(raw=raw_order(order_no, items), site=site, actor=SHOP, clock=self.clock)

    def capture(self, site: Site, order_no: str, items: list[tuple[str, float]]) -> Order:
        """Capture an order offline, half an hour ago and one second after the one before."""
        self.captured_at += timedelta(seconds=1)
        return factories.capture(site, order_no, items, at=self.captured_at)

    def start(self, scope: Scope = Scope.MISSING, **data: Any) -> Run:
        """Start a run as a person does."""
        return lifecycle.start_run(
            trigger=Trigger.PERSON,
            actor=MIA,
            now=self.clock(),
            scope=scope,
            scope_data=data,
        )

    def work(self, run: Run, *, tasks: int = 50) -> Run:
        """Work on a run until nothing is left to do for this worker."""
        while tasks and batches.work_run(
            run_id=run.pk,
            clock=self.clock,
            budget=timedelta(seconds=20),
            pause=self.clock.go,
        ):
            tasks -= 1
        run.refresh_from_db()
        return run

    def reconcile(self, scope: Scope = Scope.MISSING, **data: Any) -> Run:
        """Start a run and work on it to its end."""
        return self.work(self.start(scope, **data))

    def between(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        before: Callable[[str], object] | None = None,
        after: Callable[[str], object] | None = None,
    ) -> None:
        """Let something happen just before or after each PUT of a run; it gets the order number."""

        def of_order(act: Callable[[str], object] | None) -> Callable[[uuid.UUID], object]:
            def hook(number: uuid.UUID) -> None:
                if act is not None:
                    act(ReservationDocument.objects.get(reservation_id=number).order.order_no)

            return hook

        monkeypatch.setattr(
            order_worker,
            "shared_client",
            lambda: Between(
                clients.shared_client(), before=of_order(before), after=of_order(after)
            ),
        )

    def replace(self, item: OrderItem, sku: str, *, units: Decimal, **more: Any) -> Replacement:
        """Replace a short item, at a price that nobody knows, after asking the shopper."""
        return remedies.replace_short(
            **{
                "item_id": item.pk,
                "sku": sku,
                "units": units,
                "unit_price": None,
                "actor": MIA,
                "reason": "Agreed.",
                "clock": self.clock,
                **more,
            }
        )

    def held(self) -> dict[str, Decimal]:
        """What the books of OCI hold, by SKU."""
        held: dict[str, Decimal] = {}
        for row in self.oci.books()["reserved"]:
            held[row["sku"]] = held.get(row["sku"], D(0)) + D(row["reserved"])
        return held

    def documents(self, order_no: str) -> list[tuple[str, dict[str, Decimal]]]:
        """The documents of an order at OCI, oldest first: state, and held units by SKU."""
        return [
            (
                document["state"],
                {line["sku"]: D(line["held"]) for line in document["lines"] if line["held"]},
            )
            for document in self.oci.documents_of(order_no)
        ]

    def puts(self) -> list[dict[str, Any]]:
        """The calls that placed a reservation, as OCI's log has them."""
        return [call for call in self.oci.requests() if call["operation"] == "put"]


def nothing(reservation_id: uuid.UUID) -> None:
    """Do nothing at this point."""


@dataclass
class Between:
    """A real client, but something of ours happens just before or after each PUT."""

    client: OciClient
    before: Callable[[uuid.UUID], object] = nothing
    after: Callable[[uuid.UUID], object] = nothing

    def put_reservation(self, *, reservation_id: uuid.UUID, **arguments: Any) -> PutAnswer:
        self.before(reservation_id)
        answer = self.client.put_reservation(reservation_id=reservation_id, **arguments)
        self.after(reservation_id)
        return answer

    def cancel_reservation(self, **arguments: Any) -> CancelResult:
        return self.client.cancel_reservation(**arguments)


def reserved_by_items() -> dict[str, Decimal]:
    """What our order items say that OCI holds, by SKU."""
    held: dict[str, Decimal] = {}
    live = OrderItem.objects.exclude(order__status__in=[OrderStatus.CANCELLED, OrderStatus.FAILED])
    for sku, units in live.filter(reserved_quantity__gt=0).values_list("sku", "reserved_quantity"):
        held[sku] = held.get(sku, D(0)) + units
    return held


def quantities(order: Order) -> list[tuple[str, Decimal, Decimal]]:
    """SKU, ordered and reserved of each item of an order."""
    rows = OrderItem.objects.filter(order=order).order_by("position")
    return list(rows.values_list("sku", "quantity", "reserved_quantity"))


def ato(sku: str, list_id: str = "web") -> tuple[Decimal, Decimal]:
    """ATO of a SKU, and the units held on top of OCI's figure."""
    record = InventoryRecord.objects.get(sku=sku, inventory_list=list_id)
    return record.ato, record.held


def kinds(order: Order) -> list[str]:
    """What happened to an order, oldest first."""
    return list(OrderEvent.objects.filter(order=order).values_list("kind", flat=True))


def standing(order: Order) -> tuple[str, str, bool]:
    """Status and reservation state of an order, and whether it was captured offline."""
    order.refresh_from_db()
    return order.status, order.reservation_state, order.captured_offline


def set_connection(state: str) -> None:
    """Put the connection into a state, with nothing counted against it."""
    connection.current()
    CallHealth.objects.all().delete()
    Connection.objects.update(
        state=state,
        since=timezone.now(),
        cause="",
        wait_until=None,
        is_unproven=False,
        held_until=None,
        recovered_at=None,
    )


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    """Return an OCI with the groups `web` and `outlet` and the location `store`."""
    with SimulatorProcess(stock={**GRAPH, "stock": []}) as process:
        yield process


@pytest.fixture
def engine(
    simulator: SimulatorProcess, settings: Any, request: pytest.FixtureRequest
) -> Iterator[Engine]:
    """Return the engine, one call at a time and in this thread, with an OCI that has nothing."""
    simulator.reset()
    use_simulator(settings, simulator)
    settings.COC_OCI_CONCURRENCY = 1
    clients.close_clients()
    made = Engine(simulator)
    yield made
    clients.close_clients()
    # The same forty queries each time; what a test is about it asks itself.
    if made.keeps_promises and sampling.has_turn(request.node.nodeid, one_in=3):
        found = list(integrity_check.check())
        assert found == [], found
