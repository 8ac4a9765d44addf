"""Common parts of every call to OCI: token, headers, one outcome, reported to an observer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import quote

from reconciliation.oci.answers import error_of, is_failed_authentication
from reconciliation.oci.errors import (
    MalformedAnswer,
    OciConfigurationFault,
    OciError,
    OciNoAnswer,
    OciRefused,
    OciThrottled,
)
from reconciliation.oci.token import TokenSource
from reconciliation.oci.transport import MAX_ANSWER, HttpAnswer, HttpRequest, Transport

Result = TypeVar("Result")

# Same id and bytes, or a mere read: done twice is done once. Releases have keys as well, yet only
# their caller knows whether those are fresh.
_REPEATABLE = frozenset({"put", "cancel", "availability", "deltas", "export_status"})


@dataclass(frozen=True, slots=True)
class OciConfig:
    """OCI's address and our credentials. Times are in seconds; `base_url` ends before `/inventory`.

    A call, with its token, takes at most `connect_timeout` plus `read_timeout`, or as long as its
    own limit says. `proxy` is the address of an HTTP proxy, empty for none; `ca_file` a file of
    certificates to trust instead of the usual ones.
    """

    base_url: str
    tenant_group_id: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    connect_timeout: float = 1.0
    read_timeout: float = 5.0
    pool_size: int = 16
    proxy: str = field(default="", repr=False)
    ca_file: str = ""


class CallObserver(Protocol):
    """Notified of every call in the calling thread: `sent` first, then exactly one of the others.

    Its methods must not raise: a call's outcome matters more than its being counted.
    """

    def sent(self, operation: str, subject: str, seconds: float) -> None:
        """A call is about to be made, for a document (or none), with this time limit."""

    def answered(self) -> None:
        """OCI gave a valid answer; a refusal is an answer as well."""

    def undecided(self) -> None:
        """OCI still works on an earlier call for the document: neither an answer nor a failure."""

    def failed(self, error: OciNoAnswer) -> None:
        """There was no answer, or none that can be trusted."""

    def throttled(self, error: OciThrottled) -> None:
        """OCI asks to slow down."""

    def configuration_fault(self, error: OciConfigurationFault) -> None:
        """OCI does not accept our credentials or our tenant group."""


class _NoObserver:
    def sent(self, operation: str, subject: str, seconds: float) -> None:
        pass

    def answered(self) -> None:
        pass

    def undecided(self) -> None:
        pass

    def failed(self, error: OciNoAnswer) -> None:
        pass

    def throttled(self, error: OciThrottled) -> None:
        pass

    def configuration_fault(self, error: OciConfigurationFault) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Call:
    """A call to make. `expected` are the statuses of success; `subject` names its document.

    `limit`, in seconds, bounds the whole call instead of the configured times; `until` is a time of
    `time.monotonic()` at which it ends in any case.

    `sink` takes the body of an answer 200 instead of memory, up to `most` bytes.
    """

    operation: str
    method: str
    url: str
    body: str
    expected: tuple[int, ...]
    limit: float | None = None
    subject: str = ""
    until: float | None = None
    sink: Callable[[bytes], object] | None = None
    most: int = MAX_ANSWER


class Caller:
    """Makes calls, any number at once, and reports each outcome to the observer."""

    def __init__(
        self,
        config: OciConfig,
        *,
        observer: CallObserver | None,
        transport: Transport | None = None,
    ) -> None:
        """`transport` carries calls and token requests alike; by default HTTP, two pools."""
        self._config = config
        self._observer: CallObserver = observer or _NoObserver()
        self._transport = transport or Transport(
            pool_size=config.pool_size, proxy=config.proxy, ca_file=config.ca_file
        )
        self._tokens = TokenSource(
            token_url=config.token_url,
            client_id=config.client_id,
            client_secret=config.client_secret,
            scope=config.scope,
            connect_timeout=config.connect_timeout,
            read_timeout=config.read_timeout,
            transport=transport
            or Transport(pool_size=1, proxy=config.proxy, ca_file=config.ca_file),
        )

    def url(self, api: str, rest: str) -> str:
        """Return the address of something in the reservation or availability API."""
        base = self._config.base_url.rstrip("/")
        tenant = quote(self._config.tenant_group_id, safe="")
        return f"{base}/inventory/{api}/v1/organizations/{tenant}/{rest}"

    def call(self, call: Call, read: Callable[[HttpAnswer, str], Result]) -> Result:
        """Make a call and return `read`'s result for the answer, and the Correlation-Id.

        `read` gets answers of an expected status only, and may raise MalformedAnswer. Raises
        OciNoAnswer, OciThrottled, OciConfigurationFault or OciRefused. A call that has no time left
        is not made, and the observer is not told: OCI is not at fault.
        """
        deadline = self._deadline(call)
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise OciNoAnswer(operation=call.operation, kind="timeout", sent=False)
        self._observer.sent(call.operation, call.subject, seconds)
        try:
            result = self._result(call, read, deadline)
        except OciRefused as refusal:
            if refusal.is_in_process:
                self._observer.undecided()
            else:
                self._observer.answered()
            raise
        except OciNoAnswer as error:
            self._observer.failed(error)
            raise
        except OciThrottled as error:
            self._observer.throttled(error)
            raise
        except OciConfigurationFault as error:
            self._observer.configuration_fault(error)
            raise
        self._observer.answered()
        return result

    def authenticate(self) -> None:
        """Get a token, so that the next call need not; raises as `TokenSource.get` does."""
        self._tokens.get()

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()
        self._tokens.close()

    def until(self, seconds: float) -> float:
        """Return the moment, of `time.monotonic()`, that is `seconds` from now."""
        return time.monotonic() + seconds

    def _deadline(self, call: Call) -> float:
        usual = self._config.connect_timeout + self._config.read_timeout
        deadline = time.monotonic() + (usual if call.limit is None else call.limit)
        return deadline if call.until is None else min(deadline, call.until)

    def _result(
        self, call: Call, read: Callable[[HttpAnswer, str], Result], deadline: float
    ) -> Result:
        correlation_id = str(uuid.uuid4())
        try:
            answer, token = self._authorised(call, correlation_id, deadline)
            if answer.status not in call.expected:
                raise error_of(answer, operation=call.operation, secrets=(token,))
            try:
                return read(answer, correlation_id)
            except MalformedAnswer as error:
                raise OciNoAnswer(
                    operation=call.operation,
                    kind="malformed",
                    status=answer.status,
                    detail=error.reason,
                ) from None
        except OciError as error:
            # An error about the token is shared by all calls that waited for it.
            if error.operation == call.operation:
                error.correlation_id = correlation_id
            raise

    def _authorised(
        self, call: Call, correlation_id: str, deadline: float
    ) -> tuple[HttpAnswer, str]:
        """Send a call; once more, with a new token, if the token was not accepted."""
        token = self._tokens.get(within=deadline - time.monotonic())
        answer = self._send(call, correlation_id, token, deadline)
        if is_failed_authentication(answer):
            self._tokens.invalidate(token)
            token = self._tokens.get(within=deadline - time.monotonic())
            answer = self._send(call, correlation_id, token, deadline)
        if answer.status == 403 or is_failed_authentication(answer):
            # Rights that are granted later come with a new token only.
            self._tokens.invalidate(token)
        return answer, token

    def _send(self, call: Call, correlation_id: str, token: str, deadline: float) -> HttpAnswer:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, application/problem+json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "Correlation-Id": correlation_id,
            "User-Agent": "continuous-order-capture",
        }
        request = HttpRequest(
            operation=call.operation,
            method=call.method,
            url=call.url,
            headers=headers,
            body=call.body.encode(),
            connect_timeout=self._config.connect_timeout,
            deadline=deadline,
            repeatable=call.operation in _REPEATABLE,
            sink=call.sink,
            most=call.most,
        )
        return self._transport.call(request)
