"""Models of the reconciliation app."""

from __future__ import annotations

from reconciliation.models.alerts import Alert, AlertState, Descriptor, Priority
from reconciliation.models.attempts import (
    Attempt,
    AttemptOutcome,
    DocumentState,
    Purpose,
    ReservationDocument,
)
from reconciliation.models.connection import (
    CONNECTION_ID,
    Connection,
    ConnectionChange,
    ConnectionState,
    Heartbeat,
    Lease,
    OfflineCause,
    Outage,
)
from reconciliation.models.reports import ReportDay, ReportType
from reconciliation.models.runs import (
    ACTIVE_RUNS,
    Batch,
    BatchState,
    EntryState,
    Run,
    RunEntry,
    RunState,
    Scope,
    Trigger,
)

__all__ = [
    "ACTIVE_RUNS",
    "CONNECTION_ID",
    "Alert",
    "AlertState",
    "Attempt",
    "AttemptOutcome",
    "Batch",
    "BatchState",
    "Connection",
    "ConnectionChange",
    "ConnectionState",
    "Descriptor",
    "DocumentState",
    "EntryState",
    "Heartbeat",
    "Lease",
    "OfflineCause",
    "Outage",
    "Priority",
    "Purpose",
    "ReportDay",
    "ReportType",
    "ReservationDocument",
    "Run",
    "RunEntry",
    "RunState",
    "Scope",
    "Trigger",
]
