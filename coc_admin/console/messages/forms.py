"""Forms of the messages to customers: one message, a template, and how a site's messages leave."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from orders.customer_messages import LONGEST_SUBJECT
from orders.message_values import LONGEST_BODY
from orders.models import MessageKind, MessageRoute
from orders.texts import is_plain
from reconciliation.alerts.channels.addresses import check_webhook


class SubjectField(forms.CharField):
    """One line of plain text: it becomes a header."""

    def __init__(self) -> None:
        super().__init__(
            max_length=LONGEST_SUBJECT,
            strip=True,
            error_messages={"required": _("Enter a subject.")},
        )

    def clean(self, value: Any) -> Any:
        """Refuse line breaks and other control characters."""
        text = super().clean(value)
        if not is_plain(text):
            raise ValidationError(_("The subject must be one line of plain text."))
        return text


class BodyField(forms.CharField):
    """The text of a message."""

    def __init__(self) -> None:
        super().__init__(
            max_length=LONGEST_BODY,
            strip=False,
            error_messages={"required": _("Enter a text.")},
        )

    def clean(self, value: Any) -> Any:
        """Return the text with plain line breaks; other control characters are refused."""
        text = super().clean(value).replace("\r\n", "\n")
        if not is_plain(text.replace("\n", "").replace("\t", "")) or not text.strip():
            raise ValidationError(_("Use plain text only."))
        return text


class MessageForm(forms.Form):
    """A message to a customer; `token` is made with the form and used once."""

    token = forms.UUIDField()
    seen = forms.CharField(max_length=60, required=False)
    kind = forms.ChoiceField(choices=[("", ""), *MessageKind.choices], required=False)
    recipient = forms.CharField(required=False, max_length=254, strip=True)
    subject = SubjectField()
    body = BodyField()
    by_email = forms.BooleanField(required=False)
    by_webhook = forms.BooleanField(required=False)

    def clean(self) -> dict[str, Any]:
        """Check that there is a way to send, and a recipient."""
        values = super().clean() or self.cleaned_data
        if not values.get("by_email") and not values.get("by_webhook"):
            self.add_error("by_email", _("Choose how the message is sent."))
        if values.get("by_email") and "recipient" not in self.errors:
            try:
                validate_email(values.get("recipient", ""))
            except ValidationError:
                self.add_error("recipient", _("Use one e-mail address."))
        return values

    @property
    def message(self) -> dict[str, str]:
        """Return the stored parts of the message."""
        names = ("kind", "recipient", "subject", "body")
        return {name: self.cleaned_data[name] for name in names}


class TemplateForm(forms.Form):
    """A template."""

    subject = SubjectField()
    body = BodyField()
    seen = forms.IntegerField(min_value=0, max_value=2**31 - 1)


class RouteForm(forms.Form):
    """The message settings of a site; secrets and language stay unchanged when left empty."""

    email = forms.BooleanField(required=False)
    sender = forms.CharField(required=False, max_length=254, strip=True)
    webhook = forms.CharField(required=False, max_length=2000, strip=True)
    secret = forms.CharField(required=False, max_length=200, strip=True)
    no_webhook = forms.BooleanField(required=False)
    language = forms.ChoiceField(
        choices=settings.LANGUAGES,
        required=False,
        error_messages={"invalid_choice": _("Choose a language from the list.")},
    )
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1)

    def clean_sender(self) -> str:
        """Return an e-mail address, or "" for the default one."""
        sender: str = self.cleaned_data["sender"]
        if sender:
            try:
                validate_email(sender)
            except ValidationError:
                raise ValidationError(_("Use one e-mail address.")) from None
        return sender

    def clean_webhook(self) -> str:
        """Return an address that a webhook may have."""
        webhook: str = self.cleaned_data["webhook"]
        if webhook:
            check_webhook(webhook)
        return webhook

    def clean(self) -> dict[str, Any]:
        """Refuse a webhook that is both entered and removed."""
        values = super().clean() or self.cleaned_data
        for name in ("webhook", "secret"):
            if values.get("no_webhook") and values.get(name):
                words = _("You entered a webhook and chose to remove it. Do one or the other.")
                self.add_error(name, words)
        return values

    def values(self, route: MessageRoute) -> dict[str, Any]:
        """Return the fields of a route, with what `route` keeps."""
        read = self.cleaned_data
        told = {
            "email": read["email"],
            "sender": read["sender"],
            "language": read["language"] or route.language,
        }
        if read["no_webhook"]:
            return {**told, "webhook": "", "secret": ""}
        return {
            **told,
            "webhook": read["webhook"] or route.webhook,
            "secret": read["secret"] or route.secret,
        }
