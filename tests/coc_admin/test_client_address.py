"""Where a request comes from: proxies that are named are believed, and nobody else is."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from coc_admin.client_address import (
    ClientAddressMiddleware,
    address_of,
    client_of,
    place_of,
)
from coc_admin.env import networks
from coc_admin.models import AuditEntry
from tests.coc_admin.console.scene import make_user
from tests.growth import calls_of

PROXY = "10.0.0.7"
STRANGER = "203.0.113.9"


@pytest.fixture
def behind_proxies(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS ends at a proxy; a second one stands before it."""
    monkeypatch.setenv("COC_X", "10.0.0.7, 10.1.0.0/16,2001:db8:1::/48")
    settings.COC_TRUSTED_PROXIES = networks("COC_X")
    settings.COC_BEHIND_TLS_PROXY = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True


def seen(**meta: str) -> dict[str, Any]:
    """Return what a request is to everything behind the middleware."""
    found: dict[str, Any] = {}

    def view(request: HttpRequest) -> HttpResponse:
        found.update(request.META)
        return HttpResponse()

    request = HttpRequest()
    request.META = meta
    ClientAddressMiddleware(view)(request)
    return found


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.1", "198.51.100.1"),
        # What stands further left was sent by the client.
        ("192.0.2.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.7, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("198.51.100.1,10.1.2.3,2001:db8:1::5", "198.51.100.1"),
        ("198.51.100.1:4711", "198.51.100.1"),
        ("[2001:db8:5::1]:4711, [2001:db8:1::5]", "2001:db8:5::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "fe80::1"),
        # Only proxies: the one that is farthest away has asked.
        ("10.1.2.3, 10.1.2.4", "10.1.2.3"),
        # What cannot be read ends the list.
        ("", PROXY),
        ("unknown", PROXY),
        ("198.51.100.1, unknown", PROXY),
        ("198.51.100.1, unknown, 10.1.2.3", "10.1.2.3"),
        (", , ,", PROXY),
        ("999.1.1.1", PROXY),
        ("[::1", "::1"),
        ("]" * 50, PROXY),
        ("1.2.3.4\x00", PROXY),
        ("١.٢.٣.٤", PROXY),
        ("for=198.51.100.1", PROXY),
    ],
)
def test_the_client_is_the_last_that_no_proxy_of_ours_is(
    behind_proxies: None, forwarded: str, client: str
) -> None:
    meta = seen(REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=forwarded, HTTP_X_FORWARDED_PROTO="https")
    assert meta["REMOTE_ADDR"] == client
    assert meta["HTTP_X_FORWARDED_PROTO"] == "https"


@pytest.mark.parametrize("peer", [STRANGER, "", "unknown", "127.0.0.1", "::ffff:203.0.113.9"])
def test_what_strangers_say_is_taken_away(behind_proxies: None, peer: str) -> None:
    meta = seen(
        REMOTE_ADDR=peer,
        HTTP_X_FORWARDED_FOR="198.51.100.1",
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_FORWARDED="for=198.51.100.1;proto=https",
        HTTP_X_FORWARDED_HOST="evil.test",
        HTTP_X_FORWARDED_PORT="1",
    )
    assert meta == {"REMOTE_ADDR": peer}


def test_without_a_named_proxy_nobody_is_believed() -> None:
    meta = seen(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.1")
    assert meta == {"REMOTE_ADDR": "127.0.0.1"}


def test_a_long_list_is_read_for_a_bounded_part(behind_proxies: None) -> None:
    trusted = networks("COC_X")
    peer = address_of(PROXY)
    few = calls_of(lambda: client_of(peer, "10.1.2.3," * 100 + "10.1.2.3", trusted))
    many = calls_of(lambda: client_of(peer, "10.1.2.3," * 6_000 + "10.1.2.3", trusted))
    assert abs(many - few) < 20
    assert client_of(peer, "10.1.2.3," * 6_000 + "10.1.2.3", trusted) == address_of("10.1.2.3")


def test_https_is_believed_of_a_proxy_alone(
    db: None, behind_proxies: None, caplog: pytest.LogCaptureFixture
) -> None:
    def status(peer: str, proto: str) -> int:
        headers = {"X-Forwarded-Proto": proto, "X-Forwarded-For": "198.51.100.1"}
        return Client().get("/login/", REMOTE_ADDR=peer, headers=headers).status_code

    assert [status(PROXY, "https"), status(PROXY, "http")] == [200, 301]
    assert [status(STRANGER, "https"), status(STRANGER, "http")] == [301, 301]
    assert [status("10.1.9.9", "https"), status("10.2.0.1", "https")] == [200, 301]


def test_a_proxy_that_is_not_named_is_told_of_once(
    behind_proxies: None, caplog: pytest.LogCaptureFixture
) -> None:
    middleware = ClientAddressMiddleware(lambda _: HttpResponse())
    for _ in range(3):
        request = HttpRequest()
        request.META = {"REMOTE_ADDR": STRANGER, "HTTP_X_FORWARDED_PROTO": "https"}
        middleware(request)
    assert [record.getMessage() for record in caplog.records] == [
        "X-Forwarded-Proto of 203.0.113.9 was ignored: it is not in COC_TRUSTED_PROXIES."
        " If it is your proxy, name it there."
    ]


def test_behind_the_proxy_each_client_is_counted_by_itself(db: None, behind_proxies: None) -> None:
    make_user("vera", "orders.view_order")

    def sign_in(forwarded: str, password: str) -> int:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": forwarded}
        form = {"username": "vera", "password": password}
        return Client().post("/login/", form, REMOTE_ADDR=PROXY, headers=headers).status_code

    # Each try says to come from somewhere else; the proxy knows better.
    tries = [sign_in(f"192.0.2.{n}, {STRANGER}", "wrong") for n in range(8)]
    assert tries == [200] * 5 + [429] * 3
    assert sign_in("198.51.100.1", "a long password") == 302
    assert sign_in(STRANGER, "a long password") == 429
    entries = AuditEntry.objects.order_by("id").values_list("action", "detail__address")
    assert list(entries) == [
        *[("session.refused", STRANGER)] * 3,
        ("session.signed_in", "198.51.100.1"),
    ]


@pytest.mark.parametrize(
    ("address", "place", "block"),
    [
        ("198.51.100.1", "198.51.100.1", "198.51.100.0/24"),
        ("::ffff:198.51.100.1", "198.51.100.1", "198.51.100.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("", "unknown", "unknown"),
    ],
)
def test_places_and_blocks(address: str, place: str, block: str) -> None:
    assert place_of({"REMOTE_ADDR": address}) == (place, block)
