"""The shared state of the connection to OCI (design 5): one row, changed by conditional updates."""

from __future__ import annotations

from reconciliation.connection.call_counts import (
    note_configuration_fault,
    note_failure,
    note_good,
    note_sent,
    note_slow,
    note_throttled,
)
from reconciliation.connection.call_observer import StateObserver, observer
from reconciliation.connection.call_rate import Pace, pace
from reconciliation.connection.forced import ReasonRequired, force_offline, release_forced
from reconciliation.connection.state import (
    ANSWERING,
    current,
    current_state,
    is_usable,
    lately,
    may_call,
)
from reconciliation.connection.transitions import (
    RELAPSE,
    came_back_lately,
    is_drained,
    last_outage_of_oci,
    lose_if_unanswered,
    mark_online_if_drained,
    mark_recovering,
    note_bad_probe,
    note_good_probe,
)
from reconciliation.connection.verdict import has_trouble, healths, is_lost, is_slow

__all__ = [
    "ANSWERING",
    "RELAPSE",
    "Pace",
    "ReasonRequired",
    "StateObserver",
    "came_back_lately",
    "current",
    "current_state",
    "force_offline",
    "has_trouble",
    "healths",
    "is_drained",
    "is_lost",
    "is_slow",
    "is_usable",
    "last_outage_of_oci",
    "lately",
    "lose_if_unanswered",
    "mark_online_if_drained",
    "mark_recovering",
    "may_call",
    "note_bad_probe",
    "note_configuration_fault",
    "note_failure",
    "note_good",
    "note_good_probe",
    "note_sent",
    "note_slow",
    "note_throttled",
    "observer",
    "pace",
    "release_forced",
]
