"""Order files from the console: checked and stored, confirmed, then imported once by a worker.

The import makes the same calls as the command `import_orders`. Existing orders stay unchanged, so
if a worker dies, confirming the import again continues it.
"""

from __future__ import annotations

import gzip
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from orders import reasons
from orders.actors import Actor, person
from orders.errors import OrderRefused
from orders.imports.csv_files import BadLine
from orders.imports.found_orders import FoundOrder, OrderFileRefused
from orders.imports.order_csv import CsvOptions, profile_of
from orders.imports.order_files import FileKind, kind_of, read_orders
from orders.models import Site
from orders.texts import storable
from reconciliation.models import JobKind, JobState, OrderImport
from reconciliation.reservation import imported_orders
from reconciliation.reservation.intake import TOGETHER, place_orders

MOST_BYTES = 5 * 1024 * 1024
# Checking more would block a web worker for too long; the command has no such limit.
MOST_ORDERS = 5_000
_KEPT_UNCONFIRMED = timedelta(hours=24)
_KEPT = timedelta(days=30)
_LONGEST_REASON = 500
_LONGEST_NUMBER = 60
_OPEN = (JobState.QUEUED, JobState.RUNNING)


def keep(
    file: IO[bytes],
    *,
    name: str,
    site: Site,
    actor: Actor,
    now: datetime,
    profile: str = "",
    dates: str = "",
) -> OrderImport:
    """Check a file and store it for confirmation. If refused, stores nothing (OrderFileRefused).

    Replaces this person's earlier upload unless that one was confirmed.
    """
    body = file.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        words = _("the file is larger than %(number)s MB") % {"number": MOST_BYTES // 1024**2}
        raise OrderFileRefused([BadLine(1, words)])
    opened = io.BytesIO(body)
    kind = kind_of(opened, name=name)
    if kind != FileKind.CSV:
        profile = dates = ""
    found = OrderImport(
        site=site,
        actor=actor.name[:150],
        file_name=storable(name)[:200],
        kind=kind.value,
        profile=profile,
        dates=dates,
        created_at=now,
    )
    if kind == FileKind.CSV and not profile:
        found.profile = profile_of(opened, columns={}, options=_options(found))
    counts, refused = _checked(found, opened)
    found.preview = dict(counts)
    found.refused, found.refused_codes = _rows(refused), _codes(refused)
    found.order_count = counts.total()
    found.body = gzip.compress(body)
    with transaction.atomic():
        OrderImport.objects.filter(actor=found.actor, confirmed_at=None).delete()
        found.save(force_insert=True)
    return found


def _checked(found: OrderImport, file: IO[bytes]) -> tuple[Counter[str], list[_Refusal]]:
    """Return the number of orders by expected outcome, and the refusals."""
    counts: Counter[str] = Counter()
    refused: list[_Refusal] = []
    seen: set[str] = set()
    for many in _batches(_orders(found, file)):
        for order, end in _ends(many, lambda some: imported_orders.checked(some, site=found.site)):
            if end == "good" and order.order_no in seen:
                # The first is captured; the second then exists already, or is refused.
                end = "twice"
            seen.add(order.order_no)
            counts[end if end in ("good", "there", "twice") else "refused"] += 1
            if counts.total() > MOST_ORDERS:
                words = _("more than %(number)s orders; import the file in parts or by the command")
                raise OrderFileRefused(
                    [BadLine(order.line, words % {"number": f"{MOST_ORDERS:,}"})]
                )
            if end not in ("good", "there", "twice"):
                refused.append(_refusal(order, end))
    return counts, refused


def work(*, progress: Callable[[int, int], None]) -> Iterator[dict[str, Any]]:
    """Import the file of the running job; yields each refused order."""
    running = OrderImport.objects.select_related("site", "job")
    found = running.get(job__kind=JobKind.IMPORT, job__state=JobState.RUNNING)
    assert found.job is not None  # noqa: S101  (selected by it)
    actor = person(found.job.actor)

    def place(many: list[FoundOrder]) -> Iterator[str | OrderRefused]:
        raws = [order.body for order in many]
        return map(imported_orders.outcome, place_orders(raws=raws, site=found.site, actor=actor))

    counts: Counter[str] = Counter()
    refused: list[_Refusal] = []
    for many in _batches(_orders(found, io.BytesIO(gzip.decompress(bytes(found.body))))):
        for order, end in _ends(many, place):
            is_accepted = end in ("reserved", "offline", "there")
            counts[str(end) if is_accepted else "refused"] += 1
            if not is_accepted:
                refused.append(_refusal(order, end))
                yield refused[-1].job_row()
            progress(counts.total(), found.order_count)
    OrderImport.objects.filter(pk=found.pk, job=found.job).update(
        counts=dict(counts),
        refused=_rows(refused),
        refused_codes=_codes(refused),
        body=b"",
        is_done=True,
    )


def refusals(found: OrderImport, most: int | None = None) -> list[tuple[int, str, str]]:
    """Return line, order number and reason of each refused order, in the reader's language."""
    rows = found.refused[:most]
    codes = found.refused_codes or []
    # Imports of older versions stored no codes.
    stored = codes if len(codes) == len(found.refused) else [None] * len(rows)
    return [
        (line, number, reasons.read(reason, code))
        for (line, number, reason), code in zip(rows, stored, strict=False)
    ]


def forget(now: datetime) -> bool:
    """Delete files not confirmed or finished within a day, and results after 30 days."""
    old = Q(created_at__lt=now - _KEPT_UNCONFIRMED, is_done=False) | Q(created_at__lt=now - _KEPT)
    gone = OrderImport.objects.filter(old).exclude(job__state__in=_OPEN)
    return bool(gone.delete()[0])


def _orders(found: OrderImport, file: IO[bytes]) -> Iterator[FoundOrder]:
    return read_orders(
        file,
        kind=FileKind(found.kind),
        columns={},
        currency=found.site.currency,
        options=_options(found),
    )


def _options(found: OrderImport) -> CsvOptions:
    return CsvOptions(
        profile=found.profile,
        zone=ZoneInfo(found.site.time_zone),
        month_first={"mdy": True, "dmy": False}.get(found.dates),
        site_id=found.site.pk,
    )


def _batches(orders: Iterator[FoundOrder]) -> Iterator[list[FoundOrder]]:
    while many := list(islice(orders, TOGETHER)):
        yield many


def _ends(
    many: list[FoundOrder], act: Callable[[list[FoundOrder]], Iterator[str | OrderRefused]]
) -> Iterator[tuple[FoundOrder, str | OrderRefused]]:
    """Yield each order of a list with its outcome; those with a fault are not placed."""
    ends = act([order for order in many if not order.fault])
    for order in many:
        yield order, order.fault or next(ends)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A refused order, with its reason as text and as codes."""

    line: int
    number: str
    reason: str
    codes: reasons.Codes | None

    def job_row(self) -> dict[str, Any]:
        return {"line": self.line, "order_no": self.number, "reason": self.reason}


def _rows(refused: list[_Refusal]) -> list[list[Any]]:
    return [[one.line, one.number, one.reason] for one in refused]


def _codes(refused: list[_Refusal]) -> list[reasons.Codes | None]:
    return [one.codes for one in refused]


def _refusal(order: FoundOrder, end: str | OrderRefused) -> _Refusal:
    words = imported_orders.reason(end, order) if isinstance(end, OrderRefused) else end
    number = storable(order.order_no[:_LONGEST_NUMBER])
    kept = storable(words)[:_LONGEST_REASON]
    return _Refusal(order.line, number, kept, reasons.codes_of(words, kept=kept))
