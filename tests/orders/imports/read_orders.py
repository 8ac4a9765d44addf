"""Read order files in tests: what comes out of them, and why they are refused."""

from __future__ import annotations

import io
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orders.imports.found_orders import FoundOrder, OrderFileRefused
from orders.imports.order_csv import CsvOptions
from orders.imports.order_files import kind_of, read_orders

BERLIN = ZoneInfo("Europe/Berlin")


def read(content: str | bytes, name: str = "orders.csv", **options: Any) -> list[FoundOrder]:
    columns = options.pop("columns", {})
    how = CsvOptions(**{"zone": BERLIN, **options})
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    kind = kind_of(file, name=name)
    return list(read_orders(file, kind=kind, columns=columns, currency="EUR", options=how))


def one(content: str | bytes, **options: Any) -> Any:
    (found,) = read(content, **options)
    assert found.fault == ""
    return json.loads(found.body)


def fault(content: str | bytes, **options: Any) -> str:
    return read(content, **options)[0].fault


def lines(found: Any) -> list[tuple[str, Any]]:
    return [(line["productId"], line["quantity"]) for line in found["productItems"]]


def refused(content: str | bytes, **options: Any) -> list[tuple[int, str]]:
    with pytest.raises(OrderFileRefused) as what:
        read(content, **options)
    return [(bad.number, bad.message) for bad in what.value.bad]


PLAIN = "orderNo,sku,quantity,basePrice,orderTotal,creationDate,currency\n"
