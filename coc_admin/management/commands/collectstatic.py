"""Django's collectstatic; every user may read its files, as a web server of another user does."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.staticfiles.management.commands import collectstatic

_READABLE = 0o022


class Command(collectstatic.Command):
    """The compressed copies, which the storage writes past its own permissions, are included."""

    def collect(self) -> Any:
        """Collect under a umask that lets others read."""
        before = os.umask(_READABLE)
        try:
            return super().collect()
        finally:
            os.umask(before)
