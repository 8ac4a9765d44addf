"""Stock files of any kind: detect the kind, read the figures, apply them to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import IO

from django.utils.translation import gettext as _

from orders import ledger
from orders.imports.csv_files import BadLine, text_of
from orders.imports.reasons import say
from orders.imports.stock_csv import StockRefused, read_stock
from orders.imports.stock_json_lines import read_stock_lines
from orders.imports.stock_xml import read_stock_xml
from orders.ledger import Figure, LedgerChanged
from orders.models import InventoryList, MovementReason

CHUNK = 500
_TRIES = 5
PEEK = 4096
_BOM = b"\xef\xbb\xbf"
_OTHER_KINDS = (
    (b"\x1f\x8b", "file_packed"),
    (b"PK", "file_spreadsheet"),
    (b"\xd0\xcf\x11\xe0", "file_spreadsheet"),
    (b"\xff\xfe", "file_utf16"),
    (b"\xfe\xff", "file_utf16"),
)


class StockBusy(Exception):
    """Some records keep changing; the imported ones stay, and repeating the import is safe."""


def read_stock_file(
    file: IO[bytes], *, list_: InventoryList, notes: list[str] | None = None
) -> list[Figure]:
    """Return the figures of a seekable CSV, B2C inventory XML or OCI file.

    `notes` gets sentences about facts in the file that the import ignores. Raises StockRefused
    with every bad line, up to csv_files.MOST_FAULTS of them.
    """
    start = file.read(PEEK)
    file.seek(0)
    other = other_kind(start)
    if other:
        raise StockRefused([BadLine(1, other)])
    first = first_mark(start)
    if first == b"<":
        return read_stock_xml(file, list_=list_, notes=notes)
    if first == b"{":
        return read_stock_lines(file, list_=list_)
    if first == b"[":
        words = _("is an array; write one record in each line, without brackets around them")
        raise StockRefused([BadLine(1, words)])
    text = text_of(file)
    try:
        return read_stock(text, list_id=list_.pk)
    finally:
        text.detach()


def other_kind(start: bytes) -> str:
    """Return the kind of a file that can't be imported, from its beginning."""
    # Without a byte order mark, every second byte of the first characters is 0.
    if 0 in start[:2] and len(start) > 3 and start[0] != start[1]:
        start = b"\xff\xfe"
    return next((say(code) for mark, code in _OTHER_KINDS if start.startswith(mark)), "")


def first_mark(start: bytes) -> bytes:
    """Return the first significant byte of a file."""
    return start.removeprefix(_BOM).lstrip()[:1]


def import_figures(
    figures: Sequence[Figure],
    *,
    taken_at: datetime,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Apply the figures of a file to the ledger; return how many records have a new snapshot.

    Each chunk is one transaction, so that shoppers can order meanwhile. Repeating the call with the
    same `taken_at` continues an interrupted import. Raises StockBusy.
    """
    changed = 0
    for start in range(0, len(figures), CHUNK):
        changed += _apply(figures[start : start + CHUNK], taken_at)
        progress(min(start + CHUNK, len(figures)))
    return changed


def _apply(figures: Sequence[Figure], taken_at: datetime) -> int:
    """Write one chunk; retry if another process changes a record."""
    for _attempt in range(_TRIES):
        try:
            return ledger.apply_snapshot(
                figures=figures,
                taken_at=taken_at,
                lag=timedelta(0),
                now=taken_at,
                reason=MovementReason.IMPORTED,
            )
        except LedgerChanged:
            continue
    raise StockBusy
