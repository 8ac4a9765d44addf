"""Findings of `coc_check`: a broken promise, the row that breaks it, and the kind of fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """Faults of rows; `maintenance.repair` plans a repair for each."""

    HISTORY = "history"
    OUTCOME = "outcome"
    UNITS = "units"
    FOREIGN_ID = "foreign-id"
    NO_ITEMS = "no-items"
    PARENT = "parent"
    SUM = "sum"
    OPEN = "open"
    STATE = "state"
    EXPORT = "export"
    DOCUMENT = "document"
    ENTRY = "entry"
    HOLDS = "holds"
    REMEDY = "remedy"
    RECORD = "record"
    VANISHED = "vanished"
    CHANGED = "changed"
    PAYLOAD = "payload"
    REPORT = "report"
    REPORTS_OF_SITE = "reports-of-site"


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken promise: its number, the row that breaks it, and how.

    The repair uses `fault` and `key` (the primary key of the row to correct).
    """

    promise: int
    row: str
    detail: str
    fault: Fault = field(default=Fault.UNITS, compare=False)
    key: int | str = field(default=0, compare=False)
