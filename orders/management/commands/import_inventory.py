"""Bring a stock file into the ATO ledger."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders.imports.csv_files import BadLine
from orders.imports.gzip_files import DAMAGED, open_file
from orders.imports.stock_csv import StockRefused
from orders.imports.stock_files import StockBusy, import_figures, read_stock_file
from orders.ledger import Figure
from orders.models import InventoryList
from orders.tables import neutral

_SHOWN = 50
_LONGEST_RAW = 100_000


class Command(BaseCommand):
    """Read the whole file first; write only if all of it is good."""

    help = (
        "Imports stock into an inventory list: CSV with a first line sku,ato[,name,price], B2C"
        " Commerce's inventory XML, or the lines of JSON that OCI imports or exports; UTF-8,"
        " plain or .gz. Records of other lists are passed over."
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

        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="OUT",
            help="Write the bad lines to this CSV file: line, reason, raw.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the file and import it."""
        list_ = InventoryList.objects.filter(pk=options["inventory_list"]).first()
        if list_ is None:
            raise CommandError(
                f"There is no inventory list {options['inventory_list']!r}; create_site makes one"
                " with its site."
            )
        rejects: Path | None = options["rejects"]
        if rejects is not None and rejects.resolve() == options["file"].resolve():
            raise CommandError("--rejects names the file that is to be imported.")
        figures = self._figures(options["file"], list_, rejects)

        def tell(done: int) -> None:
            if options["verbosity"] > 0 and done % 10_000 == 0:
                self.stdout.write(f"{done:,} of {len(figures):,} SKUs")

        try:
            import_figures(figures, taken_at=timezone.now(), progress=tell)
        except StockBusy:
            raise CommandError("Some records change all the time; import again.") from None
        are = "SKU is" if len(figures) == 1 else "SKUs are"
        self.stdout.write(f"{len(figures):,} {are} imported into {list_.pk}.")

    def _figures(self, path: Path, list_: InventoryList, rejects: Path | None) -> list[Figure]:
        notes: list[str] = []
        try:
            with open_file(path) as file:
                figures = read_stock_file(file, list_=list_, notes=notes)
            for note in notes:
                self.stdout.write(note)
            return figures
        except StockRefused as refused:
            if rejects is not None:
                _write_rejects(rejects, path, refused.bad)
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


def _write_rejects(rejects: Path, path: Path, bad: list[BadLine]) -> None:
    """Write the bad lines with their text; raises CommandError if the file cannot be written."""
    wanted = {line.number for line in bad}
    texts = {}
    with open_file(path) as file:
        for number, text in enumerate(iter(lambda: file.readline(_LONGEST_RAW), b""), start=1):
            if number in wanted:
                texts[number] = text.decode("utf-8", "replace").rstrip("\r\n")
            if number >= max(wanted):
                break
    try:
        with rejects.open("w", encoding="utf-8-sig", errors="replace", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("line", "reason", "raw"))
            for line in bad:
                raw = texts.get(line.number, "")
                writer.writerow([neutral(cell) for cell in (line.number, line.message, raw)])
    except OSError as error:
        raise CommandError(f"{rejects} cannot be written: {error.strerror or error}.") from None
