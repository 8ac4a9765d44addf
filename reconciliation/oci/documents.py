"""Reservation documents: their ids, their bytes, and what an answer to one means.

Pure functions (OCI contract 1.3, 1.4, 1.7, 1.9). Quantities are Decimals with up to three places.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from reconciliation.oci.errors import MalformedAnswer as MalformedAnswer
from reconciliation.oci.jsontext import (
    STEP,
    as_object,
    as_objects,
    as_quantity,
    as_text,
    clean_text,
    read_json,
    write_json,
)
from reconciliation.reasons import Reason, say

# OCI's own cap is not published; Connect, its twin, takes 100 lines (contract 1.3).
MAX_LINES = 100
# Never change it: the ids of every order already sent are derived from it.
RESERVATION_NAMESPACE = uuid.UUID("7d9f4c1e-52ab-4f0e-8c67-0d2b9a6e3f15")

_ZERO = Decimal(0)
_MOST_ODDITIES = 20


class PlaceKind(StrEnum):
    """What kind of place an inventory list is at OCI."""

    GROUP = "group"
    LOCATION = "location"


_MEMBERS = {PlaceKind.GROUP: "groups", PlaceKind.LOCATION: "locations"}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A location group or a location at OCI."""

    kind: PlaceKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A quantity of one SKU at one place."""

    place: Place
    sku: str
    quantity: Decimal


Key = tuple[Place, str]


def reservation_id(*, site_id: str, order_no: str, generation: int, part: int = 0) -> uuid.UUID:
    """Return the id that an order's document always has, in every process (promise 2).

    A JSON array is hashed, so that no two orders can be spelled alike. `part` counts the documents
    of an order with more than MAX_LINES lines.
    """
    if generation < 0 or part < 0:
        raise ValueError("generation and part count from 0.")
    name = [site_id, order_no, generation, *([part] if part else [])]
    return uuid.uuid5(RESERVATION_NAMESPACE, json.dumps(name, separators=(",", ":")))


def sum_lines(lines: Iterable[Line]) -> list[Line]:
    """Return one line per (place, SKU), sorted: OCI does not define repeated ones (1.4)."""
    sums: defaultdict[Key, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[(line.place, line.sku)] += line.quantity
    return [Line(place, sku, quantity) for (place, sku), quantity in sorted(sums.items())]


def split_lines(lines: Sequence[Line]) -> list[list[Line]]:
    """Cut lines, in their order, into parts of at most MAX_LINES."""
    return [list(lines[start : start + MAX_LINES]) for start in range(0, len(lines), MAX_LINES)]


def build_body(*, order_no: str, lines: Sequence[Line]) -> str:
    """Return the JSON of a document (contract 1.3); equal input gives equal bytes.

    It has no `reservationTime`, so that it can be built again, and no expiry. Raises ValueError for
    no lines, too many, a repeated (place, SKU), or a quantity that OCI would not take.
    """
    if not 0 < len(lines) <= MAX_LINES:
        raise ValueError(f"A document takes 1 to {MAX_LINES} lines, not {len(lines)}.")
    if len({(line.place, line.sku) for line in lines}) < len(lines):
        raise ValueError("A document names each SKU of a place once; use sum_lines first.")
    places: dict[PlaceKind, dict[str, list[dict[str, Any]]]] = {kind: {} for kind in PlaceKind}
    for line in sorted(lines):
        if as_quantity(line.quantity, "The quantity of a line") < STEP:
            raise ValueError("The quantity of a line is at least 0.001.")
        entries = places[line.place.kind].setdefault(line.place.id, [])
        entries.append({"sku": line.sku, "quantity": line.quantity})
    body: dict[str, Any] = {"externalRefId": order_no, "allowPartialReservations": True}
    for kind, by_id in places.items():
        if by_id:
            body[_MEMBERS[kind]] = [{"id": i, "reservations": r} for i, r in by_id.items()]
    return write_json(body)


def lines_of_body(body: str) -> list[Line]:
    """Return the lines of a stored body, sorted; raises ValueError if it is not one of ours."""
    document = as_object(read_json(body), "The body")
    return sorted(
        Line(place, sku, quantity) for place, sku, quantity in _entries(document, "reservations")
    )


def _entries(document: Mapping[str, Any], member: str) -> Iterator[tuple[Place, str, Decimal]]:
    for kind, name in _MEMBERS.items():
        for entry in as_objects(document.get(name), name):
            place = Place(kind, as_text(entry.get("id"), f"An id in {name}"))
            for line in as_objects(entry.get(member), member):
                sku = as_text(line.get("sku"), f"A SKU in {member}")
                yield place, sku, as_quantity(line.get("quantity"), f"A quantity in {member}")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The units that OCI holds for a document, beside the requested ones.

    `held` has an entry for each of `requested`, zero where nothing is held, and never more than was
    requested. `oddities` are short sentences about unusual but clear parts of the answer.
    """

    held: Mapping[Key, Decimal]
    requested: Mapping[Key, Decimal]
    oddities: tuple[Reason, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything is held."""
        return all(self.held[key] >= quantity for key, quantity in self.requested.items())

    @property
    def nothing(self) -> bool:
        """Whether nothing is held."""
        return not any(self.held.values())

    @property
    def partial(self) -> bool:
        """Whether something is held and something is short."""
        return not self.complete and not self.nothing


def judge(*, body: str, answer: Mapping[str, Any]) -> Judgement:
    """Compare an answer with the document sent; see `judge_lines`."""
    return judge_lines(lines_of_body(body), answer=answer)


def judge_lines(lines: Iterable[Line], *, answer: Mapping[str, Any]) -> Judgement:
    """Compare an answer's `details` with the lines sent, per (place, SKU) (contract 1.4).

    Neither the status 200 nor `success` decides anything, and a short line may or may not have an
    entry in `errors`, or be missing from both. Raises MalformedAnswer, and nothing is known then,
    for a wrong structure, for an answer without what every answer to a reservation has (its
    `reservationTime`, and an entry for each place asked), and for one that names what was not asked
    for or more than was asked: whatever it is about, it does not tell what OCI holds for this
    document. Least of all does it tell that OCI holds nothing.
    """
    requested = {(line.place, line.sku): line.quantity for line in lines}
    answer = as_object(answer, "The answer")
    _check_time(answer.get("reservationTime"))
    _check_places(answer, requested)
    entries = list(_entries(answer, "details"))
    told: defaultdict[Key, Decimal] = defaultdict(Decimal)
    for place, sku, quantity in entries:
        told[(place, sku)] += quantity
    for key, quantity in told.items():
        _check_asked(key, quantity, requested.get(key))
    held = {key: told.get(key, _ZERO) for key in requested}
    times = Counter((place, sku) for place, sku, _ in entries)
    oddities = [
        say("listed_twice", what=_name(key), times=times[key])
        for key in sorted(times)
        if times[key] > 1
    ]
    if answer.get("success") is True and not entries:
        oddities.append(say("empty_success"))
    return Judgement(held=held, requested=requested, oddities=tuple(oddities[:_MOST_ODDITIES]))


def _check_time(value: object) -> None:
    """Raise MalformedAnswer unless `value` is the time that each answer has (contract 1.4)."""
    try:
        datetime.fromisoformat(as_text(value, "reservationTime"))
    except ValueError:
        raise MalformedAnswer(say("no_time")) from None


def _check_places(answer: Mapping[str, Any], requested: Mapping[Key, Decimal]) -> None:
    """Raise MalformedAnswer unless the answer covers each requested place, and no other.

    A place is covered by a list of `details`, even an empty one, or by `errors`.
    """
    missing = {place for place, _ in requested}
    asked = frozenset(missing)
    for kind, name in _MEMBERS.items():
        for entry in as_objects(answer.get(name), name):
            place = Place(kind, as_text(entry.get("id"), f"An id in {name}"))
            if place not in asked:
                raise MalformedAnswer(
                    say("other_place_too", place=clean_text(str(place), limit=200))
                )
            errors = as_objects(entry.get("errors"), "errors")
            for error in errors:
                sku = as_text(error.get("sku"), "A SKU in errors")
                if (place, sku) not in requested:
                    what = _name((place, sku))
                    raise MalformedAnswer(say("line_not_asked", what=what))
            if errors or entry.get("details") is not None:
                missing.discard(place)
    if missing:
        silent = clean_text(str(min(missing)), limit=200)
        raise MalformedAnswer(say("silent_about", place=silent))


def _check_asked(key: Key, told: Decimal, asked: Decimal | None) -> None:
    if asked is None:
        raise MalformedAnswer(say("line_not_asked", what=_name(key)))
    if told > asked:
        figures = {"told": write_json(told), "asked": write_json(asked)}
        raise MalformedAnswer(say("more_than_asked", what=_name(key), **figures))


def _name(key: Key) -> str:
    return clean_text(f"{key[1]} of {key[0]}", limit=200)


def shares(*, held: Decimal, wanted: Sequence[Decimal]) -> list[Decimal]:
    """Split what one SKU got over the order items that want it: first come, first served."""
    left = max(held, _ZERO)
    given = []
    for quantity in wanted:
        share = min(left, max(quantity, _ZERO))
        given.append(share)
        left -= share
    return given
