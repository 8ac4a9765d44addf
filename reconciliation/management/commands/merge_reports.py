"""Update the daily reports, and rebuild missing or damaged ones."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders.models import Site
from reconciliation.reports import names, publish


class Command(BaseCommand):
    """`manage.py merge_reports`."""

    help = (
        "Write work files and daily reports of everything that has changed, and rewrite each"
        " daily report that is missing or is not what was written. May be run at any time and"
        " twice. Exit code 1 if a report could not be written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--site", metavar="SITE", help="only this site's reports")
        parser.add_argument(
            "--date",
            metavar="YYYY-MM-DD",
            help="only this day (in the site's time zone); made from the orders, whatever is known",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Merge, and print what was written."""
        site = None
        if options["site"]:
            site = Site.objects.filter(pk=options["site"]).first()
            if site is None:
                known = ", ".join(Site.objects.order_by("pk").values_list("pk", flat=True)[:20])
                raise CommandError(f"No site {options['site']!r}. Known: {known or 'none'}.")
        day = None
        if options["date"]:
            try:
                day = date.fromisoformat(options["date"])
            except ValueError:
                raise CommandError("--date must be a day such as 2026-02-02.") from None
        done = publish.rebuild(now=timezone.now(), site=site, day=day)
        self.stdout.write(
            f"{done.work_files} work files and {done.reports} daily reports written to"
            f" {names.folder()}."
        )
        if done.busy:
            self.stdout.write(f"{done.busy} sites are being written by another process.")
        if done.failed:
            raise CommandError(
                "Reports cannot be written. See that COC_IMPEX_DIR is there, writable, not full."
            )
