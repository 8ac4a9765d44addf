#!/usr/bin/env python
"""Django's command line for this project."""

from __future__ import annotations

import gc
import os
import sys

# What runs for as long as the product does; every other command ends, and may take its time.
SERVICES = {"qcluster", "runserver", "serve", "watch_oci"}
# The exit code of a command that lost the database; 1 and 2 are the commands' own.
NO_DATABASE = 3


def main() -> None:
    """Run a management command; reports a wrong setting or a lost database without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coc_admin.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    # Nearly all that is loaded stays: looking for garbage meanwhile is a sixth of the start.
    gc.disable()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    from orders import statement_limit

    if command not in SERVICES:
        statement_limit.set_kind(statement_limit.Kind.COMMAND)
        # A command ends, so garbage may wait longer; migrating takes a sixth less.
        gc.set_threshold(20_000, 20, 100)
    try:
        # It reloads, and loads itself what may have a mistake in it.
        if command != "runserver":
            load()
        gc.enable()
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Setting refused: {error}\n")
        raise SystemExit(2) from None
    except OperationalError as error:
        # Services restart, and their logs keep all of it.
        if command in SERVICES:
            raise
        reason = " ".join(str(error).split())
        sys.stderr.write(
            f"The database is not available: {reason}\n"
            "What was committed is kept. Check DATABASE_URL and the server, then run the command"
            " again.\n"
        )
        raise SystemExit(NO_DATABASE) from None


def load() -> None:
    """Set Django up, and leave what it loaded out of the search for garbage.

    Forked workers share what is left alone. Settings that are refused are left to the command:
    some do without.
    """
    import django
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings
    except ImproperlyConfigured:
        return
    django.setup()
    gc.freeze()


if __name__ == "__main__":
    main()
