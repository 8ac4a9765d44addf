"""Stock files that people upload: kept until they are confirmed, then imported once."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import IO

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from coc_admin.models import StockUpload
from orders import ledger
from orders.imports.csv_files import BadLine
from orders.imports.stock_csv import StockRefused
from orders.imports.stock_files import import_figures, read_stock_file
from orders.ledger import Figure
from orders.models import InventoryList, InventoryRecord

MOST_BYTES = 5 * 1024 * 1024
# More than this would keep a web worker for too long; the command takes any number.
MOST_SKUS = 10_000
SHOWN = 50
_KEPT = timedelta(hours=24)
# From here on one walk through the list costs less than asking for each SKU.
_MANY = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """The import's effect on one SKU; `before` is None if it is new or uncounted."""

    sku: str
    before: Decimal | None
    after: Decimal
    held: Decimal

    @property
    def ato_after(self) -> Decimal:
        """What may still be promised afterwards."""
        return max(Decimal(0), self.after - self.held)

    @property
    def size(self) -> Decimal:
        """How much the figure moves."""
        return abs(self.after - (self.before or 0))


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would change: counts, and the SHOWN greatest changes."""

    new: int
    changed: int
    alike: int
    sold_out: int
    greatest: list[Change]


def keep(
    file: IO[bytes],
    *,
    name: str,
    list_: InventoryList,
    user: User,
    now: datetime,
    notes: list[str] | None = None,
) -> StockUpload:
    """Check a file and store it for confirmation. Raises StockRefused, and then stores nothing.

    `notes` gets sentences about what the file says and the import does not do. What the person
    uploaded before and did not confirm, and what is a day old, is forgotten.
    """
    body = file.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        words = _("the file is larger than %(number)s MB") % {"number": MOST_BYTES // 1024**2}
        raise StockRefused([BadLine(1, words)])
    figures = read_stock_file(io.BytesIO(body), list_=list_, notes=notes)
    if len(figures) > MOST_SKUS:
        words = _("more than %(number)s SKUs; import the file in parts or by the command line") % {
            "number": f"{MOST_SKUS:,}"
        }
        raise StockRefused([BadLine(1, words)])
    waiting = StockUpload.objects.filter(imported_at=None)
    waiting.filter(user=user, confirmed_at=None).delete()
    waiting.filter(created_at__lt=now - _KEPT).delete()
    return StockUpload.objects.create(
        user=user,
        inventory_list=list_,
        file_name=name[:200],
        body=gzip.compress(body),
        created_at=now,
        sku_count=len(figures),
    )


def figures_of(upload: StockUpload) -> list[Figure]:
    """Return the figures of a kept file."""
    body = io.BytesIO(gzip.decompress(bytes(upload.body)))
    return read_stock_file(body, list_=upload.inventory_list)


def preview(upload: StockUpload) -> Preview:
    """Return the changes that importing `upload` would make now; changes nothing."""
    figures = figures_of(upload)
    known = _known(figures, upload.inventory_list)
    changes = [_change(figure, *known.get(figure.sku, (None, Decimal(0)))) for figure in figures]
    moving = [change for change in changes if change.before != change.after]
    moving.sort(key=lambda change: (-change.size, change.sku))
    return Preview(
        new=sum(change.before is None for change in changes),
        changed=sum(change.before is not None for change in moving),
        alike=len(changes) - len(moving),
        sold_out=sum(change.ato_after == 0 for change in changes),
        greatest=moving[:SHOWN],
    )


def _change(figure: Figure, before: Decimal | None, held: Decimal) -> Change:
    return Change(sku=figure.sku, before=before, after=figure.ato, held=held)


def _known(
    figures: Sequence[Figure], list_: InventoryList
) -> dict[str, tuple[Decimal | None, Decimal]]:
    """Return snapshot and holds of each SKU that is known."""
    if len(figures) <= _MANY:
        records = ledger.records_of([figure.key for figure in figures])
        return {sku: (one.snapshot_ato, one.held) for (_, sku), one in records.items()}
    rows = InventoryRecord.objects.filter(inventory_list=list_).order_by()
    wanted = {figure.sku for figure in figures}
    return {
        sku: (snapshot, held)
        for sku, snapshot, held in rows.values_list("sku", "snapshot_ato", "held").iterator()
        if sku in wanted
    }


def confirm(upload: StockUpload, *, now: datetime) -> bool:
    """Import a stored file, or continue; False if that was done. Raises StockBusy.

    Two that confirm at once write the same figures of the same moment, which changes nothing twice.
    """
    row = StockUpload.objects.filter(pk=upload.pk)
    row.filter(confirmed_at=None).update(confirmed_at=now)
    upload = row.select_related("inventory_list").get()
    if upload.imported_at is not None or upload.confirmed_at is None:
        return False
    import_figures(figures_of(upload), taken_at=upload.confirmed_at)
    return bool(row.filter(imported_at=None).update(imported_at=now, body=b""))
