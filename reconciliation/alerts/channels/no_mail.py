"""The e-mail of an installation that has none: messages are refused, none is lost in silence."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class NoMail(BaseEmailBackend):
    """The e-mail backend without EMAIL_HOST."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Raise MailNotConfigured."""
        raise MailNotConfigured


class MailNotConfigured(OSError):
    """No e-mail server is set."""

    def __init__(self) -> None:
        super().__init__("No e-mail server is set; set EMAIL_HOST (see docs/settings.md).")
