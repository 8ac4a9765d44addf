"""Host names are looked up within the time that a call has, and not for each call."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from reconciliation.oci import names
from reconciliation.oci.errors import OciNoAnswer
from reconciliation.oci.transport import HttpRequest, Transport

HERE: Any = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]


class Resolver:
    """Answers when it is let; counts who asks it."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = 0
        self.error: Exception | None = None

    def __call__(self, host: str, port: int, **named: Any) -> Any:
        self.asked += 1
        assert self.go.wait(20)
        if self.error is not None:
            raise self.error
        return HERE


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    names.forget()
    resolver = Resolver()
    monkeypatch.setattr("reconciliation.oci.names.socket.getaddrinfo", resolver)
    yield resolver
    resolver.go.set()
    names.forget()


def soon(seconds: float = 20) -> float:
    return time.monotonic() + seconds


def test_a_slow_look_up_ends_with_the_call_and_serves_the_next(resolver: Resolver) -> None:
    request = HttpRequest(
        operation="put",
        method="PUT",
        url="http://oci.example/",
        headers={},
        body=b"",
        connect_timeout=0.1,
        deadline=soon(0.1),
        repeatable=True,
    )
    # The resolver answers only when this call has ended.
    with pytest.raises(OciNoAnswer) as away:
        Transport(pool_size=1).call(request)
    assert (away.value.kind, away.value.sent) == ("connect", False)
    with pytest.raises(TimeoutError):
        names.addresses("oci.example", 80, until=soon(0))
    resolver.go.set()
    assert names.addresses("oci.example", 80, until=soon()) == HERE
    assert names.addresses("oci.example", 80, until=soon()) == HERE
    assert resolver.asked == 1


def test_what_was_found_is_kept_for_a_short_time(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver.go.set()
    names.addresses("oci.example", 80, until=soon())
    monkeypatch.setattr(names, "KEPT_SECONDS", 0.0)
    names.addresses("oci.example", 80, until=soon())
    assert resolver.asked == 2


def test_a_failure_is_not_kept(resolver: Resolver) -> None:
    resolver.go.set()
    resolver.error = socket.gaierror(socket.EAI_NONAME, "unknown")
    with pytest.raises(socket.gaierror):
        names.addresses("oci.example", 80, until=soon())
    resolver.error = None
    assert names.addresses("oci.example", 80, until=soon()) == HERE


def test_an_address_needs_no_thread(resolver: Resolver) -> None:
    resolver.go.set()
    before = threading.active_count()
    assert names.addresses("127.0.0.1", 9, until=soon(0)) == HERE
    assert names.addresses("::1", 9, until=soon(0)) == HERE
    assert threading.active_count() == before
