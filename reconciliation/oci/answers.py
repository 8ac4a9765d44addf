"""What an answer other than the expected one means (OCI contract 1.1, 1.7, 1.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from reconciliation.oci.errors import (
    MalformedAnswer,
    OciConfigurationFault,
    OciError,
    OciNoAnswer,
    OciRefused,
    OciThrottled,
)
from reconciliation.oci.jsontext import clean_text, read_json
from reconciliation.oci.transport import HttpAnswer
from reconciliation.reasons import say

MOST_RETRY_AFTER = 300.0
DEFAULT_RETRY_AFTER = 5.0
_MOST_TEXT = 500

_JSON = re.compile(r"application/([a-z0-9.-]+\+)?json")
_GATEWAY = "https://api.commercecloud.salesforce.com/documentation/error/"
_AUTHENTICATION = re.compile(r"authenticat|unauthori[sz]ed|access token|the token", re.IGNORECASE)


def json_of(answer: HttpAnswer) -> Any:
    """Return the JSON of an answer; raises MalformedAnswer if it is not or is not declared as JSON.

    A proxy's page is declared as HTML. Without a content type the text alone decides.
    """
    media = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media and not _JSON.fullmatch(media):
        raise MalformedAnswer(say("not_json_type"))
    return read_json(answer.body)


def problem_of(answer: HttpAnswer) -> Mapping[str, Any]:
    """Return the members of an error body; empty if it is no JSON object."""
    try:
        found = json_of(answer)
    except MalformedAnswer:
        return {}
    return found if isinstance(found, dict) else {}


def is_failed_authentication(answer: HttpAnswer) -> bool:
    """Whether the token was not accepted: 401, and from March 2027 a 400 (contract 1.1).

    How that 400 looks is not published. OCI's own errors carry an errorCode; a 400 without one, or
    of the gateway's problem type, did not come from OCI. With the general code InvalidRequest that
    names no parameter, only the words can tell.
    """
    if answer.status != 400:
        return answer.status == 401
    try:
        problem = json_of(answer) if answer.body.strip() else {}
    except MalformedAnswer:
        # A page of a proxy, or bytes that cannot be decoded, say nothing about a token.
        return False
    if not isinstance(problem, dict):
        return False
    code = problem.get("errorCode")
    if not isinstance(code, str) or not code or str(problem.get("type")).startswith(_GATEWAY):
        return True
    if code != "InvalidRequest" or problem.get("parameterName"):
        return False
    return bool(_AUTHENTICATION.search(str(problem.get("message"))))


def retry_after(header: str | None, *, now: datetime) -> float:
    """Return the seconds to wait, 0 to 300; 5 for an unusable value."""
    text = (header or "").strip()[:100]
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return min(float(text), MOST_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return DEFAULT_RETRY_AFTER
    return min(max(seconds, 0.0), MOST_RETRY_AFTER)


def error_of(answer: HttpAnswer, *, operation: str, secrets: Sequence[str] = ()) -> OciError:
    """Return the error for an unexpected answer.

    A 4xx counts as OCI's refusal only with OCI's own body: a proxy or a wrong base URL answers 404
    too, and that says nothing about a reservation. `secrets` never show up in the error.
    """
    status = answer.status
    if status == 429:
        seconds = retry_after(answer.headers.get("Retry-After"), now=datetime.now(UTC))
        return OciThrottled(operation=operation, retry_after=seconds)
    if status >= 500:
        return OciNoAnswer(operation=operation, kind="server_error", status=status)
    if status == 408:
        return OciNoAnswer(operation=operation, kind="timeout", status=status)
    problem = problem_of(answer)

    def text_of(*names: str) -> str:
        texts = (clean_text(problem.get(n), limit=_MOST_TEXT, secrets=secrets) for n in names)
        return next((text for text in texts if text), "")

    if status == 403 or is_failed_authentication(answer):
        words = [text_of("errorCode"), text_of("message", "detail", "title")]
        detail = ": ".join(word for word in words if word)
        return OciConfigurationFault(operation=operation, status=status, detail=detail)
    if 400 <= status < 500 and text_of("errorCode"):
        return OciRefused(
            operation=operation,
            status=status,
            error_code=text_of("errorCode")[:100],
            message=text_of("message", "detail", "title"),
            parameter=text_of("parameterName")[:100],
            place=text_of("group", "location")[:128],
        )
    return OciNoAnswer(operation=operation, kind="malformed", status=status)
