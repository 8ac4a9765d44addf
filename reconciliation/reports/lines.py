"""The lines of a daily report, one per order: all from the database, or only the changed ones.

A long day changes a little between two merges, so the lines of orders without a new event are
copied from the file. An event says that an order changed (`OrderEvent`), never the work files.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import BinaryIO, NamedTuple

from orders.models import OrderEvent
from orders.serializers import iso
from reconciliation.models import ReportDay
from reconciliation.reports import names
from reconciliation.reports.missing_orders import ORDER_LINE
from reconciliation.reports.report_types import orders_of
from reconciliation.reports.serializers import (
    CHUNK,
    SCHEMA_VERSION,
    OrderRow,
    ReportItem,
    ReportOrder,
    line_of,
    members_of_rows,
    rows_among,
    rows_in_chunks,
)

# If more orders changed than this, and more than half of the file, all lines are written.
_MANY = 20_000
_CAPTURED = b'","capturedAt":"'
_STAMP = len("2026-01-01T00:00:00.000Z")

# Called with each row whose line is made from the database.
Made = Callable[[OrderRow], None]


class CannotCopy(Exception):
    """The file is not what was written, or does not agree with the database: write all lines."""


class _Changed(NamedTuple):
    """An order with an event since the report was written."""

    captured_at: datetime
    pk: int
    order_no: str


class _Line(NamedTuple):
    """A line, from the file or made now; `captured_at` and `number` are its bytes of them."""

    captured_at: bytes
    number: bytes
    line: bytes | None
    is_new: bool = False


def all_lines(report: ReportDay, made: Made) -> Iterator[bytes]:
    """Yield the line of each order of the report, by capture, in constant memory."""
    orders = orders_of(report.report_type, site=report.site, day=report.date)
    for rows in rows_in_chunks(orders):
        yield from _made(rows, made)


def changed_lines(report: ReportDay, file: BinaryIO, made: Made) -> Iterator[bytes]:
    """Yield the same lines as `all_lines`, those of unchanged orders from the report's `file`.

    Among those of one millisecond, new ones come last. Raises CannotCopy, also after the last line.
    """
    changed = _changed_since(report)
    numbers = {_json(one.order_no) for one in changed}
    both = heapq.merge(
        _of_file(report, file, numbers),
        _of_changed(report, changed, made),
        key=attrgetter("captured_at"),
    )
    count = 0
    for _, together in groupby(both, key=attrgetter("captured_at")):
        for line in _in_place(list(together)):
            yield line
            count += 1
    there = orders_of(report.report_type, site=report.site, day=report.date).count()
    if count != there:
        raise CannotCopy(f"{count} lines for {there} orders")


def _changed_since(report: ReportDay) -> list[_Changed]:
    """Return the orders of the report's day with an event since `changed_since`, by capture."""
    start, end = names.bounds(report.date, report.site)
    most = max(_MANY, report.order_count // 2)
    found = (
        OrderEvent.objects.filter(
            pk__gte=report.changed_since,
            order__site=report.site_id,
            order__captured_offline=True,
            order__captured_at__gte=start,
            order__captured_at__lt=end,
        )
        .order_by()
        .values_list("order__captured_at", "order", "order__order_no")
        .distinct()
    )
    changed = [_Changed._make(row) for row in found[: most + 1]]
    if len(changed) > most:
        raise CannotCopy(f"more than {most} orders changed")
    return sorted(changed)


def _in_place(together: list[_Line]) -> Iterator[bytes]:
    """Yield the lines of one moment: a changed order keeps its place, a new one comes last."""
    new = {one.number: one.line for one in together if one.is_new}
    for one in together:
        if not one.is_new and (line := new.pop(one.number, one.line)) is not None:
            yield line
    yield from filter(None, new.values())


def _of_file(report: ReportDay, file: BinaryIO, changed: set[bytes]) -> Iterator[_Line]:
    """Yield each order in the file, the changed ones without their line."""
    digest = hashlib.sha256()
    head = file.readline()
    digest.update(head)
    _check_head(report, head)
    beginning = b'{"siteId":"%b","orderNo":"' % _json(report.site_id)
    is_first = True
    for line in file:
        digest.update(line)
        if not line.startswith(ORDER_LINE):
            continue
        number_ends = line.find(_CAPTURED, len(beginning))
        if not line.startswith(beginning) or number_ends < 0:
            raise CannotCopy("a line begins otherwise")
        if is_first:
            _check_members(line)
            is_first = False
        number = line[len(beginning) : number_ends]
        stamp = number_ends + len(_CAPTURED)
        kept = None if number in changed else line.rstrip(b",\n")
        yield _Line(line[stamp : stamp + _STAMP], number, kept)
    if digest.hexdigest() != report.sha256:
        raise CannotCopy("the file was changed")


def _check_head(report: ReportDay, line: bytes) -> None:
    """Raise CannotCopy unless the file's head is that of the report as it would be written now."""
    # Its last member is the list of orders, which goes on below.
    try:
        head = json.loads(line.rstrip() + b"]}")
    except ValueError as error:
        raise CannotCopy("the head can't be read") from error
    wanted = (SCHEMA_VERSION, report.site.time_zone)
    if (head.get("schemaVersion"), head.get("timeZone")) != wanted:
        raise CannotCopy("the head says otherwise")


def _check_members(line: bytes) -> None:
    """Raise CannotCopy if an order has other members than those of this release."""
    try:
        order = json.loads(line.rstrip(b",\n"))
        there = (tuple(order), tuple(order["items"][0]))
    except (ValueError, LookupError, TypeError) as error:
        raise CannotCopy("a line can't be read") from error
    if there != (ReportOrder.names(), ReportItem.names()):
        raise CannotCopy("another release wrote the file")


def _of_changed(report: ReportDay, changed: Sequence[_Changed], made: Made) -> Iterator[_Line]:
    """Yield those of the changed orders that belong to the report, by capture."""
    orders = orders_of(report.report_type, site=report.site, day=report.date)
    for start in range(0, len(changed), CHUNK):
        rows = rows_among(orders, [one.pk for one in changed[start : start + CHUNK]])
        for row, line in zip(rows, _made(rows, made), strict=True):
            captured_at = str(iso(row.captured_at)).encode()
            yield _Line(captured_at, _json(row.order_no), line, is_new=True)


def _made(rows: Sequence[OrderRow], made: Made) -> Iterator[bytes]:
    for row, members in zip(rows, members_of_rows(rows), strict=True):
        made(row)
        yield line_of(members)


def _json(text: str) -> bytes:
    """Return `text` as it stands between quotes in a line."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()
