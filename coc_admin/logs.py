"""Log lines as JSON with the id of the request they belong to."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse

request_id: ContextVar[str] = ContextVar("request_id", default="")

# PostgreSQL tells the row that it refuses, and what stood in it, below its message. Tracebacks go
# on behind it.
_ROWS = re.compile(
    r"\n(?:DETAIL|CONTEXT|QUERY|HINT|LINE \d+): .*?"
    r"(?=\n\nThe above exception|\n\nDuring handling|\nTraceback| : Traceback|\Z)",
    re.DOTALL,
)
# Anyone who has such an address may choose the password of a person.
_LINKS = re.compile(r"(/set-password/)[^/\s]+/[^/\s]+")
_GIVEN_ID = re.compile(r"\A[A-Za-z0-9-]{8,64}\Z")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request id, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `record` as one line of JSON; line breaks in it are escaped."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        if request_id.get():
            entry["requestId"] = request_id.get()
        if record.exc_info:
            entry["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(entry)


def without_secrets(text: str) -> str:
    """Return `text` without rows of the database and without links to choose a password."""
    return _LINKS.sub(r"\1(link)", _ROWS.sub("", text))


class RequestIdMiddleware:
    """Give each request an id (the caller's, if it is a plain one) and return it as a header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request with its id in the context of the log lines."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        identifier = given if _GIVEN_ID.match(given) else secrets.token_hex(16)
        token = request_id.set(identifier)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response["X-Request-Id"] = identifier
        return response
