"""Reservation documents: stored before the first call, repeated unchanged, counted once.

The caller holds the claim on the order (`orders.outcomes.take_claim`, or capture's own). No
database transaction is open during a call to OCI.
"""

from __future__ import annotations

from reconciliation.reservation.apply import answered_units, count, is_complete
from reconciliation.reservation.cancel import give_back_if_cancelled, not_yet_cancelled
from reconciliation.reservation.documents import prepare, write_kept, write_replacement
from reconciliation.reservation.results import Asked, Verdict
from reconciliation.reservation.send import ask, cancel_document, note_answer

__all__ = [
    "Asked",
    "Verdict",
    "answered_units",
    "ask",
    "cancel_document",
    "count",
    "give_back_if_cancelled",
    "is_complete",
    "not_yet_cancelled",
    "note_answer",
    "prepare",
    "write_kept",
    "write_replacement",
]
