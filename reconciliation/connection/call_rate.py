"""The number of concurrent calls to OCI (design 5: grow while good, halve on failures)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from reconciliation.connection.state import current
from reconciliation.models import Connection


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of background calls to OCI.

    `concurrency` is the number of calls at once, 1 or more, for all processes together;
    `wait_seconds` is how long to send nothing at all (0.0 if OCI asks for no pause).
    """

    concurrency: int
    wait_seconds: float


def pace(now: datetime | None = None, *, of: Connection | None = None) -> Pace:
    """Return the pace that OCI bears now; one query, or none for the row `of`."""
    connection = of or current()
    wait = 0.0
    if connection.wait_until is not None:
        wait = max(0.0, (connection.wait_until - (now or timezone.now())).total_seconds())
    return Pace(
        concurrency=max(1, min(connection.concurrency, settings.COC_OCI_CONCURRENCY)),
        wait_seconds=wait,
    )
