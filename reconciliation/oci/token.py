"""Access tokens by client credentials (OCI contract 1.1)."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlencode

from reconciliation.oci.answers import error_of, problem_of
from reconciliation.oci.errors import OciConfigurationFault, OciError, OciNoAnswer
from reconciliation.oci.jsontext import clean_text
from reconciliation.oci.transport import HttpAnswer, HttpRequest, Transport

# Salesforce's own client takes the same when expires_in is missing.
DEFAULT_LIFETIME = 1800.0
_LONGEST_LIFETIME = 86_400.0
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
# After a renewal that failed while the old token still counts, seconds until the next try.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    renew_at: float
    ends_at: float


@dataclass(slots=True)
class _Flight:
    """One request for a token, and the threads that wait for it."""

    landed: threading.Event = field(default_factory=threading.Event)
    token: str = field(default="", repr=False)
    error: OciError | None = None


class TokenSource:
    """Gives the current token to any number of threads, asking for a new one in time.

    One request at a time, however many threads need it. A token near its end is renewed by one
    thread while the others still use it; if that fails, it is used to its end. Neither its `repr`
    nor its errors contain the secret or a token.
    """

    def __init__(
        self,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        scope: str,
        connect_timeout: float = 1.0,
        read_timeout: float = 5.0,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Times are in seconds; `clock` counts seconds from anywhere."""
        self._url = token_url
        basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._authorization = f"Basic {basic}"
        self._secrets = (client_secret, basic)
        self._form = urlencode({"grant_type": "client_credentials", "scope": scope}).encode()
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._transport = transport or Transport(pool_size=1)
        self._clock = clock
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._flight: _Flight | None = None

    def get(self, *, within: float | None = None) -> str:
        """Return a token that counts now; waits at most `within` seconds for it.

        Raises OciConfigurationFault when the credentials are refused, OciThrottled and OciNoAnswer;
        all with operation "token" and `sent` False: the call that needs the token was not made.
        """
        own = self._connect_timeout + self._read_timeout
        until = time.monotonic() + (own if within is None else min(own, max(0.0, within)))
        while True:
            with self._lock:
                held, now = self._held, self._clock()
                usable = held is not None and now < held.ends_at
                if held and usable and (now < held.renew_at or self._flight):
                    return held.token
                leads = self._flight is None
                flight = self._flight = self._flight or _Flight()
            left = max(0.0, until - time.monotonic())
            if leads:
                # An early renewal may take only half of the time: the call itself needs some.
                self._fly(flight, left / 2 if usable else left)
            elif not flight.landed.wait(left):
                raise OciNoAnswer(operation="token", kind="timeout", sent=False)
            if flight.error is None:
                return flight.token
            if held and usable:
                return held.token
            # The thread that asked may have had less time than we have.
            if leads or not _ran_out(flight.error) or time.monotonic() >= until:
                raise flight.error.with_traceback(None)

    def invalidate(self, token: str) -> None:
        """Forget a token that OCI did not accept; a newer one stays."""
        with self._lock:
            if self._held and self._held.token == token:
                self._held = None

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def _fly(self, flight: _Flight, seconds: float) -> None:
        new: _Held | None = None
        try:
            new = self._fetch(seconds)
            flight.token = new.token
        except OciError as error:
            error.sent = False
            flight.error = error
        finally:
            if new is None and flight.error is None:
                flight.error = OciNoAnswer(operation="token", kind="timeout", sent=False)
            with self._lock:
                self._flight = None
                self._held = new or self._postponed()
            flight.landed.set()

    def _postponed(self) -> _Held | None:
        if self._held is None:
            return None
        later = self._clock() + _PATIENCE
        return _Held(token=self._held.token, renew_at=later, ends_at=self._held.ends_at)

    def _fetch(self, seconds: float) -> _Held:
        asked_at = self._clock()
        request = HttpRequest(
            operation="token",
            method="POST",
            url=self._url,
            headers={
                "Authorization": self._authorization,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=self._form,
            connect_timeout=self._connect_timeout,
            deadline=time.monotonic() + seconds,
            repeatable=True,
        )
        answer = self._transport.call(request)
        if answer.status != 200:
            raise self._refusal(answer)
        members = problem_of(answer)
        token = members.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise OciNoAnswer(operation="token", kind="malformed", status=200)
        lifetime = _lifetime(members.get("expires_in"))
        margin = min(60.0, lifetime / 10)
        ends_at = asked_at + lifetime
        return _Held(token=token, renew_at=ends_at - margin, ends_at=ends_at)

    def _refusal(self, answer: HttpAnswer) -> OciError:
        if answer.status not in (400, 401, 403, 404):
            return error_of(answer, operation="token", secrets=self._secrets)
        # OAuth 2.0 has members of its own: error, error_description.
        members = problem_of(answer)
        texts = (
            clean_text(members.get(name), limit=200, secrets=self._secrets)
            for name in ("error", "error_description", "detail")
        )
        detail = ": ".join(text for text in texts if text)
        return OciConfigurationFault(operation="token", status=answer.status, detail=detail)


def _ran_out(error: OciError) -> bool:
    return isinstance(error, OciNoAnswer) and error.kind in ("connect", "timeout")


def _lifetime(expires_in: object) -> float:
    """Return how many seconds a token counts; anything unusable is the default."""
    if isinstance(expires_in, str) and re.fullmatch(r"[0-9]{1,12}", expires_in):
        expires_in = int(expires_in)
    number = isinstance(expires_in, int | Decimal) and not isinstance(expires_in, bool)
    if not number or not 0 < expires_in <= 10**12:  # type: ignore[operator]
        return DEFAULT_LIFETIME
    return min(float(expires_in), _LONGEST_LIFETIME)  # type: ignore[arg-type]
