"""The books of the simulator: stock, promises and documents behind one lock.

This module knows nothing of HTTP or faults. Quantities are whole thousandths; callers pass the
clock (seconds since the epoch).
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from .amounts import number_of
from .documents import Ask, Document, Kind, Line, Refused, Request, Store, answer_of
from .settings import Settings
from .stock import Figures, Graph, Record, SkuBook

DELTAS_KEPT = 100_000


class Books:
    """Thread-safe stock and reservation documents of one tenant group."""

    def __init__(self, *, clock: Callable[[], float], settings: Settings) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.settings = settings
        self.clear()

    def clear(self) -> None:
        """Delete stock, places and documents."""
        with self.lock:
            self.graph = Graph((), {})
            self.skus: dict[str, SkuBook] = {}
            self.documents = Store()
            self.outcomes: dict[tuple[str, str, str], tuple[object, str | None]] = {}
            self.changes: deque[tuple[int, float, str]] = deque(maxlen=DELTAS_KEPT)
            self.change_number = 0
            # Delta tokens from before this moment are no longer valid.
            self.deltas_since = 0.0
            self.deltas_told = 0
            self._past: dict[str, deque[tuple[float, SkuBook]]] = {}
            self._due: list[tuple[float, int, str, str]] = []
            self._ticket = count()

    def forget_reservations(self) -> None:
        """Delete every document and reserved count; stock and places stay."""
        with self.lock:
            stock, graph = self.skus, self.graph
            self.clear()
            self.graph = graph
            for sku, book in stock.items():
                for record in book.records.values():
                    record.reserved = 0
                self.skus[sku] = SkuBook(book.records)

    def set_graph(self, locations: Iterable[str], groups: Mapping[str, Iterable[str]]) -> None:
        """Replace the location graph and redistribute the promises on it."""
        with self.lock:
            self.graph = Graph(locations, groups)
            for book in self.skus.values():
                book.settle(self.graph)

    def edit(self, sku: str) -> SkuBook:
        """The live book of a SKU, to be changed; keeps its old state for lagging reads."""
        book = self.skus.get(sku)
        if book is None:
            book = self.skus[sku] = SkuBook()
        now = self.clock()
        lag = self.settings.readLagMs / 1000
        if lag:
            past = self._past.setdefault(sku, deque())
            while past and past[0][0] < now - lag:
                past.popleft()
            past.append((now, book.copy()))
        self.change_number += 1
        self.changes.append((self.change_number, now, sku))
        return book

    def expire_deltas(self) -> None:
        """Invalidate every delta token issued so far."""
        with self.lock:
            self.deltas_since = self.clock()

    def seen_number(self) -> int:
        """The number of the last change visible to a reader, ``readLagMs`` ago."""
        seen_at = self.clock() - self.settings.readLagMs / 1000
        if not self.settings.readLagMs:
            return self.change_number
        numbers = (number for number, at, _ in reversed(self.changes) if at <= seen_at)
        forgotten = self.changes[0][0] - 1 if self.changes else self.change_number
        return next(numbers, forgotten)

    def read(self, sku: str) -> SkuBook:
        """The book of a SKU as a reader sees it, ``readLagMs`` ago (contract 1.10)."""
        seen_at = self.clock() - self.settings.readLagMs / 1000
        if self.settings.readLagMs:
            for until, book in self._past.get(sku, ()):
                if until > seen_at:
                    return book
        return self.skus.get(sku) or SkuBook()

    def check_places(self, places: Iterable[tuple[Kind, str]]) -> None:
        """Raise Refused (400) for the first place that is not in the graph."""
        for kind, place in places:
            known = self.graph.groups if kind == "group" else self.graph.known_locations
            if place not in known:
                name = kind.capitalize()
                words = f"{name} {place} is not in the location graph"
                raise Refused(400, f"{name}DoesNotExist", words, **{kind: place})

    def put_document(self, reservation_id: str, request: Request) -> tuple[dict[str, Any], bool]:
        """Hold a document's units; return the 200 body and whether it was new.

        Raises Refused 409 for an id that is taken (contract 1.7) and 400 for an unknown place, with
        nothing held.
        """
        with self.lock:
            self.sweep()
            stored = self.documents.by_id.get(reservation_id)
            if stored is not None:
                return self._replay(stored, request), False
            self.check_places((ask.kind, ask.place) for ask in request.asks)
            now = self.clock()
            seconds = request.expiration_seconds
            expires = now + seconds if seconds is not None else None
            unknown = {ask for ask in request.asks if not self._carries(ask)}
            held = self._hold(request)
            answer = answer_of(
                request,
                held,
                unknown,
                show_errors=self.settings.partialStyle == "errors",
                now=now,
                expires=expires,
            )
            lines = [Line(a.kind, a.place, a.sku, a.quantity, held[a]) for a in request.asks]
            self.documents.add(Document(reservation_id, request, now, lines, answer, expires))
            if expires is not None:
                self._later(expires, "expire", reservation_id)
            return answer, True

    def _replay(self, stored: Document, request: Request) -> dict[str, Any]:
        if stored.state == "CANCELLED":
            raise Refused(409, "ReservationCancelled", "This reservation was cancelled")
        if stored.state == "EXPIRED":
            raise Refused(409, "ReservationInvalidState", "This reservation has expired")
        if self.settings.replay == "finalized":
            raise Refused(
                409, "ReservationAlreadyFinalized", "This reservation can no longer change"
            )
        if self.settings.replay == "exists" or stored.request != request:
            raise Refused(409, "EntityExists", "A reservation with that id already exists")
        return stored.answer

    def _carries(self, ask: Ask) -> bool:
        book = self.skus.get(ask.sku)
        if book is None:
            return False
        return (
            book.knows(ask.place, self.graph) if ask.kind == "group" else ask.place in book.records
        )

    def _hold(self, request: Request) -> dict[Ask, int]:
        if not request.allow_partial:
            return self._hold_together(request.asks, request.fulfill_only)
        held = {}
        for ask in request.asks:
            if ask.set_id is None:
                held[ask] = self._hold_one(ask, request.fulfill_only)
        sets = dict.fromkeys((a.place, a.set_id) for a in request.asks if a.set_id is not None)
        for key in sets:
            members = [ask for ask in request.asks if (ask.place, ask.set_id) == key]
            held.update(self._hold_together(members, request.fulfill_only))
        return held

    def _hold_together(self, asks: Sequence[Ask], fulfill_only: bool) -> dict[Ask, int]:
        held = {ask: self._hold_one(ask, fulfill_only) for ask in asks}
        if all(held[ask] == ask.quantity for ask in asks):
            return held
        for ask in asks:
            self.give_back(ask.kind, ask.place, ask.sku, held[ask])
        return dict.fromkeys(asks, 0)

    def _hold_one(self, ask: Ask, fulfill_only: bool) -> int:
        if not self._carries(ask):
            return 0
        book = self.edit(ask.sku)
        if ask.kind == "group":
            return book.hold_in_group(ask.place, ask.quantity, self.graph)
        room = book.room_at(ask.place, self.graph, fulfill_only=fulfill_only)
        held = min(ask.quantity, room)
        book.hold_at(ask.place, held, self.graph)
        return held

    def give_back(self, kind: Kind, place: str, sku: str, quantity: int) -> int:
        """Take up to ``quantity`` off a place's holds; return the units taken."""
        if not quantity:
            return 0
        book = self.edit(sku)
        if kind == "group":
            return book.give_back_to_group(place, quantity, self.graph)
        return book.give_back_at(place, quantity, self.graph)

    def cancel_document(self, reservation_id: str) -> int:
        """Cancel a document; return the status, 204 (counts are back) or 202 (they follow).

        Raises Refused 404, or 400 if ``unknownCancel`` says so, and 409 (contract 1.5).
        """
        with self.lock:
            self.sweep()
            document = self.documents.by_id.get(reservation_id)
            if document is None and self.settings.unknownCancel == "400":
                raise Refused(
                    400,
                    "InvalidRequestParameter",
                    "No such reservation",
                    parameterName="reservationId",
                )
            if document is None:
                raise Refused(404, "EntityNotFound", "No reservation has that id")
            if document.state == "CANCELLED":
                raise Refused(409, "ReservationCancelled", "This reservation was cancelled")
            if document.state == "EXPIRED":
                raise Refused(409, "ReservationInvalidState", "The reservation is closed")
            document.state = "CANCELLED"
            if self.settings.cancelStyle == "202":
                due = self.clock() + self.settings.cancelDelayMs / 1000
                self._later(due, "return", reservation_id)
                return 202
            self._return_counts(document)
            return 204

    def _return_counts(self, document: Document) -> None:
        for line in document.lines:
            self.give_back(line.kind, line.place, line.sku, line.held)
            line.held = 0

    def _later(self, due: float, what: str, reservation_id: str) -> None:
        heapq.heappush(self._due, (due, next(self._ticket), what, reservation_id))

    def sweep(self) -> None:
        """Run due work: expire documents, return the counts of a 202 cancel."""
        with self.lock:
            now = self.clock()
            while self._due and self._due[0][0] <= now:
                _, _, what, reservation_id = heapq.heappop(self._due)
                document = self.documents.by_id[reservation_id]
                if what == "expire" and document.state == "OPEN":
                    document.state = "EXPIRED"
                    self._return_counts(document)
                elif what == "return":
                    self._return_counts(document)

    def figures(self, kind: Kind, place: str, sku: str) -> Figures | None:
        """The counts of one SKU at one place in the form of get-availability, or None."""
        with self.lock:
            self.sweep()
            book = self.read(sku)
            if kind == "group":
                return book.group_figures(place, sku, self.graph)
            return book.location_figures(place, sku)

    def write_stock(self, place: str, sku: str, record: Record | None) -> None:
        """Write (with None: remove) the stock record; units held there stay held."""
        with self.lock:
            book = self.edit(sku)
            old = book.records.pop(place, None)
            if record is not None:
                record.reserved = old.reserved if old else 0
                book.records[place] = record
            book.settle(self.graph)

    def sell(
        self, sku: str, quantity: int, place: str | None = None, *, force: bool = False
    ) -> int:
        """Sell free stock through another channel; return the units sold.

        Without a place every location is tried in order. ``force`` also takes reserved units.
        """
        with self.lock:
            self.sweep()
            if sku not in self.skus:
                return 0
            book, sold = self.edit(sku), 0
            for location in [place] if place else list(book.records):
                record = book.records.get(location)
                if record is None:
                    continue
                kept = 0 if force else record.reserved + book.laid_on(location)
                part = min(quantity - sold, max(0, record.on_hand - kept))
                record.on_hand -= part
                sold += part
                book.settle(self.graph)
            return sold

    def reserved(self) -> list[dict[str, object]]:
        """Each place's holds of each SKU, according to the counts."""
        with self.lock:
            self.sweep()
            rows: list[dict[str, object]] = []
            for sku, book in sorted(self.skus.items()):
                held = {
                    ("group", g): book.promised(g) for g in sorted({*book.laid, *book.uncovered})
                }
                held |= {("location", p): record.reserved for p, record in book.records.items()}
                rows += [
                    {kind: place, "sku": sku, "reserved": number_of(amount)}
                    for (kind, place), amount in held.items()
                    if amount
                ]
            return rows
