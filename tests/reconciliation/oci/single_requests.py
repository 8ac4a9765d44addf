"""Single requests through the product's transport, and ports that do not answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from reconciliation.oci.errors import OciNoAnswer
from reconciliation.oci.transport import HttpAnswer, HttpRequest, Transport
from tests.reconciliation.oci.raw_server import answer

OK = answer({"groups": []})
# A long head, and the head of a body that is to follow.
LONG = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX-Long: " + b"x" * 1000 + b"\r\n\r\n" + b"x" * 1000
)
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
# What may be lost to the scheduler of a busy machine on top of a time limit, in seconds.
SLACK = 4.0


def request_to(
    url: str,
    *,
    seconds: float = 2,
    connect_timeout: float = 1,
    repeatable: bool = True,
    headers: dict[str, str] | None = None,
) -> HttpRequest:
    return HttpRequest(
        operation="put",
        method="PUT",
        url=url,
        headers=headers or {},
        body=b"{}",
        connect_timeout=connect_timeout,
        deadline=time.monotonic() + seconds,
        repeatable=repeatable,
    )


def send(url: str, *, transport: Transport | None = None, **how: Any) -> HttpAnswer:
    return (transport or Transport(pool_size=4)).call(request_to(url, **how))


def failure(url: str, **how: Any) -> OciNoAnswer:
    with pytest.raises(OciNoAnswer) as caught:
        send(url, **how)
    return caught.value
