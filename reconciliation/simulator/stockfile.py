"""The initial stock of a simulator: a JSON or CSV file, and the rows of the control API."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from . import request_reader
from .amounts import read_json
from .api_stock import futures
from .books import Books
from .documents import Refused
from .stock import Record

Row = tuple[str, str, Record]


class StockRefused(ValueError):
    """Unreadable stock; the text names the place and the fault."""


@dataclass(slots=True)
class StockFile:
    """Places and stock rows, checked."""

    tenant_group_id: str = ""
    locations: list[str] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def fill(self, books: Books) -> None:
        """Write everything into empty books."""
        books.set_graph([*self.locations, *(row[0] for row in self.rows)], self.groups)
        write_rows(books, self.rows)


def write_rows(books: Books, rows: Iterable[Row]) -> None:
    """Replace stock records; a new location joins the graph."""
    rows = list(rows)
    with books.lock:
        graph = books.graph
        new = [location for location, _, _ in rows if location not in graph.known_locations]
        if new:
            books.set_graph([*graph.locations, *new], graph.groups)
        for location, sku, record in rows:
            kept = Record(record.on_hand, record.safety, record.futures, record.effective)
            books.write_stock(location, sku, kept)


def read_file(path: Path) -> StockFile:
    """Read a stock file by its extension, .csv or else JSON; raises StockRefused."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StockRefused(f"The stock file {path} cannot be read: {error.strerror}.") from None
    try:
        return _csv(raw) if path.suffix.lower() == ".csv" else _json(raw)
    except StockRefused as error:
        raise StockRefused(f"The stock file {path} is not usable: {error}") from None


def _json(raw: bytes) -> StockFile:
    try:
        body = read_json(raw)
    except ValueError:
        raise StockRefused("it is not JSON.") from None
    if not isinstance(body, dict):
        raise StockRefused("it must hold a JSON object.")
    locations, groups = parse_graph(body)
    rows = parse_rows(body.get("stock", []))
    return StockFile(str(body.get("tenantGroupId") or ""), locations, groups, rows)


def _csv(raw: bytes) -> StockFile:
    try:
        reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise StockRefused(f"it is not CSV in UTF-8: {error}.") from None
    if not {"location", "sku", "onHand"} <= set(reader.fieldnames or ()):
        raise StockRefused("its first line must name location, sku and onHand.")
    return StockFile(rows=parse_rows([_csv_row(line) for line in lines]))


def _csv_row(line: dict[str, str | None]) -> dict[str, Any]:
    row: dict[str, Any] = {"location": line["location"], "sku": line["sku"]}
    for name in ("onHand", "safetyStockCount"):
        if line.get(name):
            try:
                row[name] = Decimal(str(line[name]))
            except InvalidOperation:
                row[name] = line[name]
    return row


def parse_graph(body: dict[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Read ``locations`` (ids) and ``groups`` (id to location ids); raises StockRefused."""
    locations = body.get("locations") or []
    groups = body.get("groups") or {}
    if not isinstance(locations, list) or not isinstance(groups, dict):
        raise StockRefused("locations is a list of ids, groups an object of lists.")
    try:
        for members in groups.values():
            if not isinstance(members, list):
                raise StockRefused("each group is a list of location ids.")
        return (
            [request_reader.place(location, "locations") for location in locations],
            {
                request_reader.place(group, "groups"): [
                    request_reader.place(m, "groups") for m in members
                ]
                for group, members in groups.items()
            },
        )
    except Refused as refused:
        raise StockRefused(f"{refused.message}.") from None


def parse_rows(value: object) -> list[Row]:
    """Read rows ``{location, sku, onHand, safetyStockCount?, futures?, effectiveDate?}``."""
    if not isinstance(value, list):
        raise StockRefused("stock is a list of rows.")
    rows = []
    for number, item in enumerate(value, start=1):
        if not isinstance(item, dict):
            raise StockRefused(f"row {number} is not an object.")
        try:
            rows.append(_row(item))
        except Refused as refused:
            raise StockRefused(f"row {number}: {refused.message}.") from None
    return rows


def _row(item: dict[str, Any]) -> Row:
    record = Record(
        on_hand=request_reader.quantity(item.get("onHand", 0), "onHand", least=0),
        safety=request_reader.quantity(
            item.get("safetyStockCount", 0), "safetyStockCount", least=0
        ),
        futures=futures(item.get("futures") or [], "futures"),
        effective=request_reader.moment(item.get("effectiveDate"), "effectiveDate"),
    )
    return (
        request_reader.place(item.get("location"), "location"),
        request_reader.sku(item.get("sku")),
        record,
    )
