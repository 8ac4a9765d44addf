"""The stock mirror: OCI's stock of every list, by full exports and the changes since.

Nothing of it is on the path of an order. It writes figures by the ledger's snapshot rule alone, and
where OCI offers no feed, probes ask for figures in turn as they always do.
"""

from __future__ import annotations

from reconciliation.stock_mirror.loop import StockMirror

__all__ = ["StockMirror"]
