"""Models of the reconciliation app."""

from __future__ import annotations

from reconciliation.models.alerts import (
    Alert,
    AlertEvent,
    AlertEventKind,
    AlertSnooze,
    AlertState,
    Handling,
    Priority,
)
from reconciliation.models.attempts import (
    Attempt,
    AttemptOutcome,
    DocumentState,
    Purpose,
    ReservationDocument,
)
from reconciliation.models.bulk import BulkKind, BulkLine, BulkRemedy, BulkState, LetterState
from reconciliation.models.channels import (
    Channel,
    ChannelKind,
    Delivery,
    DeliveryKind,
    DeliveryState,
)
from reconciliation.models.connection import (
    CONNECTION_ID,
    OWN_FAULTS,
    CallHealth,
    CallKind,
    Connection,
    ConnectionChange,
    ConnectionState,
    Heartbeat,
    HeldFigures,
    Lease,
    OfflineCause,
    Outage,
)
from reconciliation.models.dry_runs import BackgroundDryRun
from reconciliation.models.feeds import FeedState, StockFeed
from reconciliation.models.intervals import IntervalSetting
from reconciliation.models.maintenance import JobKind, JobState, MaintenanceJob
from reconciliation.models.minutes import MinuteFigures
from reconciliation.models.order_imports import OrderImport
from reconciliation.models.planned import PlannedOutage, WindowState
from reconciliation.models.releases import Release, ReleaseState
from reconciliation.models.reports import ReportDay, ReportType, VanishedOrder
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
    "OWN_FAULTS",
    "Alert",
    "AlertEvent",
    "AlertEventKind",
    "AlertSnooze",
    "AlertState",
    "Attempt",
    "AttemptOutcome",
    "BackgroundDryRun",
    "Batch",
    "BatchState",
    "BulkKind",
    "BulkLine",
    "BulkRemedy",
    "BulkState",
    "CallHealth",
    "CallKind",
    "Channel",
    "ChannelKind",
    "Connection",
    "ConnectionChange",
    "ConnectionState",
    "Delivery",
    "DeliveryKind",
    "DeliveryState",
    "DocumentState",
    "EntryState",
    "FeedState",
    "Handling",
    "Heartbeat",
    "HeldFigures",
    "IntervalSetting",
    "JobKind",
    "JobState",
    "Lease",
    "LetterState",
    "MaintenanceJob",
    "MinuteFigures",
    "OfflineCause",
    "OrderImport",
    "Outage",
    "PlannedOutage",
    "Priority",
    "Purpose",
    "Release",
    "ReleaseState",
    "ReportDay",
    "ReportType",
    "ReservationDocument",
    "Run",
    "RunEntry",
    "RunState",
    "Scope",
    "StockFeed",
    "Trigger",
    "VanishedOrder",
    "WindowState",
]
