"""The holder of a lease on a batch, or of a claim on an order, works alone until it expires.

Two workers in one batch break no promise: documents have one id, answers are counted by row count.
But they wait for each other, and leave orders for the next cycle that OCI would have answered.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.simulation.rows import Broken, rows

if TYPE_CHECKING:
    from tests.simulation.world import World

# Objects that only one process may work on until its claim expires.
_HAD = """
SELECT 'batch ' || id, holder, leased_until FROM reconciliation_batch WHERE state = 'running'
UNION ALL SELECT 'order ' || id, claim, claimed_until FROM orders_order WHERE claim <> ''
"""
_CHANGES = (
    'UPDATE "reconciliation_batch" SET',
    'UPDATE "orders_order" SET',
    "INSERT INTO orders_order (",
    "ROLLBACK",
)
# The clock may have been set back since the expiry was checked.
_CORRECTED = timedelta(seconds=10)


class Exclusive:
    """Remembers the holders before each statement that may change them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._had: dict[str, tuple[str, datetime | None]] = {}

    def written(self, sql: str) -> None:
        """Check the holders after a statement that wrote; raises Broken."""
        if not sql.startswith(_CHANGES):
            return
        before = self._had
        self._had = {what: (who, until) for what, who, until in rows(_HAD)}
        if not sql.startswith("UPDATE"):
            return
        # In SQLite's form: UTC, without a zone.
        late = (self._world.clock.now + _CORRECTED).replace(tzinfo=None)
        for what, (who, _) in self._had.items():
            had, until = before.get(what, (who, late))
            if who != had and until is not None and until > late:
                broken = Broken(f"{what} is {had}'s until {until}, and {who} has taken it")
                # The product might catch an exception raised here.
                self._world.broken.append(broken)
                raise broken
