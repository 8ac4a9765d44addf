"""Write the orders that order management may take into a file."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from orders.actors import at_the_command_line
from orders.errors import ExportRefused
from orders.export_files import FileFormat, lines_of, ready_orders
from orders.exports import change_export_status
from orders.models import ExportStatus, Site
from orders.texts import is_plain


class Command(BaseCommand):
    """Exit code 1 if an order has no place in the format, or has changed before its end."""

    help = (
        "Writes the orders of a site that are ready for order management, oldest first: order XML"
        " of B2C Commerce, or one JSON document a line as the API answers it. Needs constant"
        " memory. The orders stay ready unless --acknowledge says that the file is taken; an order"
        " that changed meanwhile stays ready then, and comes again with its new version."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the site, the format and the file."""
        parser.add_argument("--site", required=True, metavar="SITE")
        parser.add_argument(
            "--format", choices=[one.value for one in FileFormat], default=FileFormat.B2C_XML.value
        )
        parser.add_argument(
            "--since", metavar="TIME", help="Only orders captured then or later (ISO 8601)."
        )
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="The file; standard output without it."
        )
        parser.add_argument(
            "--acknowledge",
            action="store_true",
            help="Set the orders to exported once the file is complete.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file, then acknowledge it."""
        name = options["site"]
        site = Site.objects.filter(pk=name).first() if is_plain(name) else None
        if site is None:
            raise CommandError(f"There is no site {name!r}.")
        since = _moment(options["since"])
        taken: list[tuple[int, int]] = []
        left_out: list[str] = []
        lines = lines_of(
            ready_orders(site=site, since=since),
            FileFormat(options["format"]),
            written=lambda order: taken.append((order.pk, order.document_version)),
            left_out=lambda order, why: left_out.append(f"{order.order_no}: {why}"),
        )
        self._write(lines, options["output"])
        changed = self._acknowledge(taken) if options["acknowledge"] else 0
        for line in left_out:
            self.stderr.write(f"Left out: {line}")
        if changed:
            self.stderr.write(f"{changed} orders have changed meanwhile and stay ready.")
        if options["output"]:
            self.stdout.write(f"{len(taken):,} orders are written to {options['output']}.")
        if left_out or changed:
            raise CommandError("Not every order was exported; see above.")

    def _write(self, lines: Any, path: Path | None) -> None:
        if path is None:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error.strerror}.") from None
        finally:
            part.unlink(missing_ok=True)

    def _acknowledge(self, taken: list[tuple[int, int]]) -> int:
        changed = 0
        for pk, version in taken:
            try:
                change_export_status(
                    order_id=pk,
                    to=ExportStatus.EXPORTED,
                    version=version,
                    actor=at_the_command_line(),
                    now=timezone.now(),
                )
            except ExportRefused:
                changed += 1
        return changed


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text!r} is no time; use one like 2026-11-28T10:00:00Z.")
    return moment if moment.tzinfo else timezone.make_aware(moment)
