"""Refusals of the API: problem+json (RFC 9457), each with a stable type."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from coc_admin.api import PROBLEM_TYPE, RETRY_AFTER, ROOT
from orders.errors import OrderInProgress, OrderRefused, Problem
from orders.ledger import LedgerChanged

logger = logging.getLogger(__name__)


class ApiProblem(Exception):
    """The request is refused and nothing has changed."""

    status = 400
    type = "bad-request"
    title = "The request is not valid"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def members(self) -> dict[str, Any]:
        """Return the answer's members besides type, title, status and detail."""
        return {}

    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        return {}


class InvalidRequest(ApiProblem):
    """The path, the query or the body is invalid; `problems` names each fault by its path."""

    type = "invalid-request"

    def __init__(self, problems: Sequence[Problem]) -> None:
        first, more = problems[0], len(problems) - 1
        where = f"{first.field}: " if first.field else ""
        super().__init__(f"{where}{first.message}{f' ({more} more)' if more else ''}")
        self.problems = list(problems)

    def members(self) -> dict[str, Any]:
        """Return the problems, one per field."""
        return {"problems": [{"field": p.field, "message": p.message} for p in self.problems]}


class Unauthenticated(ApiProblem):
    """Missing, unknown or revoked token."""

    status = 401
    type = "token-required"
    title = "A valid token is required"

    def __init__(self) -> None:
        super().__init__("Send the header Authorization: Bearer followed by a token that is valid.")

    def headers(self) -> dict[str, str]:
        """Return how to authenticate."""
        return {"WWW-Authenticate": 'Bearer realm="Continuous Order Capture"'}


class Forbidden(ApiProblem):
    """The token is valid but lacks a scope; any one of `scopes` would be enough."""

    status = 403
    type = "scope-missing"
    title = "The token may not do this"

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__(f"This needs a token with the scope {' or '.join(scopes)}.")
        self.scopes = list(scopes)

    def members(self) -> dict[str, Any]:
        """Return the scopes; one of them is required."""
        return {"scopes": self.scopes}

    def headers(self) -> dict[str, str]:
        """Return the missing scope as RFC 6750 defines it."""
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{self.scopes[0]}"'}


class NotFound(ApiProblem):
    """It does not exist, or belongs to another site than the token's; both look alike."""

    status = 404
    type = "not-found"
    title = "Not found"


class BodyTooLarge(ApiProblem):
    """The body exceeds the limit of this call."""

    status = 413
    type = "body-too-large"
    title = "The body is too large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have {limit:,} bytes.")
        self.limit = limit

    def members(self) -> dict[str, Any]:
        """Return the limit in bytes."""
        return {"limit": self.limit}


class LengthRequired(ApiProblem):
    """The body comes in chunks of unknown length."""

    status = 411
    type = "length-required"
    title = "A Content-Length is required"

    def __init__(self) -> None:
        super().__init__("Send the body with a Content-Length instead of in chunks.")


class NotJson(ApiProblem):
    """The body is declared as something other than JSON in UTF-8."""

    status = 415
    type = "unsupported-media-type"
    title = "The body must be JSON"

    def __init__(self) -> None:
        super().__init__("Send the header Content-Type: application/json (UTF-8).")


class Encoded(ApiProblem):
    """The body is compressed, or coded in another way that nothing here undoes."""

    status = 415
    type = "unsupported-media-type"
    title = "The body must not be compressed"

    def __init__(self) -> None:
        super().__init__("Send the body as it is, without the header Content-Encoding.")

    def headers(self) -> dict[str, str]:
        """Return what is accepted (RFC 9110, 12.5.3)."""
        return {"Accept-Encoding": "identity"}


class Unavailable(ApiProblem):
    """Not possible at the moment, through no fault of the caller."""

    status = 503
    type = "unavailable"
    title = "Not available at the moment"

    def headers(self) -> dict[str, str]:
        """Return when to try again."""
        return {"Retry-After": str(RETRY_AFTER)}


def answer(problem: ApiProblem) -> HttpResponse:
    """Return the answer for `problem`."""
    return problem_response(
        status=problem.status,
        type_=problem.type,
        title=problem.title,
        detail=problem.detail,
        members=problem.members(),
        headers=problem.headers(),
    )


def answer_refusal(refused: OrderRefused) -> HttpResponse:
    """Return the answer for a refusal of the orders app."""
    headers = {}
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER)
    elif isinstance(refused, OrderInProgress):
        headers["Retry-After"] = "1"
    return problem_response(
        status=refused.status,
        type_=refused.type,
        title=refused.title,
        detail=refused.detail,
        members=refused.members(),
        headers=headers,
    )


def problem_response(
    *,
    status: int,
    type_: str,
    title: str,
    detail: str,
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return a problem+json answer."""
    body = {"type": type_, "title": title, "status": status, "detail": detail, **(members or {})}
    return HttpResponse(
        json.dumps(body), status=status, content_type=PROBLEM_TYPE, headers=dict(headers or {})
    )


_PLAIN = {
    400: (
        "bad-request",
        "The server could not make sense of the request. Its header Host must be one of"
        " ALLOWED_HOSTS.",
    ),
    404: ("not-found", "There is nothing under this address; /api/v1/docs tells what there is."),
    405: ("method-not-allowed", "This address does not take that method; see the header Allow."),
    500: (
        "internal-error",
        "Something went wrong here; nothing is known to be wrong with the request. The log has more"
        " under the id in the header X-Request-Id.",
    ),
}


class ApiAnswersMiddleware:
    """Turn every error under /api/ into problem+json, and forbid caching."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        response = self.get_response(request)
        if not request.path_info.startswith(ROOT):
            return response
        if response.status_code >= 400 and response.headers.get("Content-Type") != PROBLEM_TYPE:
            response = self._plain(response)
        response.headers.setdefault("Cache-Control", "no-store")
        if response.headers.get("Content-Type", "").startswith(_DATA_TYPES):
            for name, value in _OF_DATA.items():
                response.headers[name] = value
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 503 if the database is unavailable or too busy, so that the caller tries again."""
        if not request.path_info.startswith(ROOT):
            return None
        if not isinstance(error, OperationalError | InterfaceError | LedgerChanged):
            return None
        logger.error("The database could not serve a request.", exc_info=error)
        return answer(Unavailable("The database cannot take this at the moment. Try again."))

    def _plain(self, response: HttpResponse) -> HttpResponse:
        status = response.status_code
        phrase = HTTPStatus(status).phrase
        type_, detail = _PLAIN.get(status, (phrase.lower().replace(" ", "-"), f"{phrase}."))
        kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        return problem_response(
            status=status, type_=type_, title=phrase, detail=detail, headers=kept
        )


# Data is not a page: a browser may load nothing for it, and show it in no frame.
_DATA_TYPES = ("application/json", PROBLEM_TYPE)
_OF_DATA = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}
_KEPT = ("Allow", "Retry-After", "WWW-Authenticate")
