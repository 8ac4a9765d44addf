"""The monitor: probes OCI, moves the connection, starts recovery, keeps alerts true (design 5)."""

from __future__ import annotations

from reconciliation.monitor.loop import Monitor
from reconciliation.monitor.probe import Prober

__all__ = ["Monitor", "Prober"]
