"""Parse request bodies (OCI contract 1.3, 1.6, 2); every fault is a Refused 400."""

from __future__ import annotations

import re
from typing import Any

from .amounts import NotAnAmount, epoch, read_json, thousandths
from .documents import Ask, Kind, Refused, Request

_PLACE = re.compile(r"[a-zA-Z0-9_-]{2,128}")
_SKU = re.compile(r"[^\\<>;%/\s]{1,250}")
SET_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
DUPLICATE_PLACE = {"group": "DuplicateGroupId", "location": "DuplicateLocationId"}


def refuse(message: str, parameter: str = "", code: str = "InvalidRequest") -> Refused:
    """A 400 that names the member at fault."""
    members = {"parameterName": parameter} if parameter else {}
    return Refused(400, code, message, **members)


def body_object(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body."""
    try:
        body = read_json(raw)
    except ValueError:
        raise refuse("The body is not JSON") from None
    if not isinstance(body, dict):
        raise refuse("The body must be a JSON object")
    return body


def text(value: object, pattern: re.Pattern[str], parameter: str) -> str:
    """A string that matches a pattern completely."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise refuse(f"{parameter} is missing or not allowed", parameter, "InvalidRequestParameter")
    return value


def place(value: object, parameter: str = "id") -> str:
    """The id of a location or group."""
    return text(value, _PLACE, parameter)


def sku(value: object) -> str:
    """A stock keeping unit."""
    return text(value, _SKU, "sku")


def quantity(value: object, parameter: str = "quantity", *, least: int = 1) -> int:
    """A quantity in thousandths."""
    try:
        return thousandths(value, least=least)
    except NotAnAmount as error:
        raise refuse(f"{parameter} {error}", parameter, "InvalidRequestParameter") from None


def flag(body: dict[str, Any], name: str, default: bool) -> bool:
    """An optional boolean."""
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise refuse(f"{name} must be true or false", name)
    return value


def moment(value: object, parameter: str) -> str | None:
    """An optional RFC 3339 time, kept as written."""
    if value is None:
        return None
    try:
        epoch(value)
    except ValueError as error:
        raise refuse(f"{parameter} {error}", parameter) from None
    return str(value)


def reference(value: object) -> str:
    """An optional externalRefId."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise refuse("externalRefId must be text", "externalRefId")
    return value


def objects(value: object, parameter: str) -> list[dict[str, Any]]:
    """A list of JSON objects."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise refuse(f"{parameter} must be a list of objects", parameter)
    return value


def records(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The ``records`` of a record call, 1 to 100."""
    found = objects(body.get("records"), "records")
    if not 1 <= len(found) <= 100:
        raise refuse("records takes 1 to 100 entries", "records", "InvalidRequestParameter")
    return found


def place_of(record: dict[str, Any], parameter: str = "") -> tuple[Kind, str]:
    """Exactly one of ``location`` and ``group``."""
    if ("location" in record) == ("group" in record):
        raise refuse(
            "Name a location or a group, not both",
            parameter or "location",
            "InvalidRequestParameter",
        )
    kind: Kind = "location" if "location" in record else "group"
    return kind, place(record[kind], kind)


def reservation_request(raw: bytes, *, max_lines: int) -> Request:
    """The body of PUT reservation-documents."""
    body = body_object(raw)
    asks: list[Ask] = []
    kinds: tuple[Kind, Kind] = ("group", "location")
    for kind in kinds:
        asks += _asks_of(kind, body.get(f"{kind}s"))
    if not asks:
        raise refuse("Give at least one group or location with reservations")
    if len(asks) > max_lines:
        raise refuse(f"At most {max_lines} lines in one document")
    seconds = body.get("expirationSeconds")
    if seconds is not None and (type(seconds) is not int or not 1 <= seconds <= 14400):
        raise refuse("expirationSeconds takes 1 to 14400", "expirationSeconds")
    return Request(
        asks=tuple(asks),
        external_ref=reference(body.get("externalRefId")),
        allow_partial=flag(body, "allowPartialReservations", True),
        fulfill_only=flag(body, "fulfillOnly", False),
        expiration_seconds=seconds,
        reservation_time=moment(body.get("reservationTime"), "reservationTime"),
    )


def _asks_of(kind: Kind, value: object) -> list[Ask]:
    if value is None:
        return []
    asks: list[Ask] = []
    seen: set[str] = set()
    for item in objects(value, f"{kind}s"):
        where = place(item.get("id"))
        if where in seen:
            raise refuse(f"{where} is named twice", "id", DUPLICATE_PLACE[kind])
        seen.add(where)
        asks += _lines(kind, where, item.get("reservations"), None)
        if kind == "location" and item.get("allOrNothingReservations") is not None:
            for one in objects(item["allOrNothingReservations"], "allOrNothingReservations"):
                set_id = text(one.get("id"), SET_ID, "id")
                asks += _lines(kind, where, one.get("reservations"), set_id)
    return asks


def _lines(kind: Kind, where: str, value: object, set_id: str | None) -> list[Ask]:
    asks = [
        Ask(kind, where, sku(line.get("sku")), quantity(line.get("quantity")), set_id)
        for line in objects(value, "reservations")
    ]
    if len({ask.sku for ask in asks}) < len(asks):
        raise refuse(f"{where} names a SKU twice", "sku", "DuplicateSku")
    return asks
