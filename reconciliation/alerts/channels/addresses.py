"""Which addresses a webhook may have: an operator must not turn us against our own network.

Public addresses with https; http and this machine's own only where COC_WEBHOOKS_LOCAL is on, those
of private networks only where COC_WEBHOOKS_PRIVATE is. The IP address is checked as well when the
connection is made, since a name may mean something else by then.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Addresses that stand for IPv4 addresses behind a translator.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def check_webhook(address: str) -> None:
    """Raise ValidationError, with what to do, unless a webhook may have this address."""
    if not address.isascii() or not address.isprintable() or " " in address:
        raise ValidationError(_("Use an address without spaces and special characters."))
    try:
        url = urlsplit(address)
        host, _port = url.hostname, url.port
    except ValueError:
        raise ValidationError(_("Use an address like https://hooks.example.com/path.")) from None
    if not host or url.scheme not in ("https", "http"):
        raise ValidationError(_("Use an address like https://hooks.example.com/path."))
    if "@" in url.netloc:
        raise ValidationError(_("Leave the user name and password out of the address."))
    if url.fragment:
        raise ValidationError(_("Leave the part after # out of the address."))
    is_local = host in _LOCAL_NAMES and settings.COC_WEBHOOKS_LOCAL
    if url.scheme == "http" and not is_local:
        raise ValidationError(_("Use https. Otherwise messages could be read in transit."))
    if not is_local and not _may_be_host(host):
        raise ValidationError(
            _("That address belongs to this machine or to a private network; see docs/channels.md.")
        )


def permits(ip: str) -> bool:
    """Whether a webhook may connect to this IP address."""
    try:
        # A link-local address may name its interface.
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return permits(str(address.ipv4_mapped))
        if address in _TRANSLATED:
            return permits(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address.sixtofour is not None or address.teredo is not None:
            return False
    if address.is_loopback:
        return bool(settings.COC_WEBHOOKS_LOCAL)
    if address.is_multicast or address.is_link_local or address.is_unspecified:
        return False
    if address.is_global:
        return not address.is_reserved
    return bool(settings.COC_WEBHOOKS_PRIVATE) and address.is_private and not address.is_reserved


def _may_be_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host not in _LOCAL_NAMES and not host.endswith((".localhost", ".local"))
    return permits(host)
