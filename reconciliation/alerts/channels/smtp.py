"""E-mail by SMTP that ends in time, however the server behaves.

`EMAIL_TIMEOUT` limits one step, and restarts with each piece that arrives: a server that sends a
byte now and then could hold a web thread for ever. Here the whole of it ends as well.
"""

from __future__ import annotations

import contextlib
import io
import smtplib
import socket
import time
from typing import Any

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend
from django.utils.functional import cached_property

# The whole may take as long as so many steps.
STEPS = 2


class _Smtp(smtplib.SMTP):
    """A conversation whose every wait ends with the whole at the latest."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self._deadline = time.monotonic() + STEPS * settings.EMAIL_TIMEOUT
        super().__init__(*args, **named)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, settings.EMAIL_TIMEOUT)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect to the first address that answers; all of them share the time."""
        failed: OSError = OSError("no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self._left())
                sock.connect(address)
            except OSError as error:
                sock.close()
                failed = error
            else:
                return sock
        raise failed

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer; smtplib makes a broken connection of what comes too late."""
        if self.file is None:
            self.file = io.BufferedReader(_Reader(self))
        return super().getreply()

    def send(self, s: Any) -> None:
        """Send a command or the message."""
        self._limit()
        super().send(s)

    def starttls(self, *args: Any, **named: Any) -> Any:
        """Begin to speak in secret; the handshake has a limit of its own."""
        self._limit()
        return super().starttls(*args, **named)

    def _limit(self) -> None:
        if self.sock is not None:
            try:
                self.sock.settimeout(self._left())
            except TimeoutError as error:
                self.close()
                raise smtplib.SMTPServerDisconnected("too late") from error


class _SmtpSsl(smtplib.SMTP_SSL, _Smtp):
    """The same within TLS from the first byte."""


class _Reader(io.RawIOBase):
    """Reads the socket of a conversation for as long as that may last."""

    def __init__(self, smtp: _Smtp) -> None:
        self._smtp = smtp
        self._sock: Any = smtp.sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._smtp._left())
        return int(self._sock.recv_into(buffer))


class BoundedSmtp(EmailBackend):
    """Django's SMTP, but for the limit of the whole."""

    @cached_property
    def connection_class(self) -> type[_Smtp]:
        """The conversation."""
        return _SmtpSsl if self.use_ssl else _Smtp

    def close(self) -> None:
        """Send QUIT; a server that does not answer already has the message."""
        with contextlib.suppress(smtplib.SMTPException, OSError):
            super().close()
        self.connection = None
