"""Transfers, releases, fulfilments over HTTP (OCI contract 1.6)."""

from __future__ import annotations

from typing import Any

from . import request_reader
from .amounts import number_of
from .answers import Answer, json_answer, oci_problem
from .books import Books
from .documents import Refused
from .records import MESSAGES, Move, fulfill, release, transfer


def transfers(books: Books, raw: bytes) -> Answer:
    """POST transfers: 204, 200 with the records that failed, or 400."""
    body = request_reader.body_object(raw)
    set_id = body.get("allOrNothingTransferId")
    if set_id is not None:
        request_reader.text(set_id, request_reader.SET_ID, "allOrNothingTransferId")
    moves = [_transfer(record) for record in request_reader.records(body)]
    if set_id is not None and any(
        (move.source[0], move.target and move.target[0]) != ("group", "location") for move in moves
    ):
        raise _wrong("An all-or-nothing set goes from a group to locations", "from")
    books.check_places(move.source for move in moves)
    books.check_places(move.target for move in moves if move.target)
    return _answer(transfer(books, moves, atomic=set_id is not None))


def _transfer(record: dict[str, Any]) -> Move:
    ends = {}
    for name in ("from", "to"):
        if not isinstance(record.get(name), dict):
            raise _wrong(f"{name} must name a location or a group", name)
        ends[name] = request_reader.place_of(record[name], name)
    kinds = (ends["from"][0], ends["to"][0])
    if kinds == ("group", "group"):
        raise _wrong("A group cannot transfer to a group", "to")
    ignore = request_reader.flag(record, "ignoreAvailabilityCheck", False)
    if ignore and kinds == ("location", "group"):
        raise _wrong(
            "From a location to a group the check cannot be left out", "ignoreAvailabilityCheck"
        )
    return Move(
        record_id=_record_id(record),
        sku=request_reader.sku(record.get("sku")),
        quantity=request_reader.quantity(record.get("quantity")),
        source=ends["from"],
        target=ends["to"],
        external_ref=request_reader.reference(record.get("externalRefId")),
        ignore_check=ignore,
        echo=_echo(record, "from", "to"),
    )


def releases(books: Books, raw: bytes) -> Answer:
    """POST releases: 204, 200 with the records that failed, or 400."""
    moves = [
        Move(
            record_id=_record_id(record),
            sku=request_reader.sku(record.get("sku")),
            quantity=request_reader.quantity(record.get("quantity"), least=0),
            source=request_reader.place_of(record),
            external_ref=request_reader.reference(record.get("externalRefId")),
            echo=_echo(record, "location", "group"),
        )
        for record in request_reader.records(request_reader.body_object(raw))
    ]
    books.check_places(move.source for move in moves)
    return _answer(release(books, moves))


def fulfillments(books: Books, raw: bytes) -> Answer:
    """POST fulfillments: 204, 200, 400, or a 409 that is plain JSON."""
    moves = []
    for record in request_reader.records(request_reader.body_object(raw)):
        for name in ("id", "location", "sku", "quantity"):
            if record.get(name) is None:
                raise request_reader.refuse(f"{name} is required", name, "MissingParameter")
        moves.append(
            Move(
                record_id=_record_id(record),
                sku=request_reader.sku(record["sku"]),
                quantity=request_reader.quantity(record["quantity"]),
                source=("location", request_reader.place(record["location"], "location")),
                external_ref=request_reader.reference(record.get("externalRefId")),
                when=request_reader.moment(record.get("fulfillmentTime"), "fulfillmentTime"),
                echo=_echo(record, "location"),
            )
        )
    books.check_places(move.source for move in moves)
    try:
        return _answer(fulfill(books, moves))
    except Refused as refused:
        return oci_problem(refused, content_type="application/json")


def _record_id(record: dict[str, Any]) -> str:
    value = record.get("id")
    if not isinstance(value, str) or not value:
        raise _wrong("id is required", "id")
    return value


def _echo(record: dict[str, Any], *names: str) -> dict[str, Any]:
    kept = ("id", "externalRefId", *names, "sku")
    return {name: record[name] for name in kept if record.get(name) is not None}


def _wrong(message: str, parameter: str) -> Refused:
    return request_reader.refuse(message, parameter, "InvalidRequestParameter")


def _answer(failed: list[tuple[Move, str]]) -> Answer:
    if not failed:
        return Answer(204, changed=True)
    errors = [
        {
            "details": move.echo | {"quantity": number_of(move.quantity)},
            "errorCode": code,
            "message": MESSAGES[code],
        }
        for move, code in failed
    ]
    return json_answer(200, {"errors": errors}, changed=True)
