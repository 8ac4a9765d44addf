"""Where a request comes from: the address of the client, also behind a proxy that is trusted.

Headers about the client are believed from the networks in COC_TRUSTED_PROXIES alone. From anybody
else they are taken away, so that nothing behind this middleware can believe them by mistake.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# A header this module does not read (Forwarded, -Host, -Port) must not be read elsewhere either.
_HEADERS = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_FORWARDED",
)
_MOST_PROXIES = 16
_LONGEST_ADDRESS = 60
_WARN_EVERY = 600.0


class ClientAddressMiddleware:
    """Sets REMOTE_ADDR to the client's address, and drops claims of untrusted peers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._warned_at = float("-inf")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        peer, trusted = address_of(request.META.get("REMOTE_ADDR", "")), _trusted()
        if is_trusted(peer, trusted):
            client = client_of(peer, request.META.get("HTTP_X_FORWARDED_FOR", ""), trusted)
            request.META["REMOTE_ADDR"] = str(client)
        else:
            self._drop(request.META, peer)
        return self.get_response(request)

    def _drop(self, meta: dict[str, Any], peer: Address | None) -> None:
        found = [name for name in _HEADERS if meta.pop(name, None) is not None]
        if not settings.COC_BEHIND_TLS_PROXY or "HTTP_X_FORWARDED_PROTO" not in found:
            return
        now = time.monotonic()
        if now - self._warned_at >= _WARN_EVERY:
            self._warned_at = now
            logger.warning(
                "X-Forwarded-Proto of %s was ignored: it is not in COC_TRUSTED_PROXIES."
                " If it is your proxy, name it there.",
                peer,
            )


def address_of(text: str) -> Address | None:
    """Return the address in `text`, which may have a port, or None for anything else."""
    text = text.strip()
    return _address_of(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=1_000)
def _address_of(text: str) -> Address | None:
    """Return the address in a short text; the same few peers ask again and again."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id:
            address = IPv6Address(int(address))
        return address.ipv4_mapped or address
    return address


def is_trusted(address: Address | None, trusted: Sequence[Network]) -> bool:
    """Whether `address` is in one of the networks."""
    return address is not None and any(address in network for network in trusted)


def client_of(
    peer: Address | None, forwarded_for: str, trusted: Sequence[Network]
) -> Address | None:
    """Return the client's address as reported by a trusted `peer`.

    Each proxy appends whom it was asked by, so the list is read from its end, as far as those who
    wrote it are trusted. What cannot be read ends it: the last address known is returned.
    """
    client = peer
    hops = forwarded_for.rsplit(",", _MOST_PROXIES)[-_MOST_PROXIES:]
    for text in reversed(hops):
        address = address_of(text)
        if address is None:
            break
        client = address
        if not is_trusted(address, trusted):
            break
    return client


def place_of(meta: Mapping[str, Any]) -> tuple[str, str]:
    """Return the network that counts as one place, and its block.

    One IPv4 address in its /24; of IPv6 a /64, all of which one customer has, in its /48.
    """
    address = address_of(str(meta.get("REMOTE_ADDR", "")))
    if address is None:
        return "unknown", "unknown"
    if isinstance(address, IPv4Address):
        return str(address), str(ip_network((address, 24), strict=False))
    return (
        str(ip_network((address, 64), strict=False)),
        str(ip_network((address, 48), strict=False)),
    )


def _trusted() -> Sequence[Network]:
    networks: Sequence[Network] = settings.COC_TRUSTED_PROXIES
    return networks
