"""One simulator process for each test module, put back to its start before every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.reconciliation.oci.simulator.caller import Caller
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
def caller(oci: SimulatorProcess) -> Iterator[Caller]:
    """Somebody with a good token who checks each exchange against the description."""
    with Caller(oci) as one:
        yield one
