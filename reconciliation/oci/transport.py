"""HTTP towards OCI: reused connections, one deadline for a whole call, bounded answers.

A time limit of `requests` counts anew with each piece that arrives, so that an answer dripping in
byte by byte could hold a worker for ever. Here each read, of the head as well as of the body, may
take only what is left until the deadline of the call. Looking up a host name is the one step that
the operating system bounds instead.

A server may close a connection at rest just as a request is written to it. That is no outage: if a
*reused* connection ends before any byte of the answer, and not by our time limit, the same bytes
are sent once more at once over a new connection. Only calls that are safe to repeat ask for it:
OCI may have carried out the first one. This is no retry policy; retrying is the caller's business.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from reconciliation.oci.errors import OciConfigurationFault, OciError, OciNoAnswer

MAX_ANSWER = 5_000_000
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `deadline` is a time of `time.monotonic()`; `connect_timeout` is in seconds."""

    operation: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    connect_timeout: float
    deadline: float
    repeatable: bool


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer of any status; names of `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class _Attempt:
    """What happened on the wire so far, filled in by the connection that serves this thread."""

    deadline: float
    connected: bool = False
    reused: bool = False
    received: int = 0

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError when none are left."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    @property
    def sent(self) -> bool:
        """Whether any byte of the request may have gone out."""
        return self.connected or self.reused


class _Current(threading.local):
    attempt: _Attempt | None = None


_current = _Current()


def _attempt() -> _Attempt:
    attempt = _current.attempt
    if attempt is None:
        raise RuntimeError("No call is under way in this thread.")
    return attempt


class _TimedReader(io.RawIOBase):
    """Reads a socket until the attempt's deadline, and counts what came."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, attempt: _Attempt) -> None:
        self._raw = raw
        self._sock = sock
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._attempt.left())
        count: int | None = self._raw.readinto(buffer)
        self._attempt.received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedReader(raw, sock, _attempt()))


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse

    def connect(self) -> None:
        super().connect()
        _attempt().connected = True

    def request(self, *args: Any, **named: Any) -> None:
        attempt = _attempt()
        if self.sock is not None:
            attempt.reused = not attempt.connected
            self.sock.settimeout(attempt.left())
        super().request(*args, **named)


class _TimedTlsConnection(_TimedConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection

    def _get_conn(self, timeout: float | None = None) -> Any:
        return super()._get_conn(timeout=_attempt().left())


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def forget_connections(self) -> None:
        """Let go of idle connections; those in use carry on."""
        self.poolmanager.clear()


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
_TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)


class Transport:
    """At most `pool_size` connections per host, kept open and shared by any number of threads.

    Neither proxies, `.netrc`, cookies nor redirects play a part: a redirect is an answer like any.
    """

    def __init__(self, *, pool_size: int) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._adapter = _Adapter(
            pool_connections=4, pool_maxsize=pool_size, max_retries=0, pool_block=True
        )
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)

    def call(self, request: HttpRequest) -> HttpAnswer:
        """Send a request and return its complete answer.

        Raises OciNoAnswer (connect, timeout, malformed), and OciConfigurationFault for an address
        that cannot be one.
        """
        attempt, answer = self._try(request)
        if isinstance(answer, Exception) and request.repeatable and _was_stale(attempt, answer):
            self._adapter.forget_connections()
            attempt, answer = self._try(request)
        if isinstance(answer, HttpAnswer):
            return answer
        raise _explained(request.operation, attempt, answer) from None

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def _try(self, request: HttpRequest) -> tuple[_Attempt, HttpAnswer | Exception]:
        attempt = _Attempt(request.deadline)
        _current.attempt = attempt
        try:
            return attempt, self._exchange(request, attempt)
        except _FAILURES as error:
            return attempt, error
        finally:
            _current.attempt = None

    def _exchange(self, request: HttpRequest, attempt: _Attempt) -> HttpAnswer:
        left = attempt.left()
        response = self._session.request(
            request.method,
            request.url,
            data=request.body,
            headers=request.headers,
            timeout=(min(request.connect_timeout, left), left),
            stream=True,
            allow_redirects=False,
        )
        try:
            body = bytearray()
            while chunk := response.raw.read(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise _TooLong
        finally:
            # Read to its end, the connection is back in the pool already; else this cuts it.
            response.close()
        headers = CaseInsensitiveDict(response.headers)
        return HttpAnswer(response.status_code, headers, bytes(body))


def _was_stale(attempt: _Attempt, error: Exception) -> bool:
    if not attempt.reused or attempt.received or isinstance(error, _TIMEOUTS):
        return False
    return attempt.deadline > time.monotonic()


def _explained(operation: str, attempt: _Attempt, error: Exception) -> OciError:
    if isinstance(error, _UNUSABLE):
        detail = "The address of OCI in the settings cannot be used."
        return OciConfigurationFault(operation=operation, status=0, detail=detail, sent=False)
    late = isinstance(error, _TIMEOUTS) or attempt.deadline <= time.monotonic()
    if not attempt.sent:
        return OciNoAnswer(operation=operation, kind="connect", detail=_why(error, late=late))
    if isinstance(error, _TooLong):
        detail = f"It is longer than {MAX_ANSWER} bytes."
        return OciNoAnswer(operation=operation, kind="malformed", detail=detail)
    if late:
        return OciNoAnswer(operation=operation, kind="timeout")
    detail = "The connection ended before the answer was complete."
    return OciNoAnswer(operation=operation, kind="malformed", detail=detail)


def _why(error: BaseException, *, late: bool) -> str:
    """Say why there is no connection; the texts of the libraries name addresses."""
    seen: list[BaseException] = []
    reason: object = error
    while isinstance(reason, BaseException) and reason not in seen and len(seen) < 10:
        seen.append(reason)
        inner = [getattr(reason, "reason", None), reason.__cause__, reason.__context__]
        reason = next((e for e in [*inner, *reason.args] if isinstance(e, BaseException)), None)
    for kind, words in _REASONS:
        if any(isinstance(e, kind) for e in seen):
            return words
    return "No connection in time." if late else ""


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.exceptions.NameResolutionError, "Its name could not be resolved."),
    (ssl.SSLError, "Its certificate or the secure connection was not accepted."),
    (ConnectionRefusedError, "The connection was refused."),
)
