"""``manage.py oci_simulator``: the practice inventory service, with faults on request."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from reconciliation.simulator.__main__ import add_arguments, run


class Command(BaseCommand):
    """Start the simulator in this process; it uses neither the database nor the settings."""

    help = (
        "Start a stand-in for Omnichannel Inventory with its own stock. Its page under /_sim/ and "
        "its control API make it fail in every way that the product must survive."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the simulator itself."""
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal comes."""
        import argparse

        code = run(argparse.Namespace(**options))
        if code:
            raise SystemExit(code)
