"""How a call to OCI can fail, as small classes with data (OCI contract 1.4, 1.7, 1.8).

Their texts are for people and logs: no address, token, password or body is in them.
"""

from __future__ import annotations

from typing import Literal

from reconciliation.reasons import Reason, join, say

Kind = Literal["connect", "timeout", "broken", "server_error", "malformed"]


class MalformedAnswer(ValueError):
    """An answer with an invalid structure; `reason` has the fault."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class OciError(Exception):
    """A failed call.

    `operation` is put, cancel, availability, release, token, or of the feeds of stock: deltas,
    export, export_status, export_file. `sent` says whether the request of
    the operation may have reached OCI; a token that could not be had leaves it False.
    `correlation_id` is the Correlation-Id of the call, empty for tokens.
    """

    def __init__(self, reason: Reason, *, operation: str, sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.operation = operation
        self.sent = sent
        self.correlation_id = ""


class OciNoAnswer(OciError):
    """No answer, or no reliable one. OCI's action is unknown, unless `sent` is False.

    `kind` is connect (the request was never sent), timeout, broken (the connection ended early),
    server_error or malformed; `status` is the HTTP status, if there was one; `detail` says more for
    people.
    """

    def __init__(
        self,
        *,
        operation: str,
        kind: Kind,
        status: int | None = None,
        sent: bool | None = None,
        detail: str = "",
    ) -> None:
        where = "" if status is None else say("http_status", status=status)
        super().__init__(
            join(say(f"oci_{kind}"), detail, where),
            operation=operation,
            sent=kind != "connect" if sent is None else sent,
        )
        self.detail = detail
        self.kind = kind
        self.status = status


class OciThrottled(OciError):
    """OCI asks to slow down (429, contract 1.8). `retry_after` is in seconds, 0 to 300."""

    def __init__(self, *, operation: str, retry_after: float, sent: bool = True) -> None:
        reason = say("oci_throttled", seconds=f"{retry_after:g}")
        super().__init__(reason, operation=operation, sent=sent)
        self.retry_after = retry_after
        self.status = 429


class OciConfigurationFault(OciError):
    """OCI refuses our credentials or scopes: 401, 403, or 400 for failed authentication.

    `detail` is OCI's text, shortened; `status` is 0 for an unusable setting.
    """

    def __init__(self, *, operation: str, status: int, detail: str, sent: bool = True) -> None:
        code = "oci_token_status" if operation == "token" else "oci_credentials_status"
        reason = join(say(code, status=status) if status else "", detail)
        super().__init__(reason, operation=operation, sent=sent)
        self.status = status
        self.detail = detail


# Another call for the same document is still under way at OCI (contract 1.7).
_IN_PROCESS = frozenset({"ReservationOperationInProcess", "ConcurrentModification"})


class OciRefused(OciError):
    """OCI understood the call and refused it: 400, 404 or 409 with OCI's own error (contract 1.7).

    `parameter` is its parameterName, `place` the location or group that it names; both may be
    empty.
    """

    def __init__(
        self,
        *,
        operation: str,
        status: int,
        error_code: str,
        message: str = "",
        parameter: str = "",
        place: str = "",
    ) -> None:
        reason = say("oci_refused_call", code=error_code, status=status)
        super().__init__(reason, operation=operation)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.parameter = parameter
        self.place = place

    @property
    def is_in_process(self) -> bool:
        """Whether OCI still works on an earlier call for the document: ask again later."""
        return self.error_code in _IN_PROCESS
