"""The cookie of a browser in which a person has signed in before.

It grants no access. A person who sends it is counted separately, so guesses of their password, from
this address or from thousands, do not slow them down.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from coc_admin.header_bounds import DEVICE_COOKIE

_SALT = "coc_admin.accounts.sign_in.devices"
_SECONDS = 180 * 24 * 3600
_MOST_PEOPLE = 5  # of one browser
_SHORT = 20  # characters of a name's hash; the cookie is small


def device_of(request: HttpRequest, name_hash: str) -> str:
    """Return the device's id for the person with this name, or None for a new person."""
    for short, device in _known(request):
        if secrets.compare_digest(short, name_hash[:_SHORT]):
            return device
    return ""


def remember(request: HttpRequest, response: HttpResponse, name_hash: str) -> None:
    """Mark the browser as known for the person, who has just signed in."""
    device = device_of(request, name_hash) or secrets.token_urlsafe(12)
    others = [one for one in _known(request) if one[0] != name_hash[:_SHORT]]
    kept = [(name_hash[:_SHORT], device), *others][:_MOST_PEOPLE]
    response.set_cookie(
        DEVICE_COOKIE,
        signing.dumps(kept, salt=_SALT),
        max_age=_SECONDS,
        path=reverse("login"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _known(request: HttpRequest) -> list[tuple[str, str]]:
    try:
        found: Any = signing.loads(
            request.COOKIES.get(DEVICE_COOKIE, ""), salt=_SALT, max_age=_SECONDS
        )
        # Only this module signs with the salt, so signed values have this shape.
        return [(str(short), str(device)) for short, device in found]
    except signing.BadSignature:
        return []
