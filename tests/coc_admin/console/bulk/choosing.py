"""Choose orders on a page, and preview and confirm a remedy for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.test import Client

from orders.models import Order

WHY = {"reason": "Sold out for good."}

OUTSIDE = WHY | {"reference": "PO-77"}


def tick(client: Client, *orders: Order, listing: str = "desk", do: str = "keep") -> Any:
    """Tick orders of a page, press a button, and return the answer."""
    keys = [order.pk for order in orders]
    return client.post(f"/chosen/{listing}/", {"shown": keys, "order": keys, "do": do})


def chosen(client: Client, listing: str = "desk") -> set[int]:
    """Return the orders that are chosen."""
    return {int(pk) for pk in client.session.get("chosen", {}).get(listing, {})}


def marks(page: Any) -> list[str]:
    """Return what a preview says of how it showed each order."""
    return re.findall(r'name="mark" value="([^"]+)"', page.content.decode())


def begin(client: Client, kind: str, orders: Iterable[Order], *, listing: str = "desk") -> str:
    """Choose orders and a remedy; return the address of its preview."""
    answer = tick(client, *orders, listing=listing, do=kind)
    assert answer.status_code == 302
    return str(answer["Location"])


def confirm(client: Client, path: str, form: dict[str, str]) -> Any:
    """Confirm a preview as it is shown now."""
    return client.post(path, form | {"mark": marks(client.get(path))})


def results(client: Client, path: str) -> dict[str, tuple[str, str]]:
    """Return state and explanation of each order of a result page."""
    rows = client.get(path).context["rows"]
    return {row.line.order.order_no: (row.line.state, row.line.detail) for row in rows}
