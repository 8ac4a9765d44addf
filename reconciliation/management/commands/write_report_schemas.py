"""`manage.py write_report_schemas`: write the JSON Schemas of the report files; for developers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from reconciliation.reports import schema


class Command(BaseCommand):
    """Write the JSON Schemas of the report files from their definitions."""

    help = "Write the JSON Schemas of the report files (reconciliation/reports/schemas)."

    def handle(self, *_: Any, **__: Any) -> None:
        """Write each file."""
        for path, text in schema.files().items():
            path.write_text(text, encoding="utf-8")
            self.stdout.write(path.name)
