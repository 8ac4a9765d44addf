"""Offer orders again that order management could not take."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders import exports
from orders.actors import at_the_command_line
from orders.models import Site
from orders.texts import is_plain


class Command(BaseCommand):
    """Safe twice: an order that is ready or was taken stays as it is."""

    help = (
        "Sets orders whose export failed to ready again, so that order management takes them when"
        " it asks next: those of a site, or the orders named. Running it again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the site, the orders and the reason."""
        parser.add_argument("--site", required=True, metavar="SITE")
        parser.add_argument(
            "--order",
            action="append",
            default=[],
            metavar="ORDER_NO",
            help="Only this order. May be given several times. Without it every one that failed.",
        )
        parser.add_argument("--reason", default="Resubmitted at the command line.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Resubmit them and print their number."""
        name = options["site"]
        if not is_plain(name) or not Site.objects.filter(pk=name).exists():
            raise CommandError(f"There is no site {name!r}.")
        found = exports.failed(site_ids=[name])
        if options["order"]:
            found = found.filter(order_no__in=[one for one in options["order"] if is_plain(one)])
        number = exports.resubmit(
            order_ids=list(found.order_by("pk").values_list("pk", flat=True)),
            actor=at_the_command_line(),
            reason=options["reason"],
            now=timezone.now(),
        )
        self.stdout.write(f"{number:,} {'order is' if number == 1 else 'orders are'} ready again.")
