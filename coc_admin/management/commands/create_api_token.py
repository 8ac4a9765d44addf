"""Make an API token."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from coc_admin.accounts import tokens
from coc_admin.models import TokenScope
from orders.models import Site
from orders.texts import is_plain


class Command(BaseCommand):
    """Print a new token, alone on standard output, once."""

    help = (
        "Makes a bearer token for the HTTP API and prints it, alone. It is shown this once: only"
        " its hash is kept. It is good for the scopes named and for one site, several or all. Exit"
        " code 1 if a site is not known or the name is used. Revoke tokens in the settings."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the name, the site and the scopes."""
        parser.add_argument(
            "name", help="Who uses it; shown in the history of orders. Unique within its site."
        )
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--site",
            action="append",
            default=[],
            metavar="SITE",
            help="A site that the token is good for. May be given several times.",
        )
        which.add_argument(
            "--all-sites",
            action="store_true",
            help="Good for every site, those that are added later included.",
        )
        parser.add_argument(
            "--scope",
            required=True,
            nargs="+",
            action="extend",
            choices=TokenScope.values,
            metavar="SCOPE",
            help=f"What it may do, one or more of {', '.join(TokenScope.values)}.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the token and print it."""
        sites = [self._site(name) for name in options["site"]]
        try:
            token = tokens.make(
                name=options["name"],
                sites=sites,
                every_site=options["all_sites"],
                scopes=options["scope"],
            )
        except tokens.TokenRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(token)

    def _site(self, name: str) -> Site:
        site = Site.objects.filter(pk=name).first() if is_plain(name) else None
        if site is None:
            raise CommandError(f"There is no site {name!r}; make it with create_site.")
        return site
