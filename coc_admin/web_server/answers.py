"""Refusals by the server itself, before any view: problem+json for the API, plain text else."""

from __future__ import annotations

import json
from http import HTTPStatus

from waitress.task import ErrorTask
from waitress.utilities import Error

from coc_admin.api import PROBLEM_TYPE, RETRY_AFTER, ROOT

# As the API itself names them.
_TYPES = {413: "body-too-large", 503: "unavailable"}


class RequestTimeout(Error):
    """The request did not come in full in time."""

    code = HTTPStatus.REQUEST_TIMEOUT.value
    reason = "Request Timeout"


class TooBusy(Error):
    """Too much is being received at once."""

    code = HTTPStatus.SERVICE_UNAVAILABLE.value
    reason = "Service Unavailable"


class Refusal(ErrorTask):
    """Tells what is wrong with a request, and closes the connection."""

    def execute(self) -> None:
        """Write the answer."""
        error = self.request.error
        self.status = f"{error.code} {error.reason}"
        if getattr(self.request, "path", "").startswith(ROOT):
            content_type = PROBLEM_TYPE
            body = json.dumps(
                {
                    "type": _TYPES.get(error.code) or error.reason.lower().replace(" ", "-"),
                    "title": error.reason,
                    "status": error.code,
                    "detail": error.body,
                }
            )
        else:
            content_type = "text/plain; charset=utf-8"
            body = f"{error.reason}: {error.body}\n"
        data = body.encode()
        self.response_headers.append(("Content-Type", content_type))
        self.response_headers.append(("Cache-Control", "no-store"))
        if error.code == TooBusy.code:
            self.response_headers.append(("Retry-After", str(RETRY_AFTER)))
        self.set_close_on_finish()
        self.content_length = len(data)
        self.write(data)
