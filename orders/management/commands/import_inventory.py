"""Bring a stock file into the ATO ledger."""

from __future__ import annotations

import gzip
import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders import ledger
from orders.ledger import Figure, LedgerChanged
from orders.models import InventoryList, MovementReason
from orders.stock_csv import StockRefused, read_stock

_CHUNK = 500
_TRIES = 5
_SHOWN = 50


class Command(BaseCommand):
    """Read the whole file first; write only if all of it is good."""

    help = (
        "Imports stock into an inventory list: CSV with a first line sku,ato[,name,price], UTF-8,"
        " plain or .gz. Each figure becomes the SKU's snapshot; what orders hold stays on top of"
        " it. If any line is bad, every bad one is named by its number, nothing is written, and the"
        " exit code is 1. An import that was broken off can be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file and the list."""
        parser.add_argument("file", type=Path, metavar="FILE", help="The file, .csv or .csv.gz.")
        parser.add_argument(
            "--inventory-list", required=True, metavar="LIST", help="The list (see create_site)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the file and import it."""
        list_id = options["inventory_list"]
        if not InventoryList.objects.filter(pk=list_id).exists():
            raise CommandError(
                f"There is no inventory list {list_id!r}; create_site makes one with its site."
            )
        figures = self._figures(options["file"], list_id)
        now = timezone.now()
        # Chunk by chunk, each a transaction: shoppers go on ordering meanwhile.
        for start in range(0, len(figures), _CHUNK):
            _apply(figures[start : start + _CHUNK], now)
            done = min(start + _CHUNK, len(figures))
            if options["verbosity"] > 0 and done % 10_000 == 0:
                self.stdout.write(f"{done:,} of {len(figures):,} SKUs")
        are = "SKU is" if len(figures) == 1 else "SKUs are"
        self.stdout.write(f"{len(figures):,} {are} imported into {list_id}.")

    def _figures(self, path: Path, list_id: str) -> list[Figure]:
        try:
            with _open(path) as lines:
                return read_stock(lines, list_id=list_id)
        except StockRefused as refused:
            for line in refused.bad[:_SHOWN]:
                self.stderr.write(f"line {line.number}: {line.message}")
            more = len(refused.bad) - _SHOWN
            if more > 0:
                self.stderr.write(f"... and {more:,} more")
            raise CommandError(
                f"{path.name}: {len(refused.bad):,} bad"
                f" line{'s' if len(refused.bad) > 1 else ''}; nothing was written."
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise CommandError(f"{path.name} is no whole gzip file; nothing was written.") from None
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from None


def _open(path: Path) -> TextIO:
    # Bytes that are no UTF-8 come through as what no SKU and no name may hold: the line is named.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _apply(figures: list[Figure], now: datetime) -> None:
    """Write one chunk, again if a record has just changed under it."""
    for attempt in range(_TRIES):
        try:
            ledger.apply_snapshot(
                figures=figures,
                taken_at=now,
                lag=timedelta(0),
                now=now,
                reason=MovementReason.IMPORTED,
            )
        except LedgerChanged:
            if attempt == _TRIES - 1:
                raise CommandError("Some records change all the time; import again.") from None
        else:
            return
