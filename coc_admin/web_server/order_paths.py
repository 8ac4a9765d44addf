"""The requests that the web process answers itself: placing orders, and the health checks.

The paths are those of `coc_admin.api.urls`; a test compares both. Everything else goes to the
console process.
"""

from __future__ import annotations

import re

_ONE_ORDER = re.compile(r"/api/v1/sites/[^/]+/orders/.+")
_ORDERS = re.compile(r"/api/v1/sites/[^/]+/orders")
_STOCK = re.compile(r"/api/v1/sites/[^/]+/inventory/[^/]+")
_HEALTH = ("/healthz", "/readyz")


def takes_orders(method: str, path: str) -> bool:
    """Return whether a request places orders. `path` is decoded, as in a request line.

    Several slashes at its beginning mean a single slash, as for WSGI.
    """
    path = "/" + path.lstrip("/")
    if path in _HEALTH or _ONE_ORDER.fullmatch(path):
        return True
    if _ORDERS.fullmatch(path):
        return method == "POST"
    return method in ("GET", "HEAD") and _STOCK.fullmatch(path) is not None
