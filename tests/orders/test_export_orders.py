"""`export_orders` and `resubmit_orders`: ready orders as a file, and what could not be taken."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders import export_files, order_xml
from orders.imports.order_xml import read_order_xml
from orders.models import ExportStatus, Order, OrderItem, Site
from tests.factories import START, capture, capture_raw, make_site
from tests.orders.order_schema import Schema
from tests.orders.payloads import order_document
from tests.sources import ROOT

pytestmark = pytest.mark.django_db

D = Decimal
SCHEMA = Schema(ROOT / "tests" / "data" / "b2c-schemas" / "order.xsd")
ADDRESS = {
    "firstName": "Zoë",
    "lastName": "O'Neil & <Söhne>",
    "address1": "Main St. 1\x0b",
    "city": "Kiel",
    "countryCode": "DE",
    "postalCode": "24103",
}
MEMBERS: dict[str, Any] = {
    "billingAddress": ADDRESS,
    "shipments": [
        {"shipmentId": "S1", "shippingAddress": ADDRESS, "shippingMethod": {"id": "EXPRESS"}}
    ],
    "taxTotal": 1.9,
}


@pytest.fixture
def site() -> Site:
    return make_site(stock={"MUG": 90, "CUP": 90})


def ready(site: Site, order_no: str, *, minute: int = 0, **members: Any) -> Order:
    at = START + timedelta(minutes=minute)
    order = capture(site, order_no, [("MUG", 2), ("CUP", 1.5)], at=at, **(MEMBERS | members))
    OrderItem.objects.filter(order=order, sku="MUG").update(reserved_quantity=D(1))
    Order.objects.filter(pk=order.pk).update(
        reservation_state="PARTIALLY_RESERVED", export_status="ready"
    )
    order.refresh_from_db()
    return order


def export(site: Site, **options: Any) -> str:
    out = io.StringIO()
    call_command("export_orders", site=site.pk, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def test_order_xml_is_read_back_and_is_valid(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "PAGE", 2)
    for number in range(5):
        ready(site, f"A{number}", minute=number)
    capture(site, "WAITS", [("MUG", 1)])

    text = export(site)

    found = list(read_order_xml(io.BytesIO(text.encode())))
    assert [json.loads(one.body)["orderNo"] for one in found] == [f"A{n}" for n in range(5)]
    first = json.loads(found[0].body)
    assert first["currency"] == "USD"
    assert [(one["productId"], float(one["quantity"])) for one in first["productItems"]] == [
        ("MUG", 2),
        ("CUP", 1.5),
    ]
    assert "<first-name>Zoë</first-name><last-name>O'Neil &amp; &lt;Söhne&gt;</last-name>" in text
    assert '<custom-attribute attribute-id="cocShortQuantity">1</custom-attribute>' in text
    assert Order.objects.filter(export_status="ready").count() == 5
    check_schema(text)


def test_a_whole_name_and_the_sums_are_exported(site: Site) -> None:
    whole = {"fullName": "Ada Reed", "city": "Kiel"}
    shipments = [{"shipmentId": "S1", "shippingAddress": whole}]
    sums = {"productSubTotal": 19, "shippingTotal": 4.5, "shippingTotalTax": 0.5}
    ready(site, "A1", billingAddress=whole, shipments=shipments, **sums)
    ready(site, "A2", minute=1, billingAddress=ADDRESS | whole, taxation="net", productTotal=7)

    text = export(site)

    first, second = text.split('<order order-no="A2">')
    assert first.count("<last-name>Ada Reed</last-name><city>Kiel</city>") == 2
    assert "<last-name>Ada Reed" not in second
    total = "<merchandize-total><gross-price>19</gross-price></merchandize-total>"
    assert total in first
    assert "<shipping-total><tax>0.5</tax><gross-price>4.5</gross-price></shipping-total>" in first
    assert "<merchandize-total><net-price>7</net-price></merchandize-total>" in second
    check_schema(text)


def check_schema(text: str) -> None:
    """Hold order XML against the vendor's schema."""
    assert SCHEMA.faults(text) == []


def test_the_check_itself_sees_faults() -> None:
    head, tail = order_xml.HEAD, order_xml.TAIL
    assert SCHEMA.faults(f'{head}<order order-no="1"><currency>EUR</currency></order>{tail}') == []
    for body, fault in (
        ("<order><currency>EUR</currency></order>", "no attribute order-no"),
        ('<order order-no="1"><currency>eur</currency></order>', "does not match"),
        ('<order order-no="1"><currency>EUR</currency><order-date/></order>', "is not allowed"),
        ('<order order-no="1"><order-date>now</order-date></order>', "is no xsd:dateTime"),
        (
            '<order order-no="1"><status><order-status>GONE</order-status></status></order>',
            "is none of",
        ),
    ):
        (found,) = SCHEMA.faults(f"{head}{body}{tail}")
        assert fault in found


def test_bundles_and_options_are_nested(site: Site) -> None:
    document = order_document("B1", [("MUG", 2)])
    line = document["productItems"][0]
    line["bundledProductItems"] = [{"itemId": "b1", "productId": "CUP", "quantity": 2}]
    line["optionItems"] = [{"itemId": "o1", "productId": "GIFT", "quantity": 2, "price": 1}]
    line["optionItems"][0]["optionId"] = "giftWrap"
    order = capture_raw(site, json.dumps(document).encode())
    Order.objects.filter(pk=order.pk).update(
        reservation_state="COMPLETELY_RESERVED", export_status="ready"
    )
    text = export(site)
    (found,) = read_order_xml(io.BytesIO(text.encode()))
    (item,) = json.loads(found.body)["productItems"]
    assert [one["productId"] for one in item["bundledProductItems"]] == ["CUP"]
    assert [one["productId"] for one in item["optionItems"]] == ["GIFT"]
    assert "<option-id>giftWrap</option-id>" in text
    check_schema(text)


def test_lines_of_json_are_the_documents_of_the_api(site: Site) -> None:
    ready(site, "A1")
    ready(site, "A2", minute=9)
    (line,) = export(site, format="jsonl", since="2026-02-02T12:05:00Z").splitlines()
    document = json.loads(line)
    assert (document["orderNo"], document["version"]) == ("A2", 1)
    assert document["billingAddress"]["city"] == "Kiel"
    assert document["totals"] == {"orderTotal": 42.25, "taxTotal": 1.9}
    assert [item["shortQuantity"] for item in document["items"]] == [1, 1.5]


def test_a_file_that_was_taken_is_acknowledged(site: Site, tmp_path: Path) -> None:
    order = ready(site, "A1")
    path = tmp_path / "orders.xml"
    said = export(site, output=path, acknowledge=True)
    assert said == f"1 orders are written to {path}.\n"
    order.refresh_from_db()
    assert (order.export_status, order.exported_version) == (ExportStatus.EXPORTED, 1)
    assert [one.name for one in tmp_path.iterdir()] == ["orders.xml"]
    assert len(list(read_order_xml(path.open("rb")))) == 1


def test_an_order_that_the_schema_has_no_place_for_is_named(site: Site) -> None:
    ready(site, "A1")
    long = ready(site, "LONG", minute=1)
    OrderItem.objects.filter(order=long, sku="CUP").update(sku="X" * 101)
    err = io.StringIO()
    with pytest.raises(CommandError, match="Not every order"):
        call_command("export_orders", site=site.pk, stdout=io.StringIO(), stderr=err)
    assert "Left out: LONG: the SKU XXXX" in err.getvalue()


def test_refused_options(site: Site) -> None:
    with pytest.raises(CommandError, match="no site 'nowhere'"):
        call_command("export_orders", site="nowhere")
    with pytest.raises(CommandError, match="is no time"):
        call_command("export_orders", site=site.pk, since="yesterday")


def test_resubmitting_by_command(site: Site) -> None:
    for number in ("A1", "A2"):
        ready(site, number)
    Order.objects.update(export_status="failed")
    out = io.StringIO()
    call_command("resubmit_orders", site=site.pk, order=["A1"], stdout=out)
    call_command("resubmit_orders", site=site.pk, stdout=out)
    call_command("resubmit_orders", site=site.pk, stdout=out)
    assert out.getvalue().splitlines() == [
        "1 order is ready again.",
        "1 order is ready again.",
        "0 orders are ready again.",
    ]
    assert set(Order.objects.values_list("export_status", flat=True)) == {"ready"}
