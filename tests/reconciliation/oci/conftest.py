"""One simulator process for each test module, put back to its start before every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciliation.oci.client import OciClient
from tests.reconciliation.oci.clients import client_of
from tests.reconciliation.oci.openapi_checker import checker
from tests.reconciliation.oci.relay import Relay
from tests.reconciliation.oci.simulator_process import SimulatorProcess

STOCK: dict[str, Any] = {
    "locations": ["store-042"],
    "groups": {"site-us": ["dc-east", "dc-west"]},
    "stock": [
        {"location": "dc-east", "sku": "TEE", "onHand": 10},
        {"location": "dc-west", "sku": "TEE", "onHand": 5},
        {"location": "dc-east", "sku": "MUG", "onHand": 2.5},
        {"location": "store-042", "sku": "TEE", "onHand": 3, "safetyStockCount": 1},
    ],
}


@pytest.fixture(scope="module")
def process() -> Iterator[SimulatorProcess]:
    """The process itself; use ``oci`` in tests."""
    with SimulatorProcess(stock=STOCK) as simulator:
        yield simulator


@pytest.fixture
def oci(process: SimulatorProcess) -> SimulatorProcess:
    """A simulator as if just started."""
    process.reset()
    return process


@pytest.fixture
def relay(oci: SimulatorProcess) -> Iterator[Relay]:
    """A relay before the simulator; for tests that hold what passes against the description."""
    checker()
    with Relay(oci) as made:
        yield made


@pytest.fixture
def relayed(relay: Relay) -> Iterator[OciClient]:
    """The product's client, speaking through the relay."""
    made = client_of(relay.url)
    yield made
    made.close()
