#!/usr/bin/env python
"""Django's command line for this project."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run a management command; a wrong setting is told in one line, without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coc_admin.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Setting refused: {error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
