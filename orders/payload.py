"""What an acceptable order is: the Salesforce Commerce API Order shape (OCI contract 3.6).

Everything here comes from outside. Each fault names its field; unknown members are kept in the
stored body and decide nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from orders import strict_json
from orders.errors import PayloadRefused, Problem
from orders.models import Order, Site
from orders.payload_items import (
    MAX_ITEMS as MAX_ITEMS,
)
from orders.payload_items import (
    MAX_QUANTITY,
    SentLine,
    every_line,
    placed_items,
)
from orders.payload_items import (
    PlacedItem as PlacedItem,
)
from orders.texts import SKU_RULE, first_unprintable, is_plain, is_sku, name_refusal

MAX_BYTES = 2 * 1024 * 1024
MAX_AMOUNT = Decimal(1_000_000_000)

_CURRENCY = re.compile(r"\A[A-Z]{3}\Z")


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """A checked order; `body` is the text as it came, `payload_hash` of its meaning."""

    order_no: str
    creation_date: str
    currency: str
    customer: dict[str, str]
    items: tuple[PlacedItem, ...]
    order_total: Decimal
    body: str
    payload_hash: str


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("use text")
    if not is_plain(value):
        raise ValueError(f"control characters are not allowed: {first_unprintable(value)}")
    return value


def _identifier(value: Any) -> str:
    text = _text(value)
    if text != text.strip():
        raise ValueError("no space at the beginning or end")
    return text


def _sku(value: Any) -> str:
    text = _text(value)
    if not is_sku(text):
        raise ValueError(f"use {SKU_RULE}")
    return text


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("use a number")
    return Decimal(value)


def _quantity(value: Any) -> Decimal:
    number = _number(value)
    if number <= 0:
        raise ValueError("must be more than 0")
    if number > MAX_QUANTITY:
        raise ValueError(f"must be at most {MAX_QUANTITY:,}")
    if number != round(number, 3):
        raise ValueError("at most 3 decimals")
    return round(number, 3)


def _amount(value: Any) -> Decimal:
    number = _number(value)
    if number < 0:
        raise ValueError("must not be negative")
    if number > MAX_AMOUNT:
        raise ValueError(f"must be at most {MAX_AMOUNT:,}")
    if number != round(number, 4):
        raise ValueError("at most 4 decimals")
    return round(number, 4)


def _currency(value: Any) -> str:
    text = _text(value)
    if not _CURRENCY.match(text):
        raise ValueError("use a currency code of three capital letters")
    return text


def _date_time(value: Any) -> str:
    text = _text(value)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("use an ISO 8601 date and time") from None
    return text


Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[Text, Field(max_length=500)]
Identifier = Annotated[str, BeforeValidator(_identifier)]
Sku = Annotated[
    str,
    BeforeValidator(_sku),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 250, "description": SKU_RULE}),
]
Currency = Annotated[
    str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})
]
DateTime = Annotated[
    str, BeforeValidator(_date_time), WithJsonSchema({"type": "string", "format": "date-time"})
]
Quantity = Annotated[
    Decimal,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": int(MAX_QUANTITY),
            "description": "At most 3 decimals.",
        }
    ),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema(
        {
            "type": "number",
            "minimum": 0,
            "maximum": int(MAX_AMOUNT),
            "description": "At most 4 decimals.",
        }
    ),
]


class _Customer(BaseModel):
    customerId: Annotated[Text, Field(max_length=100)] = ""
    customerName: Annotated[Text, Field(max_length=256)] = ""
    email: Annotated[Text, Field(max_length=320)] = ""


class _Line(BaseModel):
    """What a product, a part of a bundle and an option have in common."""

    itemId: Annotated[Identifier, Field(min_length=1, max_length=100)] | None = None
    productName: Name = ""
    inventoryId: Annotated[Identifier, Field(min_length=2, max_length=128)] | None = None


class _Option(_Line):
    productId: Sku | None = None
    quantity: Quantity | None = None
    basePrice: Amount | None = None

    def parts(self) -> Sequence[SentLine]:
        return ()

    def options(self) -> Sequence[SentLine]:
        return ()


class _Part(_Line):
    productId: Sku
    quantity: Quantity
    bundledProductItems: Annotated[list[_Part], Field(max_length=MAX_ITEMS)] | None = None
    optionItems: Annotated[list[_Option], Field(max_length=MAX_ITEMS)] | None = None

    @property
    def basePrice(self) -> Decimal | None:
        return None

    def parts(self) -> Sequence[SentLine]:
        return self.bundledProductItems or ()

    def options(self) -> Sequence[SentLine]:
        return self.optionItems or ()


class _Item(_Line):
    productId: Sku
    quantity: Quantity
    basePrice: Amount | None = None
    price: Amount | None = None
    bundledProductItems: Annotated[list[_Part], Field(max_length=MAX_ITEMS)] | None = None
    optionItems: Annotated[list[_Option], Field(max_length=MAX_ITEMS)] | None = None

    def parts(self) -> Sequence[SentLine]:
        return self.bundledProductItems or ()

    def options(self) -> Sequence[SentLine]:
        return self.optionItems or ()


class _Order(BaseModel):
    model_config = ConfigDict(extra="ignore")

    orderNo: Annotated[Identifier, Field(min_length=1, max_length=50)]
    creationDate: Annotated[DateTime, Field(max_length=64)] | None = None
    currency: Currency
    customerInfo: _Customer = Field(default_factory=_Customer)
    productItems: Annotated[list[_Item], Field(min_length=1, max_length=MAX_ITEMS)]
    orderTotal: Amount


def order_schema() -> dict[str, Any]:
    """Return the JSON Schema of an order, for those who send one."""
    return _Order.model_json_schema()


def parse_order(raw: bytes, *, site: Site) -> PlacedOrder:
    """Return the order that `raw` (JSON) places at `site`.

    Raises PayloadRefused with one problem per field.
    """
    document = _load(raw)
    try:
        order = _Order.model_validate(document)
    except ValidationError as error:
        raise PayloadRefused(_problems(error)) from None
    payload_hash = _meaning_hash(document)
    stored = Order.objects.filter(
        site=site, order_no=order.orderNo, payload_hash=payload_hash
    ).exists
    if (odd := _look_alikes(order)) and not stored():
        raise PayloadRefused(odd)
    items, problems = placed_items(order.productItems, site=site, stored=stored)
    if problems:
        raise PayloadRefused(problems[:50])
    return PlacedOrder(
        order_no=order.orderNo,
        creation_date=order.creationDate or "",
        currency=order.currency,
        customer={k: v for k, v in order.customerInfo.model_dump().items() if v},
        items=items,
        order_total=order.orderTotal,
        body=raw.decode("utf-8"),
        payload_hash=payload_hash,
    )


def meaning_hash(raw: bytes) -> str:
    """Return the `payload_hash` of an order as it was sent; raises PayloadRefused for no JSON."""
    return _meaning_hash(_load(raw))


def _load(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise PayloadRefused([Problem("", f"An order has at most {MAX_BYTES:,} bytes.")])
    try:
        document = strict_json.loads(raw)
    except strict_json.NotStrictJson as error:
        raise PayloadRefused([Problem("", str(error))]) from None
    if not isinstance(document, dict):
        raise PayloadRefused([Problem("", "The body must be a JSON object.")])
    return document


def _problems(error: ValidationError) -> list[Problem]:
    return [
        Problem(_path(fault["loc"]), _message(fault["type"], fault["msg"], fault.get("ctx", {})))
        for fault in error.errors(include_url=False, include_input=False)[:50]
    ]


def _path(location: Iterable[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _message(kind: str, message: str, context: dict[str, Any]) -> str:
    if kind == "missing":
        return "is required"
    what = "items" if context.get("field_type") == "List" else "characters"
    if "too_long" in kind:
        return f"at most {context['max_length']:,} {what}"
    if "too_short" in kind:
        return f"at least {context['min_length']} {what}"
    if kind == "value_error":
        return str(context.get("error", message))
    return message.removeprefix("Value error, ")


def _look_alikes(order: _Order) -> list[Problem]:
    """Return which numbers and ids look like others, the first 50."""
    names = itertools.chain(
        [("orderNo", order.orderNo)],
        (
            (f"{path}.{member}", getattr(line, member) or "")
            for line, path in every_line(order.productItems)
            for member in ("itemId", "productId", "inventoryId")
        ),
    )
    odd = (Problem(field, why) for field, text in names if (why := name_refusal(text)))
    return list(itertools.islice(odd, 50))


def _meaning_hash(document: Any) -> str:
    canonical = json.dumps(_plain(document), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return `value` with numbers of equal value written alike (1 and 1.00)."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"\x00{Decimal(value).normalize():f}"
    return value
