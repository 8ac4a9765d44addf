"""Bounds on headers whose readers take more than linear time, before Django sees a request.

Python's reader of Content-Type and, before Python 3.11.10, its reader of quoted cookies take time
by the square of the length: 64 kB of either would cost seconds of CPU, of anybody who connects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings

LONGEST_CONTENT_TYPE = 1_000
LONGEST_COOKIE = 4_096  # what browsers keep of one
DEVICE_COOKIE = "coc_device"
_MESSAGES = "messages"  # of django.contrib.messages

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def bounded(application: Application) -> Application:
    """Return `application`, which sees no header that is costly to read."""

    def bounded_application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        bound(environ)
        return application(environ, start_response)

    return bounded_application


def bound(environ: dict[str, Any]) -> None:
    """Remove costly headers from `environ`.

    A Content-Type that is too long counts as unknown; only our own cookies stay, each once.
    """
    if len(environ.get("CONTENT_TYPE", "")) > LONGEST_CONTENT_TYPE:
        environ["CONTENT_TYPE"] = "application/octet-stream"
    if "HTTP_COOKIE" in environ:
        environ["HTTP_COOKIE"] = _our_cookies(environ["HTTP_COOKIE"])


def _our_cookies(header: str) -> str:
    names = {
        settings.SESSION_COOKIE_NAME,
        settings.CSRF_COOKIE_NAME,
        settings.LANGUAGE_COOKIE_NAME,
        DEVICE_COOKIE,
        _MESSAGES,
    }
    kept: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.partition("=")
        # Of a cookie that is given twice, the last counts, as with Django.
        if name.strip() in names and len(value) <= LONGEST_COOKIE:
            kept[name.strip()] = value.strip()
    return "; ".join(f"{name}={value}" for name, value in kept.items())
