"""Run `manage.py import_orders` in tests."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orders.models import Order, Site
from tests import factories
from tests.engine import D, set_connection

RETAIL = (
    "orderNo=InvoiceNo,sku=StockCode,productName=Description,basePrice=UnitPrice",
    "creationDate=InvoiceDate,customerId=CustomerID",
)


def run(path: Path, *args: str, site: str = "shop") -> tuple[int, str, str]:
    """Return the exit code, and what was written to standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("import_orders", str(path), f"--site={site}", *args, stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
        err.write(f"{error}\n")
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def offline_shop() -> Site:
    """Return a shop whose connection is offline."""
    set_connection("OFFLINE")
    return factories.make_site(stock={"MUG": 10, "CUP": 10}, currency="GBP")


def write(folder: Path, content: bytes | str, name: str = "orders.csv") -> Path:
    path = folder / name
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


def outcome(number: str) -> list[tuple[str, D]]:
    items = Order.objects.get(order_no=number).items.order_by("position")
    return [(one.sku, one.ordered_quantity) for one in items]
