"""A loop that takes turns for ever: what goes wrong in one is logged, and the next waits longer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, InterfaceError, connections

from reconciliation.queue import leases


@dataclass(slots=True)
class Turns:
    """The turns of one loop. `name` is what the log calls it."""

    name: str
    logger: logging.Logger
    errors: int = 0

    def take(self, turn: Callable[[], object]) -> None:
        """Take one turn; no exception leaves it. Connections to a lost database are closed."""
        try:
            turn()
        except (DatabaseError, InterfaceError) as error:
            self.errors = min(self.errors + 1, 8)
            self.logger.warning("The database cannot be used now: %s.", type(error).__name__)
            connections.close_all()
        except Exception:
            self.errors = min(self.errors + 1, 8)
            self.logger.exception("A turn of the %s failed; the next one tries again.", self.name)
        else:
            self.errors = 0

    def pause(self, usual: float, *, longest: float) -> float:
        """Return how many seconds to wait, `usual` unless the last turns failed."""
        return min(usual * 2**self.errors, longest) if self.errors else usual

    def give_back(self, lease: str, *, holder: str, now: datetime) -> None:
        """Let another process take over at once instead of after the lease."""
        try:
            leases.give_back(name=lease, holder=holder, now=now)
        except (DatabaseError, InterfaceError):
            self.logger.warning("The lease of the %s was not released; it will expire.", self.name)
