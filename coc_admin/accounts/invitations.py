"""Invite a person by e-mail: the link lets them choose a password, once."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import translation
from django.utils.translation import gettext as _

from coc_admin.accounts import people
from coc_admin.console.formats import format_time
from coc_admin.edits import ChangeRefused
from coc_admin.models import Profile
from orders.reasons import in_words
from reconciliation.alerts.channels.send import NotSent, mail_id, send_mail

# These deliver to nobody; the second one prints its messages, links included.
_NO_SENDERS = (
    "reconciliation.alerts.channels.no_mail.NoMail",
    "django.core.mail.backends.console.EmailBackend",
    "django.core.mail.backends.dummy.EmailBackend",
)


def has_sender() -> bool:
    """Whether this installation can send e-mails."""
    return settings.EMAIL_BACKEND not in _NO_SENDERS


def no_sender_words() -> str:
    """Return the reason shown without an e-mail server."""
    return _(
        "No e-mail server is set up. Set EMAIL_HOST (see docs/settings.md), or hand the link over"
        " yourself."
    )


def expires_at(now: datetime) -> datetime:
    """Return the expiry time of a link made now."""
    return now + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


def invite(*, actor: User, user: User, address: str, now: datetime) -> datetime:
    """Send a person a link to choose a password; return the link's expiry time.

    `address` is the console's address for the link, if no setting names it. Raises ChangeRefused,
    also if the e-mail server refused the message.
    """
    if not has_sender():
        raise ChangeRefused(no_sender_words())
    if not user.email:
        raise ChangeRefused(_("This person has no e-mail address. Enter one first."))
    path = people.password_link(actor=actor, user_id=user.pk, now=now, sent_to=user.email)
    base = (settings.COC_CONSOLE_URL or address).rstrip("/")
    until = expires_at(now)
    with translation.override(_language_of(user)):
        subject, body = _words(user, link=f"{base}{path}", until=until)
    try:
        send_mail(
            to=[user.email],
            subject=subject,
            body=body,
            message_id=mail_id(f"invitation-{uuid.uuid4()}"),
        )
    except NotSent as fault:
        raise ChangeRefused(in_words(fault.detail)) from None
    return until


def _words(user: User, *, link: str, until: datetime) -> tuple[str, str]:
    body = _(
        "You have access to the Continuous Order Capture console. Your user name is %(name)s.\n\n"
        "Choose your password here:\n%(link)s\n\n"
        "The link works once, until %(time)s. Give it to nobody. If you don't expect this message,"
        " ignore it.\n"
    ) % {"name": user.get_username(), "link": link, "time": format_time(until)}
    return _("Choose your password for the order console"), body


def _language_of(user: User) -> str | None:
    """Return the language that the person chose, else that of the inviting person."""
    chosen = Profile.objects.filter(user=user).values_list("language", flat=True).first()
    return chosen or translation.get_language()
