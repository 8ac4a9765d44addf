"""Availability, deltas and stock writes over HTTP (OCI contract 2.2 to 2.4)."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from . import request_reader
from .amounts import epoch, iso
from .answers import Answer, json_answer
from .books import Books
from .documents import Kind, Refused
from .stock import Record

MOST_COMBINATIONS = 100
DELTA_PAGE = 200
DELTA_SECONDS = 23.5 * 3600


def get_availability(books: Books, raw: bytes) -> Answer:
    """POST get-availability: counts as they were ``readLagMs`` ago."""
    body = request_reader.body_object(raw)
    if body.get("sku") is not None:
        skus, locations, groups = _one_sku(books, body)
    else:
        skus, locations, groups = _lists(body)
    if len(skus) * (len(locations) + len(groups)) > MOST_COMBINATIONS:
        raise _wrong(f"More than {MOST_COMBINATIONS} combinations of SKU and place", "skus")
    books.check_places([("location", place) for place in locations])
    books.check_places([("group", place) for place in groups])
    answer: dict[str, Any] = {}
    with books.lock:
        if locations:
            answer["locations"] = [_place(books, "location", place, skus) for place in locations]
        if groups:
            answer["groups"] = [_place(books, "group", place, skus) for place in groups]
    return json_answer(200, answer)


def _one_sku(books: Books, body: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    if any(body.get(name) for name in ("skus", "locations", "groups")):
        raise _wrong("Use sku with or without group, or the lists", "sku")
    skus = [request_reader.sku(body["sku"])]
    if body.get("group") is not None:
        group = request_reader.place(body["group"], "group")
        books.check_places([("group", group)])
        return skus, list(books.graph.groups[group]), [group]
    grouped = {place for members in books.graph.groups.values() for place in members}
    return skus, [place for place in books.graph.locations if place not in grouped], []


def _lists(body: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    found: dict[str, list[str]] = {}
    for name in ("skus", "locations", "groups"):
        value = body.get(name) or []
        if not isinstance(value, list):
            raise _wrong(f"{name} must be a list", name)
        check = request_reader.sku if name == "skus" else request_reader.place
        found[name] = list(dict.fromkeys(check(item) for item in value))
    if not found["skus"] or not (found["locations"] or found["groups"]):
        raise _wrong("Give skus, and locations or groups", "skus")
    return found["skus"], found["locations"], found["groups"]


def _place(books: Books, kind: Kind, place: str, skus: list[str]) -> dict[str, Any]:
    figures = (books.figures(kind, place, sku) for sku in skus)
    return {"id": place, "records": [record for record in figures if record is not None]}


def delta_token(number: int, moment: float, scope: tuple[Kind, str] | None = None) -> str:
    """A token for the position after this change; without a scope, for all places."""
    return base64.urlsafe_b64encode(json.dumps([number, moment, scope]).encode()).decode()


def get_deltas(books: Books, raw: bytes) -> Answer:
    """POST get-deltas: changes since a token; 410 once the token is too old.

    Like every read it lags ``readLagMs`` behind: a change appears only when its figures do.
    """
    number, moment, scope = _read_token(request_reader.body_object(raw).get("deltaToken"))
    books.check_places([scope] if scope else [])
    with books.lock:
        books.sweep()
        now = books.clock()
        forgotten = books.changes[0][0] - 1 if books.changes else books.change_number
        too_old = now - moment > DELTA_SECONDS or moment <= books.deltas_since
        if too_old or number < forgotten:
            raise Refused(410, "ExpiredDeltaLink", "Token expired")
        if number > books.change_number:
            raise _wrong("Unreadable token", "deltaToken")
        seen = books.seen_number()
        fresh = _changes_between(books, number, seen)
        page, last = fresh[:DELTA_PAGE], max(number, seen)
        if len(fresh) > len(page):
            last = page[-1][0]
        skus = dict.fromkeys(sku for _, _, sku in page)
        records = [record for sku in skus for record in _delta_records(books, sku, scope)]
        records = _disturbed(books, records)
    answer = {
        "nextDeltaToken": delta_token(last, now, scope),
        "shouldQueryAgain": len(fresh) > len(page),
        "records": records,
    }
    return json_answer(200, answer)


def _changes_between(books: Books, number: int, seen: int) -> list[tuple[int, float, str]]:
    """Changes after ``number`` up to ``seen``, oldest first; reads backwards from the newest."""
    found = []
    for change in reversed(books.changes):
        if change[0] <= number:
            break
        if change[0] <= seen:
            found.append(change)
    return found[::-1]


def _disturbed(books: Books, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records to send: some lost, all doubled, depending on the settings."""
    sent = []
    for record in records:
        books.deltas_told += 1
        if books.settings.loseDeltas and not books.deltas_told % books.settings.loseDeltas:
            continue
        sent += [record, record] if books.settings.repeatDeltas == "yes" else [record]
    return sent


def _delta_records(books: Books, sku: str, scope: tuple[Kind, str] | None) -> list[dict[str, Any]]:
    places: list[tuple[Kind, str]] = [scope] if scope else []
    if scope is None:
        places += [("location", p) for p in books.graph.locations]
        places += [("group", group) for group in books.graph.groups]
    found = []
    for kind, place in places:
        figures = books.figures(kind, place, sku)
        if figures is not None:
            kept = {k: v for k, v in figures.items() if not k.endswith("roupReserved")}
            found.append({"id": place, "deltaType": "Change", "futures": []} | kept)
    return found or [{"id": p, "sku": sku, "deltaType": "Delete"} for _, p in places]


def _read_token(value: object) -> tuple[int, float, tuple[Kind, str] | None]:
    try:
        if not isinstance(value, str):
            raise TypeError
        number, moment, *rest = json.loads(base64.urlsafe_b64decode(value))
        kind, place = (rest and rest[0]) or (None, None)
        if kind not in (None, "group", "location") or type(number) is not int:
            raise ValueError
        # Neither infinity nor NaN is a moment.
        epoch(iso(moment))
        return number, float(moment), (kind, str(place)) if kind else None
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _wrong("Unreadable token", "deltaToken") from None


def batch_update(books: Books, raw: bytes) -> Answer:
    """POST batch-update: omitted members keep their value; a repeated pair fails."""
    records = request_reader.records(request_reader.body_object(raw))
    rows = []
    for record in records:
        record_id = record.get("id")
        if not isinstance(record_id, str):
            raise _wrong("id is required", "id")
        rows.append(
            (
                record,
                request_reader.place(record.get("location"), "location"),
                request_reader.sku(record.get("sku")),
            )
        )
    books.check_places(("location", location) for _, location, _ in rows)
    changes = [_stock_members(record) for record in records]
    errors, seen = [], set()
    with books.lock:
        for (record, location, sku), change in zip(rows, changes, strict=True):
            if (location, sku) in seen:
                details = {"id": record["id"], "locationId": location, "sku": sku}
                errors.append(
                    {"details": details, "errorCode": "DuplicateSku", "message": "Named twice"}
                )
                continue
            seen.add((location, sku))
            old = _record(books, location, sku) or Record()
            books.write_stock(location, sku, replace(old, **change))
    return (
        json_answer(200, {"errors": errors}, changed=True) if errors else Answer(204, changed=True)
    )


def put_record(books: Books, location: str, sku: str, raw: bytes) -> Answer:
    """PUT a stock record: omitted members become zero."""
    where, what = _address(location, sku)
    change = _stock_members(request_reader.body_object(raw))
    books.check_places([("location", where)])
    books.write_stock(where, what, Record(**change))
    return Answer(204, changed=True)


def patch_record(books: Books, location: str, sku: str, raw: bytes) -> Answer:
    """PATCH a stock record: changes only the given members."""
    where, what = _address(location, sku)
    change = _stock_members(request_reader.body_object(raw))
    books.check_places([("location", where)])
    with books.lock:
        old = _record(books, where, what)
        if old is None:
            raise Refused(404, "EntityNotFound", "That location does not carry the SKU")
        books.write_stock(where, what, replace(old, **change))
    return Answer(204, changed=True)


def delete_record(books: Books, location: str, sku: str) -> Answer:
    """DELETE a stock record."""
    with books.lock:
        if _record(books, location, sku) is None:
            raise Refused(404, "EntityNotFound", "That location does not carry the SKU")
        books.write_stock(location, sku, None)
    return Answer(204, changed=True)


def _record(books: Books, location: str, sku: str) -> Record | None:
    book = books.skus.get(sku)
    return book.records.get(location) if book else None


def _address(location: str, sku: str) -> tuple[str, str]:
    return request_reader.place(location, "locationId"), request_reader.sku(sku)


def _stock_members(body: dict[str, Any]) -> dict[str, Any]:
    """The given members of StockWrite, as fields of Record."""
    change: dict[str, Any] = {}
    request_reader.reference(body.get("externalRefId"))
    if body.get("onHand") is not None:
        change["on_hand"] = request_reader.quantity(body["onHand"], "onHand", least=0)
    if body.get("safetyStockCount") is not None:
        change["safety"] = request_reader.quantity(
            body["safetyStockCount"], "safetyStockCount", least=0
        )
    if body.get("effectiveDate") is not None:
        change["effective"] = request_reader.moment(body["effectiveDate"], "effectiveDate")
    if body.get("futureStock") is not None:
        change["futures"] = futures(body["futureStock"], "futureStock")
    return change


def futures(value: object, parameter: str) -> tuple[tuple[int, str], ...]:
    """A list of ``{quantity, expectedDate}``, earliest first."""
    found = []
    for item in request_reader.objects(value, parameter):
        day = request_reader.moment(item.get("expectedDate"), "expectedDate")
        if day is None:
            raise _wrong("expectedDate is required", "expectedDate")
        found.append((request_reader.quantity(item.get("quantity")), day))
    return tuple(sorted(found, key=lambda pair: epoch(pair[1])))


def _wrong(message: str, parameter: str) -> Refused:
    return request_reader.refuse(message, parameter, "InvalidRequestParameter")
