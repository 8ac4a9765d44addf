"""Time that passes only when the simulation advances it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

# Product modules that use the `time` module.
_TELL_TIME = (
    "reconciliation.reservation.placement",
    "reconciliation.connection.call_observer",
    "reconciliation.monitor.loop",
    "reconciliation.oci.caller",
    "reconciliation.oci.token",
    "reconciliation.simulator.misbehave",
)


@dataclass
class VirtualClock:
    """Our wall clock (`now`), and the true time in seconds that OCI uses."""

    now: datetime
    true: float = 0.0

    def __post_init__(self) -> None:
        self.true = self.now.timestamp()

    def __call__(self) -> datetime:
        return self.now

    def go(self, seconds: float) -> None:
        """Advance time, for everyone."""
        self.now += timedelta(seconds=seconds)
        self.true += seconds

    def set_wrong(self, seconds: float) -> None:
        """Set our wall clock to a wrong time, while no time passes."""
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self.true

    def time(self) -> float:
        return self.now.timestamp()

    sleep = go


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    """Make `clock` the product's time."""

    class Virtual(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return clock.now.astimezone(tz)

    with ExitStack() as stack:
        # `timezone.now` itself stays: some functions bound it as a default argument.
        stack.enter_context(patch("django.utils.timezone.datetime", Virtual))
        for module in _TELL_TIME:
            stack.enter_context(patch(f"{module}.time", clock))
        yield
