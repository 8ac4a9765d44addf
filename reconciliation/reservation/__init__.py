"""Reservation documents: written down before the first call, repeated as they are, counted once.

The caller holds the claim on the order (`orders.outcomes.take_claim`, or capture's own). Nothing
here holds a database transaction while it talks to OCI.
"""

from __future__ import annotations

from reconciliation.reservation.asking import ask, cancel_document
from reconciliation.reservation.counting import answered_units, count, is_complete
from reconciliation.reservation.undoing import give_back_if_undone, not_yet_undone
from reconciliation.reservation.verdicts import Asked, Verdict
from reconciliation.reservation.writing import prepare, write_kept, write_replacement

__all__ = [
    "Asked",
    "Verdict",
    "answered_units",
    "ask",
    "cancel_document",
    "count",
    "give_back_if_undone",
    "is_complete",
    "not_yet_undone",
    "prepare",
    "write_kept",
    "write_replacement",
]
