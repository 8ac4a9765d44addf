"""Which addresses a webhook may have."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from reconciliation.alerts.channels.addresses import check_webhook, permits


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example.com/x",
        "ftp://hooks.example.com/x",
        "https://user:word@hooks.example.com/x",
        "https://word@hooks.example.com/",
        "https:///x",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/x#part",
        "https://hooks.example.com/x y",
        "https://hooks.example.com/x\r\nHost: evil",
        "https://hööks.example.com/",
        "https://localhost/x",
        "http://127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://10.0.0.5/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[fe80::1]/x",
        "https://0.0.0.0/",
        "https://printer.local/",
        "javascript:alert(1)",
        "",
    ],
)
def test_refused(address: str, settings: Any) -> None:
    settings.COC_WEBHOOKS_LOCAL = False
    settings.COC_WEBHOOKS_PRIVATE = False
    with pytest.raises(ValidationError):
        check_webhook(address)


def test_allowed(settings: Any) -> None:
    settings.COC_WEBHOOKS_LOCAL = False
    check_webhook("https://hooks.example.com/services/T0/B0?x=1")
    check_webhook("https://hooks.example.com:8443/")
    settings.COC_WEBHOOKS_LOCAL = True
    check_webhook("http://localhost:9000/x")
    check_webhook("http://127.0.0.1:9000/x")
    with pytest.raises(ValidationError):
        check_webhook("http://hooks.example.com/")
    settings.COC_WEBHOOKS_PRIVATE = True
    check_webhook("https://10.0.0.5/x")


@pytest.mark.parametrize(
    ("ip", "public", "private", "local"),
    [
        ("93.184.216.34", True, True, True),
        ("2606:2800:220:1:248:1893:25c8:1946", True, True, True),
        ("10.1.2.3", False, True, False),
        ("192.168.1.1", False, True, False),
        ("fd00::1", False, True, False),
        ("::ffff:10.1.2.3", False, True, False),
        ("64:ff9b::0a01:0203", False, True, False),
        ("127.0.0.1", False, False, True),
        ("127.9.9.9", False, False, True),
        ("::1", False, False, True),
        ("169.254.169.254", False, False, False),
        ("fe80::1%eth0", False, False, False),
        ("0.0.0.0", False, False, False),
        ("100.64.0.1", False, False, False),
        ("224.0.0.1", False, False, False),
        ("2002:0a01:0203::1", False, False, False),
        ("no address", False, False, False),
    ],
)
def test_addresses_of_connections(
    settings: Any, ip: str, public: bool, private: bool, local: bool
) -> None:
    told = []
    for local_too, private_too in ((False, False), (False, True), (True, False)):
        settings.COC_WEBHOOKS_LOCAL = local_too
        settings.COC_WEBHOOKS_PRIVATE = private_too
        told.append(permits(ip))
    assert told == [public, private, local]
