"""Refusals by the server itself, before any view.

Below /api/ they are problem+json. If the console process can't answer a page, a small page says so
in the browser's language; everything else is a line of plain text.
"""

from __future__ import annotations

import json
from functools import lru_cache
from http import HTTPStatus

from django.utils import translation
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.utils.translation.trans_real import parse_accept_lang_header
from waitress.task import ErrorTask
from waitress.utilities import Error

from coc_admin.api import PROBLEM_TYPE, RETRY_AFTER, ROOT

# The same names as in the API.
_TYPES = {413: "body-too-large", 503: "unavailable"}
# What waitress says of these is not for a caller.
_DETAILS = {413: "Send a smaller body. /api/v1/docs has the limits."}
_HTML = "text/html; charset=utf-8"
_LANGUAGES = 100


class RequestTimeout(Error):
    """The complete request did not arrive in time."""

    code = HTTPStatus.REQUEST_TIMEOUT.value
    reason = "Request Timeout"


class TooBusy(Error):
    """The server is receiving too much data at once."""

    code = HTTPStatus.SERVICE_UNAVAILABLE.value
    reason = "Service Unavailable"


class PageRefused(Error):
    """The console process does not answer this request. `text` is for people and programs."""

    code = HTTPStatus.SERVICE_UNAVAILABLE.value
    reason = "Service Unavailable"
    text = ""

    def __init__(self) -> None:
        super().__init__(self.text)


class ConsoleBusy(PageRefused):
    """Too many requests already wait for the console process."""

    text = gettext_noop("Too many requests are waiting. This one was not started. Try again.")


class ConsoleAway(PageRefused):
    """The console process has not taken the connection."""

    text = gettext_noop(
        "The console is restarting. Your request was not started. Try again in a few seconds."
    )


class ConsoleFailed(PageRefused):
    """The console process ended before it answered."""

    text = gettext_noop(
        "The console stopped while it worked on your request. Check whether your change was saved "
        "before you try again."
    )


class ConsoleSlow(PageRefused):
    """The console process did not answer in time."""

    code = HTTPStatus.GATEWAY_TIMEOUT.value
    reason = "Gateway Timeout"
    text = gettext_noop(
        "The console did not answer in time. Check whether your change was saved before you try "
        "again."
    )


class TooMuchWork(PageRefused):
    """The request exceeded its time limit."""

    text = gettext_noop(
        "Your request took too much time and was stopped. Choose a shorter period or more filters "
        "and try again."
    )


def body_of(error: Error, *, path: str, languages: str) -> tuple[str, bytes]:
    """Return content type and body of a refusal.

    `languages` is the Accept-Language header of its request.
    """
    if path.startswith(ROOT):
        problem = {
            "type": _TYPES.get(error.code) or error.reason.lower().replace(" ", "-"),
            "title": error.reason,
            "status": error.code,
            "detail": _DETAILS.get(error.code, error.body),
        }
        return PROBLEM_TYPE, json.dumps(problem).encode()
    if isinstance(error, PageRefused):
        return _HTML, _page(error.text, languages[:_LANGUAGES])
    return "text/plain; charset=utf-8", f"{error.reason}: {error.body}\n".encode()


@lru_cache(maxsize=256)
def _page(text: str, languages: str) -> bytes:
    with translation.override(_language(languages)):
        title, told, again = _("Try again in a moment"), _(text), _("Try again")
        orders = _("Orders are still being captured.")
        language = translation.get_language()
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)} · Continuous Order Capture</title>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n<p>{escape(told)}</p>\n<p>{escape(orders)}</p>\n"
        f'<p><a href="">{escape(again)}</a></p>\n</body>\n</html>\n'
    ).encode()


def _language(header: str) -> str:
    for code, _quality in parse_accept_lang_header(header.lower()):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return "en"


class Refusal(ErrorTask):
    """Writes a refusal, and closes the connection."""

    def execute(self) -> None:
        """Write the answer."""
        error = self.request.error
        self.status = f"{error.code} {error.reason}"
        content_type, data = body_of(
            error,
            path=getattr(self.request, "path", ""),
            languages=self.request.headers.get("ACCEPT_LANGUAGE", ""),
        )
        self.response_headers.append(("Content-Type", content_type))
        self.response_headers.append(("Cache-Control", "no-store"))
        if error.code == TooBusy.code:
            self.response_headers.append(("Retry-After", str(RETRY_AFTER)))
        self.set_close_on_finish()
        self.content_length = len(data)
        if getattr(self.request, "command", "") != "HEAD":
            self.write(data)
