"""Who may call what: a token is of one site and has scopes.

First the token is looked at (401), then its scopes (403), then its site: what belongs to another
site is answered as what does not exist (404).
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
        token = tokens.authenticate(request.headers.get("Authorization"), now=timezone.now())
        if token is None:
            raise Unauthenticated
        if not set(self.scopes) & set(token.scopes):
            raise Forbidden([scope.value for scope in self.scopes])
        return token


def token_of(request: HttpRequest) -> ApiToken:
    """Return the token that the operation's rule has found."""
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    return token


def site_of(token: ApiToken, site_id: str) -> Site:
    """Return the token's site if that is its id; raises NotFound."""
    if site_id != token.site_id:
        raise NotFound("There is no such site, or the token is not good for it.")
    return token.site


def actor_of(token: ApiToken) -> Actor:
    """Return who acts, as the history of orders names them."""
    return api_client(token.name)
