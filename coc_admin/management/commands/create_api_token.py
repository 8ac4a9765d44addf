"""Make an API token."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from coc_admin.accounts import tokens
from coc_admin.models import TokenScope
from orders.models import Site


class Command(BaseCommand):
    """Print a new token, alone on standard output, once."""

    help = (
        "Makes a bearer token for the HTTP API and prints it, alone. It is shown this once: only"
        " its hash is kept. It is good for one site and for the scopes named. Exit code 1 if the"
        " site is not known or has a token of that name. Revoke tokens in the back office."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the name, the site and the scopes."""
        parser.add_argument(
            "name", help="Who uses it; shown in the history of orders. Unique within the site."
        )
        parser.add_argument("--site", required=True, help="The site that the token is good for.")
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
        site = Site.objects.filter(pk=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site {options['site']!r}; make it with create_site.")
        try:
            token = tokens.make(name=options["name"], site=site, scopes=options["scope"])
        except tokens.TokenRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(token)
