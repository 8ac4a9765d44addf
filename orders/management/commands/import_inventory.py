"""Bring a stock file into the ATO ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders.imports.gzip_files import DAMAGED, open_file
from orders.imports.stock_csv import StockRefused
from orders.imports.stock_files import StockBusy, import_figures, read_stock_file
from orders.ledger import Figure
from orders.models import InventoryList

_SHOWN = 50


class Command(BaseCommand):
    """Read the whole file first; write only if all of it is good."""

    help = (
        "Imports stock into an inventory list: CSV with a first line sku,ato[,name,price], B2C"
        " Commerce's inventory XML, or the lines of JSON that OCI imports; UTF-8, plain or .gz."
        " Each figure becomes the SKU's snapshot; what orders hold stays on top of it. If any line"
        " is bad, every bad one is named by its number, nothing is written, and the exit code is 1."
        " An import that was broken off can be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file and the list."""
        parser.add_argument("file", type=Path, metavar="FILE", help="The file; .gz is unpacked.")
        parser.add_argument(
            "--inventory-list", required=True, metavar="LIST", help="The list (see create_site)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the file and import it."""
        list_ = InventoryList.objects.filter(pk=options["inventory_list"]).first()
        if list_ is None:
            raise CommandError(
                f"There is no inventory list {options['inventory_list']!r}; create_site makes one"
                " with its site."
            )
        figures = self._figures(options["file"], list_)

        def tell(done: int) -> None:
            if options["verbosity"] > 0 and done % 10_000 == 0:
                self.stdout.write(f"{done:,} of {len(figures):,} SKUs")

        try:
            import_figures(figures, taken_at=timezone.now(), progress=tell)
        except StockBusy:
            raise CommandError("Some records change all the time; import again.") from None
        are = "SKU is" if len(figures) == 1 else "SKUs are"
        self.stdout.write(f"{len(figures):,} {are} imported into {list_.pk}.")

    def _figures(self, path: Path, list_: InventoryList) -> list[Figure]:
        try:
            with open_file(path) as file:
                return read_stock_file(file, list_=list_)
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
        except DAMAGED:
            raise CommandError(f"{path.name} is no whole gzip file; nothing was written.") from None
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from None
