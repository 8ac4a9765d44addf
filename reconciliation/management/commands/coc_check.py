"""`manage.py coc_check`: check the promises on live data."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from reconciliation.maintenance import integrity_check


class Command(BaseCommand):
    """Exit code 0: no findings; 1: findings, listed by row."""

    help = (
        "Check on live data that orders, ledger, reservations and reports agree. Lists each row"
        " that breaks a promise. Reads only; safe at any time. Exit code 0 if all is well, else 1."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the findings and end with the exit code."""
        found = 0
        for broken in integrity_check.check():
            found += 1
            self.stdout.write(f"promise {broken.promise}: {broken.row}: {broken.detail}")
        if found:
            self.stdout.write(f"{found} broken.")
            raise SystemExit(1)
        self.stdout.write("All promises that can be checked hold.")
