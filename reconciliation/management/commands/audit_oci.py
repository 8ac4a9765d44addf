"""`manage.py audit_oci`: compare what OCI holds for our orders with our reservation documents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from reconciliation.connection.clients import client_for_audit
from reconciliation.maintenance import oci_audit
from reconciliation.oci.errors import MalformedAnswer, OciError


class Command(BaseCommand):
    """Exit code 0: OCI and we agree; 1: they differ, listed by document, or OCI made no export."""

    help = (
        "Export OCI's reservation documents and compare them with ours: missing there, unknown"
        " here, other quantity, or still held there. Reads only; safe at any time. Needs the scope"
        " sfcc.inventory.impex-inventory.rw. Exit code 0 if all is well, else 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare how far back to look."""
        parser.add_argument(
            "--days", type=float, default=30.0, help="How far back to look (default 30, OCI's own)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the findings and end with the exit code."""
        now = timezone.now()
        found = 0
        try:
            client = client_for_audit()
            since = now - timedelta(days=options["days"])
            for one in oci_audit.audit(client=client, since=since, now=now):
                found += 1
                self.stdout.write(
                    f"{one.difference}: order {one.order}: {one.reservation_id}: {one.detail}"
                )
            client.close()
        except (OciError, MalformedAnswer, oci_audit.AuditFailed, ImproperlyConfigured) as error:
            raise CommandError(f"OCI's reservations cannot be compared: {error}") from None
        if found:
            self.stdout.write(f"{found} documents differ.")
            raise SystemExit(1)
        self.stdout.write("OCI holds what our documents say.")
