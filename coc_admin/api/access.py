"""Who may make which call: a token is valid for one site, several or all, and has scopes.

The token is checked first (401), then its scopes (403), then its sites: another site's data looks
as if it did not exist (404).
"""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone
from ninja.security.base import AuthBase

from coc_admin.accounts import tokens
from coc_admin.api.problems import Forbidden, NotFound, Unauthenticated
from coc_admin.models import ApiToken, TokenScope
from orders.actors import Actor, api_client
from orders.models import Site


class BearerToken(AuthBase):
    """The rule of one operation: a valid token with one of `scopes`."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, *scopes: TokenScope) -> None:
        super().__init__()
        self.scopes = scopes

    def __call__(self, request: HttpRequest) -> ApiToken:
        """Return the token of `request`. Raises Unauthenticated or Forbidden."""
        token = tokens.authenticate(request.META.get("HTTP_AUTHORIZATION"), now=timezone.now())
        if token is None:
            raise Unauthenticated
        if not set(self.scopes) & set(token.scopes):
            raise Forbidden([scope.value for scope in self.scopes])
        return token


def token_of(request: HttpRequest) -> ApiToken:
    """Return the token that the operation's rule has authenticated."""
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    return token


def site_of(token: ApiToken, site_id: str) -> Site:
    """Return the site with this id if the token is valid for it; raises NotFound."""
    site = tokens.site_for(token, site_id)
    if site is None:
        raise NotFound("There is no such site, or the token is not good for it.")
    return site


def sites_of(token: ApiToken, only: str | None = None) -> list[str]:
    """Return the ids of the token's sites, or only the requested one (`only`); raises NotFound."""
    return tokens.site_ids_of(token) if only is None else [site_of(token, only).pk]


def actor_of(token: ApiToken) -> Actor:
    """Return the caller's name for the history of orders."""
    return api_client(token.name)
