"""What a report was exported as can be imported again, in English and in German."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orders import strict_json
from orders.imports.order_csv import CsvOptions, profile_of, read_order_csv
from orders.tables import Form, Reader, Table, table_file
from orders.tables.of_orders import ITEM_COLUMNS, ORDER_COLUMNS

READERS = (Reader("en", ZoneInfo("America/New_York")), Reader("de", ZoneInfo("Europe/Berlin")))
AT = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)


def row(**values: Any) -> list[Any]:
    usual = {
        "siteId": "shop",
        "orderNo": "0000012341",
        "capturedAt": "2026-07-01T22:30:05.000Z",
        "reservationState": "PARTIALLY_RESERVED",
        "currency": "EUR",
        "orderTotal": Decimal("1234.5"),
        "customerName": "Zoë Müller",
        "customerEmail": "zoe@example.test",
        "itemId": "1",
        "sku": "007",
        "productName": "Mug; with, marks",
        "inventoryListId": "stock",
        "quantity": Decimal("1.125"),
        "reservedQuantity": 1,
        "shortQuantity": Decimal("0.125"),
        "cancelledQuantity": 0,
        "replacedQuantity": 0,
        "unitPrice": Decimal("12.5"),
        "kind": "product",
        "takesStock": True,
    }
    assert set(values) <= {column.name for column in ITEM_COLUMNS}
    return [(usual | values).get(column.name) for column in ITEM_COLUMNS]


def written(form: Form, reader: Reader, rows: Sequence[Sequence[Any]]) -> io.BytesIO:
    with table_file(form, Table("Report", ITEM_COLUMNS, rows), reader=reader) as file:
        return io.BytesIO(file.read())


def read(file: io.BytesIO, *, site_id: str = "shop") -> list[tuple[dict[str, Any], str]]:
    options = CsvOptions(zone=UTC, site_id=site_id)
    assert profile_of(file, columns={}, options=options) == "coc"
    file.seek(0)
    found = read_order_csv(file, columns={}, currency="USD", options=options)
    return [(strict_json.loads(one.body, is_bounded=False), one.fault) for one in found]


@pytest.mark.parametrize("form", [Form.CSV, Form.CSV_LOCAL])
@pytest.mark.parametrize("reader", READERS, ids=["en", "de"])
def test_import_takes_back_what_export_wrote(form: Form, reader: Reader) -> None:
    rows = [
        row(),
        row(itemId="2", sku="-A1", quantity=1500, unitPrice=Decimal(1000)),
        row(orderNo="=1+1", orderTotal=Decimal(3), quantity=2, unitPrice=None),
    ]
    (first, fault), (second, other) = read(written(form, reader, rows))
    assert (fault, other) == ("", "")
    assert (first["orderNo"], first["currency"]) == ("0000012341", "EUR")
    assert first["orderTotal"] == Decimal("1234.5")
    assert datetime.fromisoformat(first["creationDate"]) == AT
    assert first["customerInfo"] == {"customerName": "Zoë Müller", "email": "zoe@example.test"}
    assert [
        (item["productId"], item["quantity"], item["basePrice"], item["inventoryId"])
        for item in first["productItems"]
    ] == [("007", Decimal("1.125"), Decimal("12.5"), "stock"), ("-A1", 1500, 1000, "stock")]
    assert first["productItems"][0]["productName"] == "Mug; with, marks"
    assert (second["orderNo"], second["orderTotal"]) == ("=1+1", 3)


@pytest.mark.parametrize(
    ("values", "site", "fault"),
    [
        ({"siteId": "other"}, "shop", "the order is of site 'other'"),
        ({"siteId": "other"}, "", ""),
        ({"resolution": "cancelled"}, "shop", "the order was cancelled"),
        ({"resolution": "settled_outside"}, "shop", ""),
        ({"cancelledQuantity": 1}, "shop", "units were given back: cancelledQuantity is '1'"),
        (
            {"parentItemId": "1"},
            "shop",
            "the order has bundles or options, which a table doesn't hold; import it as JSON",
        ),
    ],
)
def test_what_no_table_can_give_back_is_refused(
    values: dict[str, Any], site: str, fault: str
) -> None:
    for form, reader in ((Form.CSV, READERS[0]), *((Form.CSV_LOCAL, one) for one in READERS)):
        ((_document, told),) = read(written(form, reader, [row(**values)]), site_id=site)
        assert told == fault


def test_a_table_of_orders_is_none_of_items() -> None:
    with table_file("csv", Table("Orders", ORDER_COLUMNS, []), reader=READERS[0]) as file:
        assert profile_of(io.BytesIO(file.read()), columns={}, options=CsvOptions()) == ""
