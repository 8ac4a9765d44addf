"""The connection as real calls over HTTP move it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections

from orders.actors import person
from orders.models import InventoryList, InventoryRecord
from reconciliation import connection
from reconciliation.connection import StateObserver, clients
from reconciliation.models import ConnectionChange, Outage
from reconciliation.monitor import Monitor, Prober
from reconciliation.oci.client import OciClient
from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.errors import OciNoAnswer, OciRefused
from tests.factories import Clock
from tests.reconciliation.oci.simulator_process import SimulatorProcess, use_simulator

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GROUP = Place(PlaceKind.GROUP, "shop")


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    stock = {
        "groups": {"shop": ["dc"]},
        "stock": [{"location": "dc", "sku": "MUG", "onHand": 7, "safetyStockCount": 1}],
    }
    with SimulatorProcess(stock=stock) as process:
        yield process


@pytest.fixture
def oci(simulator: SimulatorProcess) -> SimulatorProcess:
    simulator.reset("faults", "requests")
    return simulator


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


def client_of(oci: SimulatorProcess, clock: Clock, read_timeout: float = 10) -> OciClient:
    config = oci.config(connect_timeout=10, read_timeout=read_timeout)
    return OciClient(config, observer=StateObserver(clock))


@dataclass
class Watch:
    """A monitor whose ticks are a second apart on its clock, each probe ended before the next.

    Calls wait for long, since a busy machine answers late.
    """

    monitor: Monitor
    clock: Clock

    def second(self) -> str:
        self.monitor.tick()
        assert self.monitor.prober.wait(30)
        self.clock.go(1)
        return connection.current().state

    def seconds_until(self, state: str, most: int = 10) -> int:
        """Return after how many seconds the connection came into a state, if only to leave it."""
        before = ConnectionChange.objects.count()
        for second in range(1, most + 1):
            now = self.second()
            changes = ConnectionChange.objects.order_by("pk")[before:]
            if state in (now, *changes.values_list("new_state", flat=True)):
                return second
        raise AssertionError(f"{connection.current()} after {most} seconds")


@pytest.fixture
def watch(oci: SimulatorProcess, clock: Clock) -> Watch:
    # Until there is a list, OCI that answers is asked once a minute.
    InventoryList.objects.create(pk="shop")
    prober = Prober(client=client_of(oci, clock), clock=clock)
    return Watch(Monitor(holder="test", prober=prober, clock=clock), clock)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("down", "OCI"),
        ("refuse", "OCI could not be reached."),
        ("hang", "OCI did not answer in time."),
        ("5xx", "OCI answered with a server error. (HTTP 503)"),
        ("garbage", "OCI's answer could not be understood."),
    ],
)
def test_loss_and_recovery_are_each_noticed_within_five_probes(
    oci: SimulatorProcess, watch: Watch, mode: str, says: str
) -> None:
    assert [watch.second() for _ in range(2)] == ["ONLINE", "ONLINE"]
    lost_at = watch.clock.now
    oci.fault(mode)
    patient = watch.monitor.prober.client
    if mode == "hang":
        watch.monitor.prober.client = client_of(oci, watch.clock, read_timeout=0.5)
    assert watch.seconds_until("OFFLINE") == 3
    now = connection.current()
    assert now.cause == "unreachable"
    assert now.last_error.startswith(says)
    assert oci.base_url not in now.last_error
    assert Outage.objects.get().lost_at == lost_at

    oci.fault("none")
    watch.monitor.prober.client = patient
    assert watch.seconds_until("RECOVERING") == 3
    assert watch.second() == "ONLINE"
    outage = Outage.objects.get()
    assert outage.is_open is False
    assert [change.new_state for change in ConnectionChange.objects.all()] == [
        "OFFLINE",
        "RECOVERING",
        "ONLINE",
    ]


def test_a_service_that_flaps_does_not_begin_a_recovery(
    oci: SimulatorProcess, watch: Watch
) -> None:
    watch.second()
    oci.fault("down")
    watch.seconds_until("OFFLINE")
    for _ in range(3):
        oci.fault("none")
        assert [watch.second() for _ in range(2)] == ["OFFLINE", "OFFLINE"]
        oci.fault("5xx")
        assert watch.second() == "OFFLINE"


def test_429_slows_us_down_and_is_no_outage(oci: SimulatorProcess, watch: Watch) -> None:
    watch.second()
    before = connection.pace(watch.clock.now).concurrency
    oci.fault("429", retryAfter=4)
    seen = len(oci.requests())
    assert {watch.second() for _ in range(5)} == {"ONLINE"}
    # One probe; the next four seconds are what OCI asked for.
    assert [entry["status"] for entry in oci.requests()[seen:]] == [429, 429]
    assert connection.pace(watch.clock.now).concurrency < before
    assert Outage.objects.count() == 0


@pytest.mark.parametrize("mode", ["badtoken", "forbidden"])
def test_refused_credentials_are_a_configuration_fault_at_once(
    oci: SimulatorProcess, watch: Watch, mode: str
) -> None:
    watch.second()
    oci.fault(mode)
    assert watch.second() == "OFFLINE"
    now = connection.current()
    assert (now.cause, connection.healths()["read"].failures) == ("configuration", 0)
    assert {watch.second() for _ in range(4)} == {"OFFLINE"}
    assert connection.current().cause == "configuration"
    oci.fault("none")
    assert watch.seconds_until("RECOVERING") == 3


def test_a_refused_password_is_a_configuration_fault(oci: SimulatorProcess, clock: Clock) -> None:
    client = client_of(oci, clock)
    oci.fault("badtoken", operations=["token"], status=400)
    Prober(client=client, clock=clock).probe()
    assert connection.current().cause == "configuration"


def test_forced_offline_is_probed_and_stays(oci: SimulatorProcess, watch: Watch) -> None:
    watch.second()
    connection.force_offline(actor=person("ada"), reason="drill", now=watch.clock.now)
    seen = len(oci.requests())
    assert {watch.second() for _ in range(5)} == {"FORCED_OFFLINE"}
    assert len(oci.requests()) == seen + 5
    connection.release_forced(actor=person("ada"), reason="done", now=watch.clock.now)
    assert connection.current().state == "OFFLINE"
    assert watch.seconds_until("RECOVERING") == 3


def test_a_refusal_is_an_answer(oci: SimulatorProcess, clock: Clock) -> None:
    client = client_of(oci, clock)
    for _ in range(5):
        with pytest.raises(OciRefused):
            client.get_availability(place=Place(PlaceKind.GROUP, "nowhere"), skus=["MUG"])
    reads = connection.healths()["read"]
    assert connection.current().state == "ONLINE"
    assert (reads.failures, reads.unanswered) == (0, 0)


def test_many_calls_at_once_with_every_tenth_answer_lost_are_no_outage(
    oci: SimulatorProcess, clock: Clock
) -> None:
    client = client_of(oci, clock)
    client.get_availability(place=GROUP, skus=["MUG"])
    oci.fault("drop", every=10, operations=["availability"])
    lost: list[int] = []

    def work() -> None:
        try:
            for _ in range(25):
                try:
                    client.get_availability(place=GROUP, skus=["MUG"])
                except OciNoAnswer:
                    lost.append(1)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert connection.current().state == "ONLINE"
    assert Outage.objects.count() == 0


def test_a_call_is_not_lost_because_it_cannot_be_counted(
    oci: SimulatorProcess, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OperationalError("the database is away")

    for name in ("note_sent", "note_good", "note_failure"):
        monkeypatch.setattr(f"reconciliation.connection.call_counts.{name}", gone)
    client = client_of(oci, clock)
    assert [found.sku for found in client.get_availability(place=GROUP, skus=["MUG"])] == ["MUG"]
    oci.fault("5xx")
    with pytest.raises(OciNoAnswer):
        client.get_availability(place=GROUP, skus=["MUG"])


def test_probes_bring_figures_while_online_and_none_while_offline(
    oci: SimulatorProcess, watch: Watch
) -> None:
    stock = InventoryList.objects.get(pk="shop")
    InventoryRecord.objects.create(
        inventory_list=stock, sku="MUG", snapshot_ato=1, ato=1, snapshot_at=NOW - timedelta(days=1)
    )
    connection.force_offline(actor=person("ada"), reason="drill", now=NOW)
    watch.second()
    assert InventoryRecord.objects.get().ato == 1
    connection.release_forced(actor=person("ada"), reason="done", now=NOW)
    watch.seconds_until("RECOVERING")
    watch.second()
    record = InventoryRecord.objects.get()
    assert (record.ato, record.snapshot_ato, record.safety_stock) == (6, 6, 1)


def test_the_clients_of_a_process_are_made_once_from_the_settings(
    oci: SimulatorProcess, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_simulator(settings, oci)
    clients.close_clients()
    try:
        made = clients.shared_client()
        assert clients.shared_client() is made
        assert clients.client_for_probe() is not made
        assert made.get_availability(place=GROUP, skus=["MUG"])[0].ato == 6
        monkeypatch.setattr("reconciliation.connection.clients.os.getpid", lambda: -1)
        assert clients.shared_client() is not made
        clients.close_clients()
        monkeypatch.undo()
        assert clients.shared_client() is made
    finally:
        clients.close_clients()


@pytest.mark.parametrize(
    "name",
    [
        "COC_OCI_BASE_URL",
        "COC_OCI_TENANT_GROUP_ID",
        "COC_OCI_TOKEN_URL",
        "COC_OCI_CLIENT_ID",
        "COC_OCI_CLIENT_SECRET",
        "COC_OCI_SCOPE",
    ],
)
def test_a_missing_setting_is_named(settings: LazySettings, name: str) -> None:
    for other in ("BASE_URL", "TENANT_GROUP_ID", "TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET"):
        setattr(settings, f"COC_OCI_{other}", "x")
    setattr(settings, name, "")
    clients.close_clients()
    with pytest.raises(ImproperlyConfigured, match=f"{name} is not set"):
        clients.shared_client()
