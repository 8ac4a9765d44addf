"""Callers of the simulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reconciliation.oci.simulator.caller import Caller
from tests.reconciliation.oci.simulator_process import SimulatorProcess


@pytest.fixture
def caller(oci: SimulatorProcess) -> Iterator[Caller]:
    """Somebody with a good token who checks each exchange against the description."""
    with Caller(oci) as one:
        yield one
