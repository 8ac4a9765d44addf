"""The token endpoint: OAuth 2.0 client credentials (OCI contract 1.1).

A client authenticates by HTTP Basic (client_secret_basic) or in the form (client_secret_post), as
configured for an API client in Account Manager.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, unquote_plus

from .answers import Answer, json_answer
from .settings import Settings

KNOWN_SCOPES = frozenset(
    {
        "sfcc.inventory.reservations",
        "sfcc.inventory.reservations.rw",
        "sfcc.inventory.availability",
        "sfcc.inventory.availability.rw",
        "sfcc.inventory.impex-inventory",
        "sfcc.inventory.impex-inventory.rw",
        "sfcc.inventory.impex-graphs",
        "sfcc.inventory.impex-graphs.rw",
        "sfcc.inventory.impex-event-log",
        "sfcc.inventory.admin.rw",
    }
)
# The same scopes in the spelling of an org token.
_TWINS = {re.sub(r"[.-]", "_", scope): scope for scope in KNOWN_SCOPES}
_TENANT_SCOPE = "SALESFORCE_COMMERCE_API:"
_IN_THE_QUERY = ("grant_type", "scope")
_NO_STORE = {"Cache-Control": "no-store"}


class Tokens:
    """Issues tokens and checks their validity and scopes."""

    def __init__(
        self, *, client_id: str, client_secret: str, clock: Callable[[], float], settings: Settings
    ) -> None:
        self._client = (client_id, client_secret)
        self._clock = clock
        self._settings = settings
        self._lock = threading.Lock()
        self._issued: dict[str, tuple[float, frozenset[str]]] = {}

    def issue(self, headers: Mapping[str, str], raw: bytes, query: str = "") -> Answer:
        """Answer a token request: 200, 400 for a wrong form or scope, 401 for a wrong client.

        Some clients send `grant_type` and `scope` in the query and no body. Credentials count in
        the form only, since an address is logged (RFC 6749, 2.3.1).
        """
        form = parse_qs(raw.decode("utf-8", "replace"))
        for name, values in parse_qs(query).items():
            if name in _IN_THE_QUERY:
                form.setdefault(name, values)
        if not self._is_client(headers.get("Authorization", ""), form):
            challenge = _NO_STORE | {"WWW-Authenticate": 'Basic realm="simulator"'}
            return _oauth_error(
                self._settings.authFailureStatus,
                "invalid_client",
                "Client authentication failed",
                challenge,
            )
        if form.get("grant_type") != ["client_credentials"]:
            return _oauth_error(
                "400", "unsupported_grant_type", "Use client_credentials", _NO_STORE
            )
        scopes = frozenset(" ".join(form.get("scope", [])).split())
        tenants = [scope for scope in scopes if scope.startswith(_TENANT_SCOPE)]
        rest = {_TWINS.get(scope, scope) for scope in scopes} - {*tenants}
        if not any(len(scope) > len(_TENANT_SCOPE) for scope in tenants):
            return _oauth_error(
                "400", "invalid_scope", f"The scope must name {_TENANT_SCOPE}<tenant>", _NO_STORE
            )
        # The tenant alone is a good scope, though no call accepts a token without another.
        if not rest <= KNOWN_SCOPES:
            return _oauth_error(
                "400", "invalid_scope", "Ask for scopes of sfcc.inventory that exist", _NO_STORE
            )
        return self._grant(frozenset(rest), scopes)

    def _grant(self, scopes: frozenset[str], asked: frozenset[str]) -> Answer:
        token = secrets.token_urlsafe(32)
        seconds = self._settings.tokenExpiresIn
        now = self._clock()
        with self._lock:
            self._issued = {t: (end, s) for t, (end, s) in self._issued.items() if end > now}
            self._issued[token] = (now + seconds, scopes)
        body = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": " ".join(sorted(asked)),
        }
        return json_answer(200, body, headers=dict(_NO_STORE), changed=True)

    def scopes_of(self, authorization: str) -> frozenset[str] | None:
        """The bearer's scopes; None if the token is missing, wrong or expired."""
        kind, _, token = authorization.partition(" ")
        with self._lock:
            entry = self._issued.get(token.strip())
        if kind.lower() != "bearer" or entry is None or entry[0] <= self._clock():
            return None
        return entry[1]

    def expire_all(self) -> int:
        """Invalidate every token; return how many there were."""
        with self._lock:
            number = len(self._issued)
            self._issued = {}
            return number

    def _is_client(self, authorization: str, form: Mapping[str, list[str]]) -> bool:
        posted = [form[name][0] for name in ("client_id", "client_secret") if name in form]
        # In the form only: a request may use only one method (RFC 6749, 2.3).
        if len(posted) == 2:
            sent, known = ("\0".join(pair).encode() for pair in (posted, self._client))
            return not authorization and hmac.compare_digest(sent, known)
        kind, _, coded = authorization.partition(" ")
        try:
            text = base64.b64decode(coded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        name, _, secret = text.partition(":")
        given = f"{unquote_plus(name)}:{unquote_plus(secret)}"
        wanted = ":".join(self._client)
        plain = hmac.compare_digest(text.encode(), wanted.encode())
        coded_match = hmac.compare_digest(given.encode(), wanted.encode())
        return kind.lower() == "basic" and (plain or coded_match)


def _oauth_error(status: str, code: str, text: str, headers: dict[str, str]) -> Answer:
    body = {"error": code, "error_description": text}
    return json_answer(int(status), body, headers=dict(headers))
