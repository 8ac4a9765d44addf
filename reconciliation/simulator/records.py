"""Transfers, releases and fulfilments: record by record, on counts (OCI contract 1.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .amounts import epoch
from .books import Books
from .documents import Kind, Refused
from .stock import SkuBook

MESSAGES = {
    "InsufficientQuantity": "Not enough quantity for that",
    "LocationNotInGroup": "The location is not in that group",
    "NotAppliedDueToAtomicFailure": "Another record of the set failed",
    "EntityNotFound": "The place does not carry that SKU",
}


@dataclass(frozen=True, slots=True)
class Move:
    """One record; ``target`` is for transfers only, ``when`` (RFC 3339) for fulfilments only."""

    record_id: str
    sku: str
    quantity: int
    source: tuple[Kind, str]
    target: tuple[Kind, str] | None = None
    external_ref: str = ""
    ignore_check: bool = False
    when: str | None = None
    echo: Any = None

    @property
    def meaning(self) -> tuple[object, ...]:
        """The values that a repeated id must repeat."""
        return (self.sku, self.quantity, self.source, self.target)


def transfer(books: Books, moves: Sequence[Move], *, atomic: bool) -> list[tuple[Move, str]]:
    """Move reserved quantity between places; return the failed records with a code each."""
    with books.lock:
        books.sweep()
        if not atomic:
            return _each(books, "transfer", moves, _transfer_one)
        return _all_or_none(books, moves)


def release(books: Books, moves: Sequence[Move]) -> list[tuple[Move, str]]:
    """Give reserved quantity back without naming a document."""
    with books.lock:
        books.sweep()
        return _each(books, "release", moves, _release_one)


def fulfill(books: Books, moves: Sequence[Move]) -> list[tuple[Move, str]]:
    """Ship reserved quantity: reserved and on hand decrease together.

    Raises Refused 409 before any change if an id was used for something else.
    """
    with books.lock:
        books.sweep()
        for move in moves:
            before = books.outcomes.get(("fulfill", move.record_id, move.sku))
            if before is not None and before[0] != move.meaning:
                raise Refused(409, "InvalidRequestParameter", "An id was used for something else")
        return _each(books, "fulfill", moves, _fulfill_one)


def _each(
    books: Books, name: str, moves: Sequence[Move], one: Callable[[Books, Move], str | None]
) -> list[tuple[Move, str]]:
    failed = []
    for move in moves:
        key = (name, move.record_id, move.sku)
        if key not in books.outcomes:
            books.outcomes[key] = (move.meaning, one(books, move))
        code = books.outcomes[key][1]
        if code:
            failed.append((move, code))
    return failed


def _all_or_none(books: Books, moves: Sequence[Move]) -> list[tuple[Move, str]]:
    keys = [("transfer", move.record_id, move.sku) for move in moves]
    if not any(key in books.outcomes for key in keys):
        trial = {m.sku: books.skus[m.sku].copy() for m in moves if m.sku in books.skus}
        codes = [
            _move_counts(books, trial[move.sku], move) if move.sku in trial else "EntityNotFound"
            for move in moves
        ]
        broken = any(codes)
        for key, move, code in zip(keys, moves, codes, strict=True):
            skipped = code or "NotAppliedDueToAtomicFailure"
            books.outcomes[key] = (move.meaning, skipped if broken else _transfer_one(books, move))
    outcomes = [books.outcomes.get(key, (None, None))[1] for key in keys]
    return [(move, code) for move, code in zip(moves, outcomes, strict=True) if code]


def _transfer_one(books: Books, move: Move) -> str | None:
    if move.sku not in books.skus:
        return "EntityNotFound"
    book = books.edit(move.sku)
    # Tried on a copy first, so that a refusal changes no count.
    code = _move_counts(books, book.copy(), move)
    if code is None:
        _move_counts(books, book, move)
        _follow(books, move)
    return code


def _move_counts(books: Books, book: SkuBook, move: Move) -> str | None:
    """Apply one transfer to a book; return an error code, or None on success."""
    if move.target is None:
        return "EntityNotFound"
    (kind, place), (target_kind, target_place) = move.source, move.target
    if kind == "group" and target_place not in books.graph.groups.get(place, ()):
        return "LocationNotInGroup"
    if target_kind == "location" and target_place not in book.records:
        return "EntityNotFound"
    if _held(book, move.source) < move.quantity:
        return "InsufficientQuantity"
    _take(books, book, move.source, move.quantity)
    if target_kind == "group":
        held = book.hold_in_group(target_place, move.quantity, books.graph)
        return None if held == move.quantity else "InsufficientQuantity"
    if not move.ignore_check and book.room_at(target_place, books.graph) < move.quantity:
        return "InsufficientQuantity"
    book.hold_at(target_place, move.quantity, books.graph)
    return None


def _held(book: SkuBook, source: tuple[Kind, str]) -> int:
    kind, place = source
    if kind == "group":
        return book.promised(place)
    record = book.records.get(place)
    return record.reserved if record else 0


def _take(books: Books, book: SkuBook, source: tuple[Kind, str], quantity: int) -> None:
    if source[0] == "group":
        book.give_back_to_group(source[1], quantity, books.graph)
    else:
        book.give_back_at(source[1], quantity, books.graph)


def _follow(books: Books, move: Move) -> None:
    if books.settings.documentsFollow == "yes":
        books.documents.follow(move.external_ref, move.source, move.target, move.sku, move.quantity)


def _release_one(books: Books, move: Move) -> str | None:
    if move.sku not in books.skus:
        return "EntityNotFound"
    book = books.edit(move.sku)
    if _held(book, move.source) < move.quantity:
        return "InsufficientQuantity"
    _take(books, book, move.source, move.quantity)
    _follow(books, move)
    return None


def _fulfill_one(books: Books, move: Move) -> str | None:
    if move.sku not in books.skus or move.source[1] not in books.skus[move.sku].records:
        return "EntityNotFound"
    book = books.edit(move.sku)
    record = book.records[move.source[1]]
    stale = bool(move.when and record.effective and epoch(move.when) < epoch(record.effective))
    if record.reserved < move.quantity or (not stale and record.on_hand < move.quantity):
        return "InsufficientQuantity"
    # Shipped before the shelf's last full count, which already includes it (contract 1.6).
    if not stale:
        record.on_hand -= move.quantity
    book.give_back_at(move.source[1], move.quantity, books.graph)
    _follow(books, move)
    return None
