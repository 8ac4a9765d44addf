"""Whoever has a batch under a lease, or an order under a claim, has it alone until that runs out.

Two workers in one batch break no promise: documents have one id, answers are counted by row count.
They wait for each other, and leave orders for the next cycle that OCI would have answered.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.simulation.rows import Broken, rows

if TYPE_CHECKING:
    from tests.simulation.world import World

# What somebody works on, and nobody else may until it has run out.
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
# The clock may have been set back since somebody looked whether it had run out.
_CORRECTED = timedelta(seconds=10)


class Exclusive:
    """Remembers who had what before each statement that may change it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._had: dict[str, tuple[str, datetime | None]] = {}

    def written(self, sql: str) -> None:
        """Look who has what after a statement that wrote; raises Broken."""
        if not sql.startswith(_CHANGES):
            return
        before = self._had
        self._had = {what: (who, until) for what, who, until in rows(_HAD)}
        if not sql.startswith("UPDATE"):
            return
        # As SQLite has it: in UTC, without saying so.
        late = (self._world.clock.now + _CORRECTED).replace(tzinfo=None)
        for what, (who, _) in self._had.items():
            had, until = before.get(what, (who, late))
            if who != had and until is not None and until > late:
                broken = Broken(f"{what} is {had}'s until {until}, and {who} has taken it")
                # The product may catch what is raised here.
                self._world.broken.append(broken)
                raise broken
