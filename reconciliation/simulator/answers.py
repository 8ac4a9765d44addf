"""HTTP answers of the simulator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .documents import Refused

JSON = "application/json"
PROBLEM = "application/problem+json"
_GATEWAY = "https://api.commercecloud.salesforce.com/documentation/error/v1/errors/"


@dataclass(slots=True)
class Answer:
    """Status, headers and bytes; ``changed`` means that the call was carried out."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    changed: bool = False


def json_answer(
    status: int,
    body: Any,
    *,
    content_type: str = JSON,
    headers: dict[str, str] | None = None,
    changed: bool = False,
) -> Answer:
    """An answer with a JSON body."""
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, raw, content_type, headers or {}, changed)


def oci_problem(refused: Refused, *, content_type: str = PROBLEM) -> Answer:
    """An error of OCI itself: RFC 7807 members plus errorCode and message (contract 1.7)."""
    body = {"type": "about:blank", "errorCode": refused.code, "message": refused.message}
    return json_answer(refused.status, body | refused.members, content_type=content_type)


def gateway_problem(status: int, slug: str, title: str, detail: str, **headers: str) -> Answer:
    """An error of the gateway in front of OCI: plain problem details (contract 1.7)."""
    body = {"type": _GATEWAY + slug, "title": title, "detail": detail}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return json_answer(status, body, content_type=PROBLEM, headers=named)


def unauthorized(status: int) -> Answer:
    """The token was not accepted: 401, or 400 as announced for 2027 (contract 1.1)."""
    return (
        gateway_problem(
            status,
            "unauthorized",
            "Unauthorized",
            "The token was not accepted",
            **{"WWW-Authenticate": "Bearer"},
        )
        if status == 401
        else oci_problem(
            Refused(400, "InvalidRequest", "Authentication failed: the token was not accepted")
        )
    )


def too_many(retry_after: int) -> Answer:
    """429 with Retry-After in seconds (contract 1.8)."""
    return gateway_problem(
        429,
        "too-many-requests",
        "Too Many Requests",
        "Slow down and try again",
        **{"Retry-After": str(retry_after)},
    )
