"""Sending one message, to a webhook or by Django's e-mail; bounded in time, tried once.

Faults are described in our own words: texts of libraries contain addresses and passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import smtplib
import time
from collections.abc import Mapping, Sequence
from functools import cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.utils import translation

from reconciliation.alerts.channels import addresses
from reconciliation.alerts.channels.no_mail import MailNotConfigured
from reconciliation.oci.errors import OciConfigurationFault, OciNoAnswer
from reconciliation.oci.transport import HttpRequest, Transport
from reconciliation.reasons import Reason, join, say

SIGNATURE = "X-COC-Signature"
TIMESTAMP = "X-COC-Timestamp"
DELIVERY = "X-COC-Delivery"
_CONNECT_SECONDS = 2.0
_KINDS = {
    "connect": "receiver_unreached",
    "timeout": "receiver_timeout",
    "malformed": "receiver_malformed",
}


class NotSent(Exception):
    """A message was not sent; the text has the reason, without any address or secret."""

    def __init__(self, detail: Reason) -> None:
        super().__init__(detail)
        self.detail = detail


def signature(*, secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature header: HMAC-SHA256 over the timestamp, a dot and the body."""
    told = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={told.hexdigest()}"


def post_json(*, url: str, body: bytes, uid: str, secret: str = "", at: float) -> None:
    """Post JSON to a webhook; any answer from 200 to 299 is a receipt. Raises NotSent.

    `uid` is the same however often the message is sent; `at` is the time of this sending, which is
    signed together with the body when there is a secret.
    """
    try:
        addresses.check_webhook(url)
    except ValidationError as error:
        raise NotSent(join(say("receiver_not_permitted"), _in_english(error))) from None
    timestamp = str(int(at))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "continuous-order-capture",
        "Idempotency-Key": uid,
        DELIVERY: uid,
        TIMESTAMP: timestamp,
    }
    if secret:
        headers[SIGNATURE] = signature(secret=secret, timestamp=timestamp, body=body)
    request = HttpRequest(
        operation="webhook",
        method="POST",
        url=url,
        headers=headers,
        body=body,
        connect_timeout=_CONNECT_SECONDS,
        deadline=time.monotonic() + settings.COC_WEBHOOK_TIMEOUT,
        repeatable=True,
        permits=addresses.permits,
    )
    _judge(_call(request))


def send_mail(
    *,
    to: Sequence[str],
    subject: str,
    body: str,
    sender: str = "",
    message_id: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Hand a plain text to Django's e-mail. Raises NotSent.

    A line break in what becomes a header is refused by Django, and by us before that.
    """
    named = {**(headers or {}), "Message-ID": message_id}
    if any("\n" in text or "\r" in text for text in (*to, subject, sender, *named.values())):
        raise NotSent(say("mail_line_break"))
    mail = EmailMessage(
        subject, body, sender or settings.DEFAULT_FROM_EMAIL, list(to), headers=named
    )
    try:
        handed_over = mail.send()
    except smtplib.SMTPResponseException as error:
        raise NotSent(say("mail_refused", why=error.smtp_code)) from None
    except smtplib.SMTPServerDisconnected as error:
        raise NotSent(say("mail_late" if _is_late(error) else "mail_broken")) from None
    except smtplib.SMTPException as error:
        raise NotSent(say("mail_refused", why=type(error).__name__)) from None
    except TimeoutError:
        raise NotSent(say("mail_late")) from None
    except MailNotConfigured:
        raise NotSent(say("mail_not_set_up")) from None
    except OSError:
        raise NotSent(say("mail_unreached")) from None
    except ValueError:
        raise NotSent(say("mail_unusable")) from None
    if not handed_over:
        raise NotSent(say("mail_not_accepted"))


def _in_english(error: ValidationError) -> str:
    """Return the fault of an address as it is stored; the form names it in the reader's words."""
    with translation.override(settings.LANGUAGE_CODE):
        return str(error.message)


def _is_late(error: BaseException) -> bool:
    """Whether smtplib has made a broken connection of an answer that did not come in time."""
    cause = error.__cause__ or error.__context__
    return isinstance(cause, TimeoutError)


def mail_id(name: str) -> str:
    """Return the Message-ID of a message of ours by its name, always the same one."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"
    return f"<{name}@{domain}>"


@cache
def _transport() -> Transport:
    return Transport(pool_size=4)


def _call(request: HttpRequest) -> int:
    try:
        return _transport().call(request).status
    except OciNoAnswer as error:
        code = _KINDS.get(error.kind, _KINDS["malformed"])
        raise NotSent(join(say(code), error.detail)) from None
    except OciConfigurationFault:
        raise NotSent(say("receiver_unusable")) from None


def _judge(status: int) -> None:
    if 300 <= status < 400:
        raise NotSent(say("receiver_redirects", status=status))
    if not 200 <= status < 300:
        raise NotSent(say("receiver_refused", status=status))
