"""Helpers for bulk replacement: short orders, and how people choose, confirm and check."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from coc_admin.models import AuditEntry
from orders.models import Hold, InventoryRecord, Movement, Order, OrderEvent, OrderItem, Replacement
from reconciliation import remedies
from reconciliation.models import ReservationDocument
from tests.coc_admin.console.bulk.choosing import marks
from tests.engine import D, Engine
from tests.engine import engine as engine
from tests.engine import simulator as simulator

WHY = {"reason": "The blue one is as good."}
PICK = {"list": "web", "short": "MUG", "currency": "USD", "sku": "CUP"}


@pytest.fixture
def short(engine: Engine) -> list[Order]:
    """Four orders of 2, 3, 1 and 2 MUG, of which OCI has none; 6 CUP are in stock."""
    site = engine.site({"MUG": 20, "CUP": 6, "POT": 9})
    orders = [
        engine.capture(site, f"A{number}", [("MUG", units)])
        for number, units in enumerate([2, 3, 1, 2])
    ]
    engine.at_oci({"MUG": 0})
    engine.reconcile()
    OrderItem.objects.update(unit_price=D("9.50"))
    InventoryRecord.objects.filter(sku="CUP").update(product_name="Blue mug")
    return orders


def rows() -> list[Any]:
    models = (Order, OrderItem, OrderEvent, Hold, InventoryRecord, Movement, Replacement)
    models = (*models, ReservationDocument, AuditEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


def picked(client: Client, path: str, **more: Any) -> Any:
    """Return the preview of a draft with everything chosen."""
    return client.get(path, PICK | more)


def form_of(page: Any, **more: Any) -> dict[str, Any]:
    """Return what a browser sends when the preview is confirmed."""
    found = re.findall(r'name="(shown_price|unit_price)"[^>]* value="([^"]*)"', text_of(page))
    return PICK | WHY | {"mark": marks(page)} | dict(found) | more


def text_of(page: Any) -> str:
    return str(page.content.decode())


def confirm(client: Client, path: str, **more: Any) -> Any:
    return client.post(path, form_of(picked(client, path), **more))


def told(client: Client, path: str) -> dict[str, tuple[str, str]]:
    """Return the state of each replacement on the result page, with the reason."""
    return {
        row.line.order.order_no: (row.label, row.why) for row in client.get(path).context["rows"]
    }


def finish(engine: Engine) -> int:
    return remedies.finish_replacements(clock=engine.clock)
