"""What every page of the console needs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from coc_admin.console.frame import frame_of


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the frame around each page; it queries only the parts that are rendered."""
    return {"frame": frame_of(request)}
