"""Connections whose every step ends at the deadline of the call that they serve.

A time limit of `requests` restarts with each piece that arrives, and with each address of a
host. Here reading the head, reading the body and trying the addresses each may take only what is
left. The connection serves the thread that entered `serving`, and notes there how far it came.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from reconciliation.oci import names

# A transport has to do with OCI, its tokens and its exports; more hosts are looked up again.
_MOST_HOSTS = 4


@dataclass(slots=True)
class Attempt:
    """The state of an attempt on the wire. `deadline` is a time of `time.monotonic()`.

    `fresh` asks for a new connection instead of one that has served before; `permits` says which IP
    addresses may be connected to.
    """

    deadline: float
    fresh: bool = False
    permits: Callable[[str], bool] | None = None
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
    attempt: Attempt | None = None


_current = _Current()


@contextlib.contextmanager
def serving(attempt: Attempt) -> Iterator[None]:
    """Let the connections that this thread uses serve `attempt`."""
    _current.attempt = attempt
    try:
        yield
    finally:
        _current.attempt = None


def _attempt() -> Attempt:
    attempt = _current.attempt
    if attempt is None:
        raise RuntimeError("No call is under way in this thread.")
    return attempt


class _TimedReader(io.RawIOBase):
    """Reads a socket until the attempt's deadline, and counts the bytes.

    `ended`: the data ended before the wanted number of bytes.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, attempt: Attempt) -> None:
        self._raw = raw
        self._sock = sock
        self._attempt = attempt
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._attempt.left())
        count: int | None = self._raw.readinto(buffer)
        self._attempt.received += count or 0
        self.ended = self.ended or not count
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self._reader = _TimedReader(self.fp.detach(), sock, _attempt())
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        # The standard library takes a head that was cut off for a whole one.
        if self._reader.ended:
            raise http.client.IncompleteRead(b"")


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse
    _gathered: list[bytes] | None = None

    def connect(self) -> None:
        super().connect()
        _attempt().connected = True

    def request(self, *args: Any, **named: Any) -> None:
        attempt = _attempt()
        if self.sock is not None:
            attempt.reused = not attempt.connected
            self.sock.settimeout(attempt.left())
        # Head and body go out together: one step, and the other side wakes up once.
        gathered: list[bytes] = []
        self._gathered = gathered
        try:
            super().request(*args, **named)
        finally:
            self._gathered = None
        self.send(b"".join(gathered))

    def send(self, data: Any) -> None:
        if self._gathered is None:
            super().send(data)
        else:
            self._gathered.append(data)

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that answers; all of them together get one time limit."""
        limit = min(float(self.timeout or 0), _attempt().left())
        try:
            sock = _connected(
                self._dns_host, self.port, limit, self.socket_options or (), _attempt().permits
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "No connection in time.") from error
        except OSError as error:
            raise NewConnectionError(self, "No connection.") from error
        sock.settimeout(limit)
        return sock


class AddressRefused(OSError):
    """The host has an address that may not be connected to."""


def _connected(
    host: str,
    port: int,
    limit: float,
    options: Any,
    permits: Callable[[str], bool] | None,
) -> socket.socket:
    until = time.monotonic() + limit
    found = names.addresses(host, port, until=until)
    # What is checked is what is connected to: a name may mean something else a moment later.
    if permits is not None and not all(permits(str(one[4][0])) for one in found):
        raise AddressRefused
    refusal = OSError("The name has no address.")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        # One that is silent must leave time for the others, and have enough for a long way.
        share = left if number == len(found) - 1 else left / 2
        try:
            return _opened(family, kind, protocol, address, share, options)
        except OSError as error:
            refusal = error
    raise refusal


def _opened(
    family: int, kind: int, protocol: int, address: Any, limit: float, options: Any
) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.settimeout(limit)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


class _TimedTlsConnection(_TimedConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection

    def _get_conn(self, timeout: float | None = None) -> Any:
        attempt = _attempt()
        connection = super()._get_conn(timeout=attempt.left())
        if attempt.fresh:
            connection.close()
        return connection


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection


class TimedAdapter(HTTPAdapter):
    """Gives `requests` these connections, and answers as `urllib3` reads them.

    `verify` and `proxies` are the same in all its calls, so the pool of a host is looked up once.
    """

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._found: dict[str, Any] = {}

    def proxy_manager_for(self, proxy: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        host, _ = _split(request.url)
        pool = self._found.get(host)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            if len(self._found) >= _MOST_HOSTS:
                self._found.clear()
            self._found[host] = pool
        return pool

    def cert_verify(self, *_: Any) -> None:
        """Leave a pool as it is: it was told what to verify when it was made."""

    def request_url(self, request: Any, proxies: Any) -> str:
        if proxies:
            return super().request_url(request, proxies)
        return _split(request.url)[1]

    def build_response(self, _: Any, response: Any) -> Any:
        """Return the answer as it is, without looking for cookies and character sets in it."""
        return response

    def close(self) -> None:
        self._found.clear()
        super().close()


def _split(url: str) -> tuple[str, str]:
    """Return scheme and host of a prepared address, and what is asked of the host."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", f"/{path}".partition("#")[0]
