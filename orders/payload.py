"""What an acceptable order is: the Salesforce Commerce API Order shape (OCI contract 3.6).

Everything here comes from outside. What decides (order number, SKU, quantity, list, currency,
total, status) is checked strictly, and each fault names its field. What only describes (names,
customer, date, prices of items) never refuses an order: it is cleaned for display, and the stored
body keeps it as it came. Unknown members are kept in the stored body and decide nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from orders import strict_json
from orders.errors import PayloadRefused, Problem
from orders.models import Order, OrderPayload, Site
from orders.payload_items import (
    MAX_ITEMS as MAX_ITEMS,
)
from orders.payload_items import (
    PlacedItem as PlacedItem,
)
from orders.payload_items import (
    SentLine,
    every_line,
    placed_items,
)
from orders.payload_reasons import say, why
from orders.payload_values import (
    NOT_STANDING,
    Currency,
    CustomerId,
    CustomerName,
    DateTime,
    Email,
    Identifier,
    ListId,
    Locale,
    Name,
    Price,
    Quantity,
    Sku,
    Status,
    Total,
    object_or_nothing,
)
from orders.texts import name_refusal

MAX_BYTES = 2 * 1024 * 1024
# A storefront that repeats an order may stamp it again; a file that was imported by the version
# before was read without the locale.
_STAMPS = frozenset({"creationDate", "lastModified", "customerLocale"})


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


class _Customer(BaseModel):
    customerId: CustomerId = ""
    customerName: CustomerName = ""
    email: Email = ""


class _Line(BaseModel):
    """Common parts of a product, a part of a bundle and an option."""

    itemId: Annotated[Identifier, Field(min_length=1, max_length=100)] | None = None
    productName: Name = ""
    inventoryId: ListId = None


class _Option(_Line):
    productId: Sku | None = None
    quantity: Quantity | None = None
    basePrice: Price = None

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
    basePrice: Price = None
    price: Price = None
    bundledProductItems: Annotated[list[_Part], Field(max_length=MAX_ITEMS)] | None = None
    optionItems: Annotated[list[_Option], Field(max_length=MAX_ITEMS)] | None = None

    def parts(self) -> Sequence[SentLine]:
        return self.bundledProductItems or ()

    def options(self) -> Sequence[SentLine]:
        return self.optionItems or ()


class _Order(BaseModel):
    model_config = ConfigDict(extra="ignore")

    orderNo: Annotated[Identifier, Field(min_length=1, max_length=50)]
    creationDate: DateTime = ""
    status: Status = ""
    currency: Currency
    customerInfo: Annotated[_Customer, BeforeValidator(object_or_nothing)] = Field(
        default_factory=_Customer
    )
    customerLocale: Locale = ""  # read by orders.message_languages
    productItems: Annotated[list[_Item], Field(min_length=1, max_length=MAX_ITEMS)]
    orderTotal: Total


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
    body = raw.decode("utf-8-sig")

    def stored() -> bool:
        known = Order.objects.filter(site=site, order_no=order.orderNo).first()
        return known is not None and is_same(known, payload_hash=payload_hash, body=body)

    if order.status in NOT_STANDING and not stored():
        raise PayloadRefused([Problem("status", say("not_standing", status=order.status))])
    if (odd := _look_alikes(order)) and not stored():
        raise PayloadRefused(odd)
    items, problems = placed_items(order.productItems, site=site, stored=stored)
    if problems:
        raise PayloadRefused(problems[:50])
    return PlacedOrder(
        order_no=order.orderNo,
        creation_date=order.creationDate,
        currency=order.currency,
        customer={k: v for k, v in order.customerInfo.model_dump().items() if v},
        items=items,
        order_total=order.orderTotal,
        body=body,
        payload_hash=payload_hash,
    )


def is_same(order: Order, *, payload_hash: str, body: str) -> bool:
    """Whether a stored order is the one that `body` places, sent again.

    A storefront that repeats an order may stamp it again, and another of its servers may write null
    for what this one leaves out: stamps, locale and nulls are not compared. Of an order whose
    payload was reduced only the hash is left to compare. At most one query.
    """
    if order.payload_hash == payload_hash:
        return True
    kept = OrderPayload.objects.filter(order=order, reduced_at=None).first()
    if kept is None:
        return False
    return differ_by_stamps(kept.body, body)


def differ_by_stamps(one: str, other: str) -> bool:
    """Whether two bodies place the same order, but for stamps, locale and nulls; no query."""
    try:
        return _without_stamps(one) == _without_stamps(other)
    except strict_json.NotStrictJson:
        return False  # what is stored was damaged; the integrity check tells


def _without_stamps(body: str) -> str:
    document = strict_json.loads(
        body.encode("utf-8", "replace"), is_bounded=False, keeps_odd_numbers=True
    )
    if not isinstance(document, dict):
        raise strict_json.NotStrictJson
    kept = {name: own for name, own in document.items() if name not in _STAMPS}
    return _meaning_hash(_without_nulls(kept))


def _without_nulls(value: Any) -> Any:
    """Return `value` without members that are null, which means that they are absent."""
    if isinstance(value, dict):
        return {name: _without_nulls(own) for name, own in value.items() if own is not None}
    return [_without_nulls(own) for own in value] if isinstance(value, list) else value


def meaning_hash(raw: bytes) -> str:
    """Return the `payload_hash` of an order as it was sent; raises PayloadRefused for no JSON."""
    return _meaning_hash(_load(raw))


def _load(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise PayloadRefused([Problem("", say("body_too_long", number=MAX_BYTES))])
    try:
        document = strict_json.loads(raw, keeps_odd_numbers=True)
    except strict_json.NotStrictJson as error:
        raise PayloadRefused([Problem("", why(error))]) from None
    if not isinstance(document, dict):
        raise PayloadRefused([Problem("", say("body_no_object"))])
    return document


def _problems(error: ValidationError) -> list[Problem]:
    return [
        Problem(_path(fault["loc"]), _message(fault["type"], fault["msg"], fault.get("ctx", {})))
        if fault["input"] is not None
        else Problem(_path(fault["loc"]), say("required"))
        for fault in error.errors(include_url=False)[:50]
    ]


def _path(location: Iterable[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _message(kind: str, message: str, context: dict[str, Any]) -> str:
    if kind == "missing":
        return say("required")
    what = "items" if context.get("field_type") == "List" else "characters"
    if "too_long" in kind:
        return say(f"most_{what}", number=int(context["max_length"]))
    if "too_short" in kind:
        least = int(context["min_length"])
        return say("empty") if least == 1 else say(f"least_{what}", number=least)
    if kind == "list_type":
        return say("use_list")
    if kind == "model_type":
        return say("use_object")
    if kind == "value_error":
        fault = context.get("error")
        return why(fault) if isinstance(fault, Exception) else message
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
    found = (Problem(field, odd) for field, text in names if (odd := name_refusal(text)))
    return list(itertools.islice(found, 50))


def _meaning_hash(document: Any) -> str:
    canonical = json.dumps(_plain(document), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return `value` with numbers of equal value written alike (1 and 1.00)."""
    kind = type(value)
    if kind is str:
        return value
    if kind is dict:
        return {key: _plain(member) for key, member in value.items()}
    if kind is list:
        return [_plain(member) for member in value]
    if kind is strict_json.OddNumber:
        return f"\x00{value}"
    if kind is int or kind is Decimal:
        return f"\x00{Decimal(value).normalize():f}"
    return value
