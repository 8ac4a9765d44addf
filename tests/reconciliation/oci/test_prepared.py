"""A request is what `requests` makes of it, at the cost of what differs from the last one."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
import requests

from reconciliation.oci.prepared import prepared
from reconciliation.oci.sockets import TimedAdapter
from reconciliation.oci.transport import Transport
from tests.reconciliation.oci.raw_server import RawServer
from tests.reconciliation.oci.single_requests import OK, send

HEADERS = {"Accept": "application/json", "content-type": "application/json"}


def as_requests_does(url: str) -> requests.PreparedRequest:
    request = requests.Request("PUT", url, headers=HEADERS, data=b"{}")
    return requests.Session().prepare_request(request)


ADDRESSES = [
    "https://oci.example/inventory/v1/documents/6f9c",
    "https://oci.example/a b/ü/documents/6f9c",
    "https://oci.example/a%2/%7e/6f9c",
    "https://oci.example/a/../6f9c",
    "https://oci.example/a/..",
    "https://oci.example/a//6f9c",
    "https://oci.example/6f9c",
    "https://oci.example",
    "https://oci.example/",
    "HTTPS://OCI.Example:443/A/6f9c",
    "https://bücher.example/a/6f9c",
    "https://me:secret@oci.example/a/6f9c",
    "https://oci.example/a?b=/6f9c",
    "https://oci.example/a#b/6f9c",
    "http://[::1]:80/a/6f9c",
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_a_request_is_what_requests_makes_of_it(url: str) -> None:
    for _ in range(2):
        made, usual = prepared("PUT", url, headers=HEADERS, body=b"{}"), as_requests_does(url)
        assert (made.method, made.url, made.body) == (usual.method, usual.url, usual.body)
        assert dict(made.headers.lower_items()) == dict(usual.headers.lower_items())


@pytest.mark.parametrize(
    "url", ["oci.example/a/6f9c", "ftp://oci.example/a/6f9c", "http://a:b/c/d", "http:///a/b"]
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(requests.RequestException):
        prepared("PUT", url, headers=HEADERS, body=b"{}")


def test_a_header_of_two_lines_is_refused() -> None:
    with pytest.raises(requests.exceptions.InvalidHeader):
        prepared("PUT", "https://oci.example/a/b", headers={"A": "b\nC: d"}, body=b"")


def test_an_address_is_prepared_once_for_all_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    prepare_url = requests.PreparedRequest.prepare_url

    def counted(self: Any, *args: Any) -> None:
        made.append(args)
        prepare_url(self, *args)

    monkeypatch.setattr(requests.PreparedRequest, "prepare_url", counted)
    for number in range(50):
        prepared("PUT", f"https://once.example/documents/{number}", headers=HEADERS, body=b"{}")
    assert len(made) == 1


@pytest.mark.parametrize("url", ADDRESSES)
@pytest.mark.parametrize("proxies", [{}, {"http": "http://proxy:3128"}])
def test_a_host_is_asked_for_what_requests_asks_for(url: str, proxies: dict[str, str]) -> None:
    request = as_requests_does(url)
    usual = requests.adapters.HTTPAdapter().request_url(request, proxies)
    assert TimedAdapter().request_url(request, proxies) == usual


def test_the_connections_of_a_host_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    look_up = requests.adapters.HTTPAdapter.get_connection_with_tls_context

    def counted(self: Any, request: Any, *args: Any) -> Any:
        found.append(request.url)
        return look_up(self, request, *args)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "get_connection_with_tls_context", counted)
    with RawServer(OK, OK, OK) as server:
        transport = Transport(pool_size=1)
        for _ in range(3):
            assert send(server.url, transport=transport).status == 200
    assert len(found) == 1


def test_head_and_body_are_sent_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the other side wakes up once."""
    sent: list[bytes] = []
    send_bytes = http.client.HTTPConnection.send

    def counted(self: Any, data: Any) -> None:
        sent.append(data)
        send_bytes(self, data)

    monkeypatch.setattr(http.client.HTTPConnection, "send", counted)
    with RawServer(OK, OK) as server:
        transport = Transport(pool_size=1)
        for _ in range(2):
            assert send(server.url, transport=transport).status == 200
    assert len(sent) == 2
    assert all(b"\r\n\r\n" in data for data in sent)
