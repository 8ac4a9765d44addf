"""API tokens: shown once, then stored only as a hash. A token is never logged."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from coc_admin.models import ApiToken, TokenScope
from orders.models import Site
from orders.recent import Recent
from orders.texts import is_plain

PREFIX = "coc_"
# The time of the last use is written at most this often, so that not every read costs a write.
USE_NOTED_EVERY = timedelta(minutes=1)

# Tokens with their sites, by hash. Web processes cache them for a second, which saves a statement
# per order; a revoked token or a changed site setting takes effect a second later.
recent: Recent[str, ApiToken] = Recent()
REMEMBERED_SECONDS = 1.0

_TOKEN = re.compile(rf"\A{PREFIX}[A-Za-z0-9_-]{{43}}\Z")
_SCHEME = "bearer "


class TokenRefused(ValueError):
    """A token can't be created as requested."""


def make(
    *,
    name: str,
    scopes: Collection[str],
    site: Site | None = None,
    sites: Collection[Site] = (),
    every_site: bool = False,
) -> str:
    """Create a token and return it; it can't be shown again.

    It is valid for `site`, for several `sites`, or for all. Raises TokenRefused for a name already
    in use, and for unknown scopes.
    """
    named = {one.pk: one for one in ([site] if site else sites)}
    if every_site == bool(named):
        raise TokenRefused(_("Name the sites of the token, or choose all sites."))
    only = next(iter(named.values())) if len(named) == 1 else None
    token, row = build(name=name, site=only, scopes=scopes)
    row.every_site = every_site
    with transaction.atomic():
        row.save(force_insert=True)
        if only is None:
            row.sites.set(named.values())
    return token


def build(*, name: str, site: Site | None, scopes: Collection[str]) -> tuple[str, ApiToken]:
    """Return a new token and its unsaved row; raises TokenRefused."""
    unknown = sorted(set(scopes) - set(TokenScope.values))
    if unknown:
        words = _("Unknown scope: %(unknown)s. %(scopes)s.")
        raise TokenRefused(
            words % {"unknown": ", ".join(unknown), "scopes": ", ".join(TokenScope.values)}
        )
    if not scopes:
        raise TokenRefused(_("Give the token at least one scope."))
    if not name or len(name) > 100 or not name.isprintable():
        raise TokenRefused(_("Use 1 to 100 printable characters for the token's name."))
    if ApiToken.objects.filter(site=site, name=name).exists():
        if site is None:
            words = _("A token of several sites is named %(name)s already; use another name.")
            raise TokenRefused(words % {"name": repr(name)})
        words = _("Site %(site)s already has a token named %(name)s. Use another name.")
        raise TokenRefused(words % {"site": site.pk, "name": repr(name)})
    token = PREFIX + secrets.token_urlsafe(32)
    # In the order in which the scopes are declared, without duplicates.
    kept = [scope for scope in TokenScope.values if scope in scopes]
    return token, ApiToken(name=name, site=site, scopes=kept, token_hash=_hash(token))


def site_for(token: ApiToken, site_id: str) -> Site | None:
    """Return the site with this id if the token is valid for it; no query for a one-site token."""
    if token.site is not None:
        return token.site if token.site.pk == site_id else None
    found = Site.objects if token.every_site else token.sites
    return found.filter(pk=site_id).first() if is_plain(site_id) else None


def site_ids_of(token: ApiToken) -> list[str]:
    """Return the ids of the token's sites; no query for a token of one site."""
    if token.site_id is not None:
        return [token.site_id]
    found = Site.objects if token.every_site else token.sites
    return list(found.order_by("pk").values_list("pk", flat=True))


def sites_word(token: ApiToken) -> str:
    """Return the sites of a token in words."""
    return _("All sites") if token.every_site else ", ".join(site_ids_of(token))


def authenticate(header: str | None, *, now: datetime) -> ApiToken | None:
    """Return the token in an Authorization header, or None if there is no valid one.

    A web process may accept a revoked token for one more second (`recent`). Stores the time of use,
    at most once a minute.
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
    """Revoke tokens by primary key; return how many were not revoked before."""
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
