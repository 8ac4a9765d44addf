"""Last contact of a web process with the console process, for /readyz."""

from __future__ import annotations

import time
from dataclasses import dataclass

# Longer than two probes plus the answering time of a busy process.
_SILENT_SECONDS = 6.0


@dataclass(slots=True)
class _Contact:
    """Times of the monotonic clock. Only web processes set `is_kept`."""

    is_kept: bool = False
    asked_at: float = 0.0
    heard_at: float = 0.0

    def finding(self) -> str:
        """Return `ok` or the fault of the console process."""
        if not self.heard_at:
            return "has not answered yet"
        silent = time.monotonic() - self.heard_at
        if silent > _SILENT_SECONDS:
            return f"does not answer for {silent:.0f} s; orders are taken all the same"
        return "ok"


contact = _Contact()
