"""One simulated world: sites, stock, OCI, the product's processes, and the answers they got."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.test import override_settings

from orders import ledger
from orders.errors import OrderRefused
from orders.ledger import Figure
from orders.models import InventoryList, Site, UnknownSkuPolicy
from orders.permitted_lists import permit_only
from reconciliation import tasks
from reconciliation.connection import clients
from reconciliation.monitor import Monitor, Prober
from reconciliation.oci.client import OciClient
from reconciliation.oci.feeds import FeedClient
from reconciliation.queue import enqueue
from reconciliation.runs import batches
from reconciliation.simulator.simulator import Simulator
from reconciliation.simulator.stockfile import StockFile, parse_rows
from tests.simulation import clock
from tests.simulation.clock import VirtualClock
from tests.simulation.exclusive import Exclusive
from tests.simulation.handover import Handover, site_fields
from tests.simulation.invariants import Invariants, last_event
from tests.simulation.nature import Nature, limits_of_site
from tests.simulation.network import InProcessTransport, Network
from tests.simulation.processes import Death, Process, Processes

_LISTS = {"web": "group", "store": "location"}


# Of nineteen seeds, those with crossings.
_CROSSING = (2, 11, 16)


@dataclass
class Wish:
    """A task in the queue; it may be taken from `due` on (seconds of true time)."""

    due: float
    name: str
    ids: tuple[int, ...]


class InlineProber(Prober):
    """Probes in the thread of the tick."""

    def start(self) -> bool:
        self.probe_and_try()
        return True


@dataclass
class World:
    """The whole state of one simulation, and its log."""

    seed: int
    folder: Path
    log: list[str] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)
    queue: list[Wish] = field(default_factory=list)
    monitors: list[Monitor] = field(default_factory=list)
    placed: list[tuple[Site, bytes]] = field(default_factory=list)
    overtake: Callable[[], None] = lambda: None
    seen: Counter[str] = field(default_factory=Counter)
    # Calls that placed a reservation, by the name of the process.
    puts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.nature = dataclasses.replace(
            Nature.drawn(self.rng),
            settles=self.seed % 7 in (1, 3),
            strict=self.seed % 7 in (1, 5),
            adjusts=self.seed % 7 in (2, 3, 6),
            remedies=self.seed % 7 in (3, 4),
            doubles=self.seed % 7 == 6,
            bundles=self.seed % 5 in (2, 4),
            untracked=self.seed % 23 == 18,
            grays=self.seed % 13 in (1, 7, 8),
            follows=self.seed % 13 in (0, 12),
            promises=self.seed % 13 == 5,
            hands_over=self.seed % 17 in (5, 9, 13) or self.seed % 19 in _CROSSING,
            crosses=self.seed % 19 in _CROSSING,
        )
        if self.nature.crosses:
            self.nature = dataclasses.replace(self.nature, busy=0.6)
        if self.nature.hands_over:
            self.nature = dataclasses.replace(self.nature, alone=False, strict=True, remedies=True)
        if self.nature.promises:
            self.nature = dataclasses.replace(self.nature, alone=False)
        if self.nature.grays:
            self.nature = self.nature.with_grays(calm=self.seed % 13 != 7)
        if self.seed % 11 in (5, 9):
            self.nature = self.nature.with_merchandisers(self.rng)
        self.clock = VirtualClock(self.nature.begins)
        self.simulator = Simulator(
            stock=_stock_at_oci(self.nature.stock),
            tenant_group_id="tg",
            client_id="client",
            client_secret="secret",
            seed=self.seed,
            clock=self.clock.monotonic,
        )
        self.simulator.settings.change(self.nature.oci)
        self.network = Network(
            self.simulator,
            self.clock,
            self.rng,
            note=self.note,
            waited=self._waited,
            before=self._calling,
            committed=self._committed,
            held_up=0.0,
        )
        self.handover = Handover(self)
        self.invariants = Invariants(self)
        self.exclusive = Exclusive(self)
        self.processes = Processes(overtake=lambda: self.overtake(), written=self._written)
        self.losing_tasks = False
        self._clients: dict[int, dict[Any, OciClient]] = {}
        self._monitors_made = 0

    # --- what goes on -------------------------------------------------------------------------

    def note(self, what: str) -> None:
        """Add a line to the log, indented by the number of interrupted processes."""
        indent = "  " * self.processes.depth
        self.log.append(f"{self.clock.now:%d %H:%M:%S.%f} {indent}{what}")

    def attempt(self, act: Callable[[], Any]) -> None:
        """Act like a person in a browser; the act may be refused."""

        def work() -> Any:
            try:
                return act()
            except OrderRefused as refusal:
                return refusal

        result = self.run("web", work)
        if isinstance(result, OrderRefused):
            self.note(f"  refused: {result.detail}")

    def run(self, name: str, work: Callable[[], Any], *, may_die: bool = True) -> Any:
        """Run `work` in a new process; return the result, or Death."""
        rng = self.rng
        process = Process(name, began=last_event())
        if may_die and rng.random() < self.nature.deadly:
            process.dies_at = rng.randint(1, rng.choice((6, 25, 80)))
        if rng.random() < self.nature.busy:
            process.overtaken_at = rng.randint(1, rng.choice((4, 15, 60)))
        before = self._use_clients(self.processes.depth)
        try:
            result = self.processes.run(process, work)
        finally:
            clients._clients = before
        if process.points >= process.overtaken_at > 0:
            self.seen["processes overtaken"] += 1
        if result is Death:
            self.seen["deaths"] += 1
            self.note(f"{name} died at event {process.events}")
            self._clients.pop(self.processes.depth, None)
        return result

    def _use_clients(self, depth: int) -> dict[Any, OciClient]:
        before = clients._clients
        clients._clients = self._clients.setdefault(depth, {})
        return before

    def pause(self, seconds: float) -> None:
        """Let time pass for a waiting process."""
        self.clock.go(seconds)
        self.network.deliver_late()
        self.processes.point()

    def _waited(self, operation: str, seconds: float) -> None:
        if self.processes.depth:
            process = self.processes.running
            process.waited += seconds
            if operation == "put":
                self.puts[process.name] += 1

    def _calling(self) -> None:
        self.processes.calling()

    def _written(self, sql: str) -> None:
        self.invariants.written(sql)
        self.exclusive.written(sql)

    def _committed(self, reservation_id: str) -> None:
        self.invariants.reserved(reservation_id)

    # --- the queue ----------------------------------------------------------------------------

    def enqueue(self, name: str, ids: tuple[int, ...], seconds: int | None) -> None:
        """Take a wake-up: it may be delayed, doubled or lost."""
        fate = self.rng.random() if self.losing_tasks else 1.0
        if fate < 0.1:
            self.note(f"task {name}{ids} is lost")
            return
        delay = self.rng.uniform(0, 90) if fate < 0.2 else self.rng.uniform(0, 0.5)
        self.queue.append(Wish(self.clock.true + delay, name, ids))
        if 0.2 <= fate < 0.3:
            self.queue.append(Wish(self.clock.true + self.rng.uniform(0, 30), name, ids))

    def due_tasks(self) -> list[Wish]:
        return [wish for wish in self.queue if wish.due <= self.clock.true]

    def work_on(self, wish: Wish) -> Any:
        """Let a worker take a task. The queue's broker delivers it again after a death."""
        self.queue.remove(wish)
        self.note(f"worker: {wish.name}{wish.ids}")
        task = getattr(tasks, wish.name)
        result = self.run(f"worker {wish.name}", lambda: task(*wish.ids))
        if result is Death and not self.losing_tasks:
            self.queue.append(Wish(self.clock.true + 300, wish.name, wish.ids))
        return result

    # --- the monitors -------------------------------------------------------------------------

    def tick(self, index: int = 0) -> None:
        """Tick a monitor; restart one that has died."""
        while len(self.monitors) <= index:
            self.monitors.append(self._new_monitor())
        monitor = self.monitors[index]
        if self.run(f"monitor {index}", monitor.tick) is Death:
            self.monitors[index] = self._new_monitor()

    def _new_monitor(self) -> Monitor:
        self._monitors_made += 1
        client = OciClientOf(self)
        return Monitor(
            holder=f"monitor-{self._monitors_made}",
            prober=InlineProber(client=client, clock=self.clock),  # type: ignore[arg-type]
            clock=self.clock,
        )


class OciClientOf:
    """The probing client of the running process."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(clients.client_for_probe(), name)


def _stock_at_oci(stock: dict[str, int]) -> StockFile:
    rows = []
    for sku, units in stock.items():
        rows += [
            {"location": "dc1", "sku": sku, "onHand": units - units // 3},
            {"location": "dc2", "sku": sku, "onHand": units // 3},
            {"location": "store", "sku": sku, "onHand": units},
        ]
    return StockFile(groups={"web": ["dc1", "dc2"]}, rows=parse_rows(rows))


@contextmanager
def alive(world: World) -> Iterator[World]:
    """Put the product into the world, and create its sites and their stock."""
    with ExitStack() as stack:
        stack.enter_context(override_settings(**_settings(world)))
        stack.enter_context(clock.installed(world.clock))
        transport = InProcessTransport(world.network)
        for target, value in (
            (
                "reconciliation.connection.clients.OciClient",
                partial(OciClient, transport=transport),
            ),
            (
                "reconciliation.connection.clients.FeedClient",
                partial(FeedClient, transport=transport),
            ),
            ("reconciliation.connection.clients._clients", {}),
            ("reconciliation.queue.enqueue._enqueue", world.enqueue),
            ("reconciliation.queue.enqueue.queued", lambda: len(world.queue)),
            ("reconciliation.runs.batches.work_run", partial(batches.work_run, pause=world.pause)),
            ("reconciliation.monitor.loop.ALERTS_EVERY", timedelta(minutes=10)),
            ("reconciliation.monitor.loop.Monitor._has_moved", lambda monitor, state: False),
            # There is no queue that a schedule could stop.
            ("reconciliation.maintenance.schedules.heal", lambda now: []),
            ("os.fsync", lambda handle: None),
        ):
            stack.enter_context(patch(target, value))
        assert enqueue._enqueue == world.enqueue
        _make_sites(world)
        stack.enter_context(world.processes.watching())
        yield world


def _settings(world: World) -> dict[str, Any]:
    return {
        "COC_OCI_BASE_URL": "https://oci.test",
        "COC_OCI_TOKEN_URL": "https://oci.test/dwsso/oauth2/access_token",
        "COC_OCI_TENANT_GROUP_ID": "tg",
        "COC_OCI_CLIENT_ID": "client",
        "COC_OCI_CLIENT_SECRET": "secret",
        "COC_OCI_SCOPE": (
            "SALESFORCE_COMMERCE_API:tg sfcc.inventory.reservations.rw sfcc.inventory.availability"
        ),
        "COC_OCI_CONCURRENCY": 1,
        "COC_BROKER": "orm",
        "COC_WORKERS": 2,
        "COC_IMPEX_DIR": world.folder,
        **world.nature.settings,
    }


def _make_sites(world: World) -> None:
    for number, zone in enumerate(world.nature.zones):
        # About half of the second sites share a list.
        list_id = world.rng.choice(tuple(_LISTS)) if number else "web"
        list_, created = InventoryList.objects.get_or_create(
            pk=list_id, defaults={"list_type": _LISTS[list_id]}
        )
        limits = limits_of_site(world.rng) if world.nature.strict else {}
        limits["keeps_promises"] = world.nature.promises
        if world.nature.hands_over:
            limits |= site_fields(world.rng)
        if world.nature.untracked:
            limits["unknown_sku_policy"] = UnknownSkuPolicy.ACCEPT_UNTRACKED
        Site.objects.create(pk=f"shop-{number}", inventory_list=list_, time_zone=zone, **limits)
        if created:
            figures = [Figure(list_id, s, Decimal(n)) for s, n in world.nature.stock.items()]
            before = world.clock.now - timedelta(hours=1)
            ledger.apply_snapshot(
                figures=figures, taken_at=before, lag=timedelta(seconds=3), now=before
            )
    for site in Site.objects.all():
        permit_only(site, InventoryList.objects.all())
