#!/usr/bin/env python
"""Django's command line for this project."""

from __future__ import annotations

import os
import sys

# What runs for as long as the product does; every other command ends, and may take its time.
SERVICES = {"qcluster", "runserver", "serve", "watch_oci"}


def main() -> None:
    """Run a management command; a wrong setting is told in one line, without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coc_admin.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from orders import statement_limit

    if len(sys.argv) > 1 and sys.argv[1] not in SERVICES:
        statement_limit.set_kind(statement_limit.Kind.COMMAND)
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Setting refused: {error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
