"""Orders as order XML of B2C Commerce, one after the other.

Valid by the vendor's order.xsd. Reserved, short, cancelled and replaced units are in
custom attributes, which that schema allows on orders and lines.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from orders import documents
from orders.models import ItemKind, Order, OrderItem
from orders.serializers import iso, short_of

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<orders xmlns="http://www.demandware.com/xml/impex/order/2006-10-31">\n'
)
TAIL = "</orders>\n"

_LONGEST_SKU = 100
_LONGEST = 256
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SHIPMENT = "00000001"
# Element of an address: member of the order as it was sent, in the order of the schema.
_ADDRESS = {
    "salutation": "salutation",
    "title": "title",
    "first-name": "firstName",
    "second-name": "secondName",
    "last-name": "lastName",
    "suffix": "suffix",
    "company-name": "companyName",
    "job-title": "jobTitle",
    "address1": "address1",
    "address2": "address2",
    "suite": "suite",
    "postbox": "postBox",
    "city": "city",
    "postal-code": "postalCode",
    "state-code": "stateCode",
    "country-code": "countryCode",
    "phone": "phone",
}
# Element of a sum: members of the order with its price, the first that was sent, and with its tax.
_TOTALS = {
    "merchandize-total": (("productSubTotal", "productTotal"), "merchandizeTotalTax"),
    "shipping-total": (("shippingTotal",), "shippingTotalTax"),
}


def refusal_of(order: Order) -> str:
    """Return why the schema can't hold an order, or None; no query if it is prepared."""
    for item in order.items.all():
        if len(item.sku) > _LONGEST_SKU:
            return f"the SKU {item.sku[:40]}... has more than {_LONGEST_SKU} characters"
    return ""


def order_xml(order: Any) -> str:
    """Return the element of an order that `documents.with_documents` has prepared."""
    document = documents.order_document(order)
    sent = documents.sent_of(order)
    shipments = document["shipments"]
    first = _id(shipments[0].get("shipmentId")) if shipments else _SHIPMENT
    return "".join(_order(order, document, sent, first))


def _order(
    order: Any, document: Mapping[str, Any], sent: Mapping[str, Any], shipment: str
) -> Iterator[str]:
    yield f"  <order order-no={quoteattr(_clean(order.order_no))}>\n"
    yield _element("order-date", iso(order.captured_at))
    yield _element("currency", order.currency)
    if sent.get("taxation") in ("net", "gross"):
        yield _element("taxation", sent["taxation"])
    yield _customer(document)
    yield (
        f"<status>{_element('order-status', 'NEW')}"
        f"{_element('export-status', order.export_status.upper())}</status>"
    )
    yield "<product-lineitems>"
    yield from _lines(order, sorted(order.items.all(), key=lambda i: i.position), sent, shipment)
    yield "</product-lineitems>"
    yield from _shipments(document, shipment)
    yield from _totals(order, document["totals"], is_net=sent.get("taxation") == "net")
    facts = {
        "cocVersion": document["version"],
        "cocReservationState": order.reservation_state,
        "cocResolution": order.resolution,
        "cocResolutionReference": order.resolution_reference,
    }
    yield f"{_custom(facts)}</order>\n"


def _totals(order: Order, sent: Mapping[str, Any], *, is_net: bool) -> Iterator[str]:
    """Yield the sums that the storefront sent; that of the order is always there."""
    price = "net-price" if is_net else "gross-price"
    yield "<totals>"
    for element, (names, tax) in _TOTALS.items():
        value = next((sent[name] for name in names if name in sent), None)
        if value is not None:
            amounts = {price: value, "tax": sent.get(tax)}
            yield _amounts(element, amounts)
    amounts = {"tax": sent.get("taxTotal"), "gross-price": order.order_total}
    yield f"{_amounts('order-total', amounts)}</totals>"


def _amounts(name: str, amounts: Mapping[str, Any]) -> str:
    """Return the amounts that are known, in the order of the schema."""
    known = [
        _element(part, _decimal(amounts[part]))
        for part in ("net-price", "tax", "gross-price")
        if amounts.get(part) is not None
    ]
    return _all(name, known)


def _customer(document: Mapping[str, Any]) -> str:
    customer = document["customerInfo"]
    name = customer.get("customerName") or " ".join(
        str(customer[part]) for part in ("firstName", "lastName") if customer.get(part)
    )
    number = str(customer.get("customerNo") or customer.get("customerId") or "")[:100]
    return (
        "<customer>"
        + (_element("customer-no", number) if number else "")
        + (_element("customer-name", name) if name else "")
        + (_element("customer-email", customer["email"]) if customer.get("email") else "")
        + _address("billing-address", document["billingAddress"])
        + "</customer>"
    )


def _address(name: str, address: Mapping[str, Any] | None) -> str:
    if not address:
        return ""
    if address.get("fullName") and not (address.get("firstName") or address.get("lastName")):
        # The schema has no whole name, and a parcel needs one.
        address = {**address, "lastName": address["fullName"]}
    parts = []
    for element, member in _ADDRESS.items():
        value = address.get(member)
        is_said = isinstance(value, str | int | float) and str(value)
        if is_said and (element != "country-code" or len(str(value)) == 2):
            parts.append(_element(element, value))
    return f"<{name}>{''.join(parts)}</{name}>"


def _shipments(document: Mapping[str, Any], shipment: str) -> Iterator[str]:
    yield "<shipments>"
    sent = document["shipments"] or [{"shippingAddress": document["shippingAddress"]}]
    seen = set()
    for number, one in enumerate(sent):
        name = shipment if number == 0 else _id(one.get("shipmentId"))
        if name in seen:
            continue
        seen.add(name)
        address = one.get("shippingAddress")
        method = one.get("shippingMethod")
        yield f"<shipment shipment-id={quoteattr(name)}>"
        if isinstance(method, dict) and method.get("id"):
            yield _element("shipping-method", method["id"])
        yield _address("shipping-address", address if isinstance(address, dict) else None)
        yield "</shipment>"
    yield "</shipments>"


def _lines(
    order: Order, items: Sequence[OrderItem], sent: Mapping[str, Any], shipment: str
) -> Iterator[str]:
    below: dict[int | None, list[OrderItem]] = defaultdict(list)
    for item in items:
        below[item.parent_id].append(item)
    lines = sent.get("productItems")
    by_id = {
        str(one.get("itemId")): one
        for one in (lines if isinstance(lines, list) else [])
        if isinstance(one, dict)
    }
    for item in below[None]:
        line = by_id.get(item.item_id, {})
        rate = line.get("taxRate")
        rate = rate if isinstance(rate, int | float) and not isinstance(rate, bool) else 0
        options = [part for part in below[item.pk] if part.kind == ItemKind.OPTION]
        parts = [part for part in below[item.pk] if part.kind == ItemKind.BUNDLED]
        yield (
            "<product-lineitem>"
            + _price(item)
            + _element("position", item.position)
            + _element("product-id", item.sku)
            + _element("product-name", item.product_name, longest=4000)
            + _quantity(item)
            + _element("tax-rate", rate)
            + _element("shipment-id", shipment)
            + _element("inventory-list-id", item.inventory_list_id)
            + _all("option-lineitems", _options(order, options, line))
            + _all("bundled-product-lineitems", [_part(order, one, below) for one in parts])
            + _custom(_facts(order, item, items))
            + "</product-lineitem>"
        )


def _object(sent: object) -> Mapping[str, Any]:
    return sent if isinstance(sent, dict) else {}


def _options(order: Order, options: Sequence[OrderItem], line: Mapping[str, Any]) -> list[str]:
    """Return the options of a line, each under the option id that the storefront sent, if any."""
    sent = line.get("optionItems")
    if not (isinstance(sent, list) and len(sent) == len(options)):
        sent = [{}] * len(options)
    return [
        _option(order, one, str(found.get("optionId") or one.item_id)[:256])
        for one, found in zip(options, map(_object, sent), strict=True)
    ]


def _option(order: Order, item: OrderItem, option_id: str) -> str:
    return (
        "<option-lineitem>"
        + _price(item)
        + _element("option-id", option_id)
        + _element("value-id", item.sku)
        + _element("product-id", item.sku)
        + _custom(_facts(order, item, ()))
        + "</option-lineitem>"
    )


def _part(order: Order, item: OrderItem, below: Mapping[int | None, Sequence[OrderItem]]) -> str:
    parts = [one for one in below.get(item.pk, ()) if one.kind == ItemKind.BUNDLED]
    return (
        "<bundled-product-lineitem>"
        + _element("product-id", item.sku)
        + _element("product-name", item.product_name, longest=4000)
        + _quantity(item)
        + _all("bundled-product-lineitems", [_part(order, one, below) for one in parts])
        + _custom(_facts(order, item, ()))
        + "</bundled-product-lineitem>"
    )


def _facts(order: Order, item: OrderItem, items: Sequence[OrderItem]) -> dict[str, Any]:
    replaced = next((one.item_id for one in items if one.pk == item.replaces_id), None)
    return {
        "cocItemId": item.item_id,
        "cocReservedQuantity": _decimal(item.reserved_quantity),
        "cocShortQuantity": short_of(order, item),
        "cocCancelledQuantity": _decimal(item.cancelled_quantity),
        "cocReplacedQuantity": _decimal(item.replaced_quantity),
        "cocReplacesItemId": replaced,
    }


def _custom(facts: Mapping[str, Any]) -> str:
    said = [
        f"<custom-attribute attribute-id={quoteattr(name)}>{escape(_clean(str(value)))}"
        "</custom-attribute>"
        for name, value in facts.items()
        if value not in (None, "")
    ]
    return _all("custom-attributes", said)


def _all(name: str, elements: Sequence[str]) -> str:
    return f"<{name}>{''.join(elements)}</{name}>" if elements else ""


def _price(item: OrderItem) -> str:
    """Return the price of a line as a whole and of one unit."""
    if item.unit_price is None:
        return ""
    total = _decimal(item.unit_price * item.ordered_quantity)
    return _element("gross-price", total) + _element("base-price", _decimal(item.unit_price))


def _quantity(item: OrderItem) -> str:
    return f'<quantity unit="">{_decimal(item.ordered_quantity)}</quantity>'


def _element(name: str, value: Any, *, longest: int = _LONGEST) -> str:
    return f"<{name}>{escape(_clean(str(value))[:longest])}</{name}>"


def _decimal(value: Decimal | float) -> str:
    return f"{Decimal(str(value)).normalize():f}"


def _id(value: Any) -> str:
    return _clean(str(value or "")).strip()[:_LONGEST] or _SHIPMENT


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)
