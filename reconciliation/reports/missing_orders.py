"""Orders in report files that the database does not have: found, kept, noted.

A published report may be the last trace of such an order. Before a report is replaced, its order
numbers are compared with the database, a few hundred at a time. If it contains more, the file stays
under another name in the folder `kept`. Only the order's existence decides: an order may leave a
report when its units are given back.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, BinaryIO

from django.db.models import Exists, OuterRef
from django.db.models.query import QuerySet

from orders.models import Order, Site
from reconciliation.models import ReportDay, VanishedOrder
from reconciliation.reports import atomic_files, names

ORDER_LINE = b'{"siteId":'
_NUMBER = ',"orderNo":'
# Site id and number come first, and a line may be long.
_BEGINNING = 1_024
_CHUNK = 500
_MOST_UNMET = 5_000
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Named:
    """An order as named in a file; `text` is its whole JSON there.

    `order_no` is empty if the file is too damaged.
    """

    site_id: str
    order_no: str
    text: bytes

    @property
    def key(self) -> tuple[str, str]:
        """The unique key of the order."""
        return self.site_id, self.order_no

    def members(self) -> dict[str, Any]:
        """Return the order's members in the file; empty if it is damaged."""
        with suppress(ValueError):
            found = json.loads(self.text)
            if isinstance(found, dict):
                return found
        return {}


def orders_named(file: BinaryIO) -> Iterator[Named]:
    """Yield the orders of a daily report, damaged ones too, in constant memory."""
    for line in file:
        if line.startswith(ORDER_LINE):
            yield _named(line.rstrip(b",\n"))


def _named(line: bytes) -> Named:
    text = line[:_BEGINNING].decode("utf-8", "ignore")
    with suppress(ValueError):
        site_id, end = _DECODER.raw_decode(text, len(ORDER_LINE))
        if text.startswith(_NUMBER, end):
            order_no, _ = _DECODER.raw_decode(text, end + len(_NUMBER))
            return Named(str(site_id), str(order_no), line)
    return Named("", "", line)


def without_order(named: Iterable[Named]) -> Iterator[Named]:
    """Yield the orders that the database lacks; one query per few hundred orders of a site.

    Damaged ones are included, because nobody knows which orders they were.
    """
    for chunk in in_chunks(named):
        by_site: dict[str, set[str]] = defaultdict(set)
        for one in chunk:
            by_site[one.site_id].add(one.order_no)
        there = {
            (site_id, order_no)
            for site_id, numbers in by_site.items()
            for order_no in Order.objects.filter(
                site=site_id, order_no__in=numbers - {""}
            ).values_list("order_no", flat=True)
        }
        for one in chunk:
            if (one.site_id, one.order_no) not in there and not _site_has_another_id(one):
                yield one


def in_chunks(named: Iterable[Named]) -> Iterator[list[Named]]:
    """Yield the orders in chunks of a few hundred."""
    rest = iter(named)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _site_has_another_id(named: Named) -> bool:
    """Return whether the order exists at a site that used the file's site id before."""
    if not named.order_no or Site.objects.filter(pk=named.site_id).exists():
        return False
    with suppress(KeyError, TypeError, ValueError):
        at = datetime.fromisoformat(named.members()["capturedAt"])
        same = Order.objects.filter(order_no=named.order_no, captured_at__gte=at)
        # Files round times to the millisecond.
        return same.filter(captured_at__lt=at + timedelta(milliseconds=1)).exists()
    return False


def _not_among(before: Iterable[Named], after: Iterable[Named]) -> Iterator[Named]:
    """Yield those of `before` missing in `after`, and perhaps some more; in constant memory.

    Both are sorted by capture, so usually no order is left to look up in the database.
    """
    nothing: list[Named] = []
    unmet: dict[tuple[str, str], Named] = {}
    ahead: set[tuple[str, str]] = set()
    for old, new in zip_longest(in_chunks(before), in_chunks(after), fillvalue=nothing):
        ahead |= {one.key for one in new} - unmet.keys()
        for one in new:
            unmet.pop(one.key, None)
        for one in old:
            if one.key in ahead:
                ahead.remove(one.key)
            else:
                unmet[one.key] = one
        if len(unmet) > _MOST_UNMET:
            yield from unmet.values()
            unmet = {}
        if len(ahead) > _MOST_UNMET:
            ahead = set()
    yield from unmet.values()


def keep_if_it_knows_more(
    path: Path, *, written: BinaryIO, report: ReportDay, now: datetime
) -> bool:
    """Keep a report's file before it is replaced, if the database lacks some of its orders.

    `written` is the open new file, at its beginning. Returns whether the old one was kept. Raises
    OSError if it can't be read or kept; the caller must not replace it then.
    """
    kept = None
    with suppress(FileNotFoundError), path.open("rb") as file:
        left_out = _not_among(orders_named(file), orders_named(written))
        for lost in in_chunks(without_order(left_out)):
            kept = kept or _keep(path, now)
            note(lost, day=report.date, file=f"{kept.parent.name}/{kept.name}", now=now)
    return kept is not None


def _keep(path: Path, now: datetime) -> Path:
    """Give the file a second name in the folder `kept`; copy it if the disk has no hard links."""
    folder = names.kept_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for there in folder.glob("*"):
        # A merge that died after this step has already kept this file.
        if there.samefile(path):
            return there
    copy = 1
    while (kept := folder / names.kept_name(path.name, now, copy)).exists():
        copy += 1
    try:
        os.link(path, kept)
    except OSError:
        with path.open("rb") as source, atomic_files.replacing(kept) as target:
            shutil.copyfileobj(source, target)
    atomic_files.sync_folder(folder)
    return kept


def note(lost: Iterable[Named], *, day: date, file: str, now: datetime) -> None:
    """Note missing orders for the alert; existing notes stay unchanged."""
    VanishedOrder.objects.bulk_create(
        [
            VanishedOrder(
                site_id=one.site_id[:32],
                order_no=one.order_no[:50],
                date=day,
                file=file[:300],
                found_at=now,
            )
            for one in lost
            if one.order_no
        ],
        ignore_conflicts=True,
    )


def note_work_files(paths: Iterable[Path], *, day: date, now: datetime) -> None:
    """Note orders with work files that no report will ever contain; the files stay."""
    for path in paths:
        for one in without_order(orders_in(path)):
            note([one], day=day, file=f"{path.parent.name}/{path.name}", now=now)


def still_vanished() -> QuerySet[VanishedOrder]:
    """Return noted orders that the database still lacks and nobody has given up."""
    there = Order.objects.filter(site_id=OuterRef("site_id"), order_no=OuterRef("order_no"))
    lacking = VanishedOrder.objects.filter(~Exists(there.order_by()), given_up_at=None)
    return lacking.order_by("site_id", "date", "order_no")


def orders_in(path: Path) -> Iterator[Named]:
    """Return the orders in a report, a kept report or a work file; none if it is missing."""
    try:
        with path.open("rb") as file:
            if path.parent == names.work_folder():
                text = file.read()
                members = Named("", "", text).members()
                yield Named(str(members.get("siteId", "")), str(members.get("orderNo", "")), text)
            else:
                yield from orders_named(file)
    except OSError:
        return


def in_files() -> Iterator[tuple[str, Named]]:
    """Yield each order in a file of the report folders that has no row."""
    for folder in (names.folder(), names.kept_folder(), names.work_folder()):
        for path in sorted(folder.glob("[!.]*.json")):
            for one in without_order(orders_in(path)):
                if one.order_no:
                    yield str(path.relative_to(names.folder())), one


def erase_customers(*, site: Site, order_nos: Collection[str]) -> None:
    """Erase the customers of these orders from kept files; raises OSError."""
    for path in names.kept_folder().glob(f"*_{names.escape(site.pk, also=b'_')}.json.kept-*"):
        with path.open("rb") as file:
            has_named = any(one.order_no in order_nos for one in orders_named(file))
        if has_named:
            _write_without_customers(path, order_nos)


def _write_without_customers(path: Path, order_nos: Collection[str]) -> None:
    with path.open("rb") as source, atomic_files.replacing(path) as target:
        for line in source:
            named = _named(line.rstrip(b",\n")) if line.startswith(ORDER_LINE) else None
            if named is not None and named.order_no in order_nos:
                members = named.members()
                # In an unreadable line nobody can tell which data is personal.
                kept = members and json.dumps(
                    members | {"customer": {}}, ensure_ascii=False, separators=(",", ":")
                )
                line = (kept or "{}").encode() + line[len(named.text) :]
            target.write(line)
