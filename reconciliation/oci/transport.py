"""HTTP towards OCI: reused connections, one deadline for a whole call, bounded answers.

However an answer drips in, however many addresses a host has, and however long its name takes to be
looked up, a call ends at its deadline (see `sockets` and `names`).

A server may close a connection at rest just as a request is written to it. That is no outage: if a
*reused* connection ends before any byte of the answer, and not by our time limit, the same bytes
are sent once more at once over a new connection. Only calls that are safe to repeat ask for it:
OCI may have carried out the first one. This is no retry policy; retrying is the caller's business.
"""

from __future__ import annotations

import http
import http.client
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3

from reconciliation.oci.errors import OciConfigurationFault, OciError, OciNoAnswer
from reconciliation.oci.prepared import prepared
from reconciliation.oci.sockets import AddressRefused, Attempt, TimedAdapter, serving
from reconciliation.reasons import say

MAX_ANSWER = 5_000_000
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `deadline` is a time of `time.monotonic()`; `connect_timeout` is in seconds.

    `permits` says of an IP address whether it may be connected to; None permits all. `sink` takes
    the body of an answer 200, piece by piece, up to `most` bytes; `HttpAnswer.body` is empty then.
    """

    operation: str
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connect_timeout: float
    deadline: float
    repeatable: bool
    permits: Callable[[str], bool] | None = None
    sink: Callable[[bytes], object] | None = None
    most: int = MAX_ANSWER


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer of any status; names of `headers` ignore case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class _TooLong(Exception):
    pass


_UNUSABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
)
_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
    _TooLong,
)
_CUT_OFF = (ConnectionError, http.client.IncompleteRead, ssl.SSLEOFError)
_TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)


class Transport:
    """At most `pool_size` connections per host, kept open and shared by any number of threads.

    Neither `.netrc`, cookies, redirects nor the environment play a part: a redirect is an answer
    like any, and a proxy or a file of certificates is used only if it is named here.
    """

    def __init__(self, *, pool_size: int, proxy: str = "", ca_file: str = "") -> None:
        # No session: it would prepare cookies, redirects and the environment for each call.
        self._adapter = TimedAdapter(
            pool_connections=4, pool_maxsize=pool_size, max_retries=0, pool_block=True
        )
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._verify: bool | str = ca_file or True

    def call(self, request: HttpRequest) -> HttpAnswer:
        """Send a request and return its complete answer.

        Raises OciNoAnswer (connect, timeout, broken, malformed), and OciConfigurationFault for an
        address that cannot be one.
        """
        attempt, answer = self._try(request, fresh=False)
        if isinstance(answer, Exception) and request.repeatable and _was_stale(attempt, answer):
            attempt, answer = self._try(request, fresh=True)
        if isinstance(answer, HttpAnswer):
            return answer
        most = request.most if request.sink else MAX_ANSWER
        raise _explained(request.operation, attempt, answer, most=most) from None

    def close(self) -> None:
        """Close idle connections."""
        self._adapter.close()

    def _try(self, request: HttpRequest, *, fresh: bool) -> tuple[Attempt, HttpAnswer | Exception]:
        attempt = Attempt(request.deadline, fresh=fresh, permits=request.permits)
        try:
            with serving(attempt):
                return attempt, self._exchange(request, attempt)
        except _FAILURES as error:
            return attempt, error

    def _exchange(self, request: HttpRequest, attempt: Attempt) -> HttpAnswer:
        ready = prepared(request.method, request.url, headers=request.headers, body=request.body)
        left = attempt.left()
        response: Any = self._adapter.send(
            ready,
            stream=True,
            timeout=(min(request.connect_timeout, left), left),
            verify=self._verify,
            proxies=self._proxies,
        )
        try:
            body = bytearray()
            sink = request.sink if response.status == http.HTTPStatus.OK else None
            take, most = (sink, request.most) if sink else (body.extend, MAX_ANSWER)
            size = 0
            while chunk := response.read(_CHUNK, decode_content=True):
                size += len(chunk)
                if size > most:
                    raise _TooLong
                take(chunk)
        finally:
            # Read to its end, the connection is back in the pool already; else this cuts it.
            response.close()
            response.release_conn()
        return HttpAnswer(response.status, response.headers, bytes(body))


def _was_stale(attempt: Attempt, error: Exception) -> bool:
    if not attempt.reused or attempt.received or isinstance(error, _TIMEOUTS):
        return False
    return attempt.deadline > time.monotonic()


def _explained(operation: str, attempt: Attempt, error: Exception, *, most: int) -> OciError:
    if isinstance(error, _UNUSABLE):
        detail = say("address_unusable")
        return OciConfigurationFault(operation=operation, status=0, detail=detail, sent=False)
    late = isinstance(error, _TIMEOUTS) or attempt.deadline <= time.monotonic()
    if not attempt.sent:
        return OciNoAnswer(operation=operation, kind="connect", detail=_why(error, late=late))
    if isinstance(error, _TooLong):
        detail = say("answer_too_long", bytes=most)
        return OciNoAnswer(operation=operation, kind="malformed", detail=detail)
    if late:
        return OciNoAnswer(operation=operation, kind="timeout")
    if any(isinstance(one, _CUT_OFF) for one in _causes(error)):
        return OciNoAnswer(operation=operation, kind="broken")
    return OciNoAnswer(operation=operation, kind="malformed", detail=say("no_http"))


def _why(error: BaseException, *, late: bool) -> str:
    """Describe why there is no connection; texts of libraries contain addresses."""
    for kind, code in _REASONS:
        if any(isinstance(one, kind) for one in _causes(error)):
            return say(code)
    return say("no_connection_in_time") if late else ""


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and the errors wrapped in it."""
    seen: list[BaseException] = []
    reason: object = error
    while isinstance(reason, BaseException) and reason not in seen and len(seen) < 10:
        seen.append(reason)
        inner = [getattr(reason, "reason", None), reason.__cause__, reason.__context__]
        reason = next((e for e in [*inner, *reason.args] if isinstance(e, BaseException)), None)
    return seen


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.exceptions.NameResolutionError, "name_not_resolved"),
    (urllib3.exceptions.ProxyError, "proxy_failed"),
    (ssl.SSLError, "certificate_refused"),
    (ConnectionRefusedError, "connection_refused"),
    (AddressRefused, "address_not_permitted"),
)
