"""API tokens: made once, known afterwards by their hash alone. A token is never logged."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from coc_admin.models import ApiToken, TokenScope
from orders.models import Site
from orders.recent import Recent

PREFIX = "coc_"
# The time of the last use is written at most this often: reading must not cost a write each time.
USE_NOTED_EVERY = timedelta(minutes=1)

# Tokens with their sites, by hash. Web processes remember them for a second: an order costs a
# statement less, and a token that is revoked, or a setting of a site, counts a second later.
recent: Recent[str, ApiToken] = Recent()
REMEMBERED_SECONDS = 1.0

_TOKEN = re.compile(rf"\A{PREFIX}[A-Za-z0-9_-]{{43}}\Z")
_SCHEME = "bearer "


class TokenRefused(ValueError):
    """A token cannot be made as asked."""


def make(*, name: str, site: Site, scopes: Collection[str]) -> str:
    """Make a token and return it; this is the only time that anybody sees it.

    Raises TokenRefused for a name that the site has used already, and for scopes that are none.
    """
    token, row = build(name=name, site=site, scopes=scopes)
    row.save(force_insert=True)
    return token


def build(*, name: str, site: Site, scopes: Collection[str]) -> tuple[str, ApiToken]:
    """Return a new token and its unsaved row; raises TokenRefused."""
    unknown = sorted(set(scopes) - set(TokenScope.values))
    if unknown:
        words = _("%(unknown)s: no such scope. %(scopes)s.")
        raise TokenRefused(
            words % {"unknown": ", ".join(unknown), "scopes": ", ".join(TokenScope.values)}
        )
    if not scopes:
        raise TokenRefused(_("Give the token at least one scope."))
    if not name or len(name) > 100 or not name.isprintable():
        raise TokenRefused(_("A token's name has 1 to 100 printable characters."))
    if ApiToken.objects.filter(site=site, name=name).exists():
        words = _("Site %(site)s has a token named %(name)s already; use another name.")
        raise TokenRefused(words % {"site": site.pk, "name": repr(name)})
    token = PREFIX + secrets.token_urlsafe(32)
    # In the order in which the scopes are declared, each once.
    kept = [scope for scope in TokenScope.values if scope in scopes]
    return token, ApiToken(name=name, site=site, scopes=kept, token_hash=_hash(token))


def authenticate(header: str | None, *, now: datetime) -> ApiToken | None:
    """Return the token that an Authorization header presents, with its site; None if it is none.

    A revoked token is none; a web process may take it for one a second longer (`recent`). Notes
    that the token was used, once a minute at most.
    """
    if not header or header[: len(_SCHEME)].lower() != _SCHEME:
        return None
    presented = header[len(_SCHEME) :].strip(" ")
    if not _TOKEN.match(presented):
        return None
    digest = _hash(presented)
    return recent.get(digest, lambda: _read(digest, now))


def _read(digest: str, now: datetime) -> ApiToken | None:
    token = (
        ApiToken.objects.select_related("site").filter(token_hash=digest, revoked_at=None).first()
    )
    if token is None or not hmac.compare_digest(token.token_hash, digest):
        return None
    _note_use(token, now)
    return token


def revoke(tokens: Collection[int], *, now: datetime) -> int:
    """Revoke tokens by their primary keys; return how many were not revoked before."""
    recent.forget()
    return ApiToken.objects.filter(pk__in=tokens, revoked_at=None).update(revoked_at=now)


def _hash(token: str) -> str:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def _note_use(token: ApiToken, now: datetime) -> None:
    before = now - USE_NOTED_EVERY
    if token.last_used_at is not None and token.last_used_at > before:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=before)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
