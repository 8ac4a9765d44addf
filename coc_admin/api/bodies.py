"""Read request bodies: bounded, and unambiguous JSON."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.request import UnreadablePostError
from ninja.parser import Parser

from coc_admin.api.problems import (
    ApiProblem,
    BodyTooLarge,
    Encoded,
    InvalidRequest,
    LengthRequired,
    NotJson,
)
from orders import strict_json
from orders.errors import Problem

# Bodies of all calls except placing orders.
MOST_BYTES = 64 * 1024


def read(request: HttpRequest, *, limit: int) -> bytes:
    """Return the body of `request`, of at most `limit` bytes.

    Raises NotJson, Encoded, LengthRequired, BodyTooLarge (by the declared or the actual length) or
    ApiProblem.
    """
    _check_type(request)
    length = request.META.get("CONTENT_LENGTH", "")
    if not length and request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired
    if length.isdecimal() and int(length[:20]) > limit:
        raise BodyTooLarge(limit)
    try:
        body = request.read(limit + 1)
    except UnreadablePostError:
        raise ApiProblem("The body did not come in full.") from None
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body


def _check_type(request: HttpRequest) -> None:
    """Raise NotJson or Encoded unless the body is declared as plain JSON in UTF-8."""
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if request.content_type != "application/json" or charset not in ("utf-8", "utf8"):
        raise NotJson
    if request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in ("", "identity"):
        raise Encoded


class StrictParser(Parser):
    """Reads bodies for django-ninja: small JSON, no repeated members, only storable text.

    Its exceptions become answers: see coc_admin.api.app.
    """

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the JSON value of the body; raises ApiProblem."""
        _check_type(request)
        if len(request.body) > MOST_BYTES:
            raise BodyTooLarge(MOST_BYTES)
        try:
            return strict_json.loads(request.body)
        except strict_json.NotStrictJson as error:
            raise InvalidRequest([Problem("", str(error))]) from None
