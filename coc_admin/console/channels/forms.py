"""The form of a channel. Secrets are never shown again: an empty field keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from coc_admin.accounts.site_access import SiteAccess
from orders.models import Site
from orders.texts import is_plain
from reconciliation.alerts.channels.addresses import check_webhook
from reconciliation.alerts.rules import choices
from reconciliation.models import Channel, ChannelKind, Priority

MOST_ADDRESSES = 20
# A failing channel is reported only in the console.
CARRIED = choices(over_channels=True)

_NO_ADDRESSES = _("Webhooks take no e-mail addresses. Clear this field or choose “E-mail”.")
_NO_WEBHOOK = _("E-mail takes no webhook. Clear this field or choose a webhook as the kind.")

_NO_SIGNATURE = _("This kind of webhook is not signed. Clear this field or choose “Webhook”.")


class ChannelForm(forms.Form):
    """A channel: its address, and its alerts."""

    name = forms.CharField(max_length=100, strip=True)
    kind = forms.ChoiceField(choices=ChannelKind.choices)
    addresses = forms.CharField(required=False, max_length=2000, strip=True)
    url = forms.CharField(required=False, max_length=2000, strip=True)
    secret = forms.CharField(required=False, max_length=200, strip=True)
    least_priority = forms.ChoiceField(choices=Priority.choices)
    descriptors = forms.MultipleChoiceField(choices=CARRIED, required=False)
    every_site = forms.BooleanField(required=False)
    sites = forms.ModelMultipleChoiceField(Site.objects.none(), required=False)
    enabled = forms.BooleanField(required=False)
    version = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)

    def __init__(
        self, data: Any = None, *, access: SiteAccess, channel: Channel | None = None, **named: Any
    ) -> None:
        self._access = access
        self._channel = channel
        super().__init__(data, initial=None if data is not None else _initial(channel), **named)
        sites = Site.objects.order_by("pk")
        if access.allowed is not None:
            sites = sites.filter(pk__in=access.allowed)
        self.fields["sites"].queryset = sites  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        """Return a name that no other channel has."""
        name: str = self.cleaned_data["name"]
        if not is_plain(name):
            raise ValidationError(_("Use letters, digits and punctuation only."))
        others = Channel.objects.filter(name=name)
        if self._channel is not None:
            others = others.exclude(pk=self._channel.pk)
        if others.exists():
            raise ValidationError(_("Another channel has that name."))
        return name

    def clean(self) -> dict[str, Any]:
        """Check address and sites for the kind of channel; refuse contradictions."""
        values = super().clean() or self.cleaned_data
        if values.get("kind") == ChannelKind.EMAIL:
            values["target"] = self._checked("addresses", _check_addresses)
            self._refuse(("url", "secret"), _NO_WEBHOOK)
        elif values.get("kind"):
            values["target"] = self._checked("url", check_webhook)
            self._refuse(("addresses",), _NO_ADDRESSES)
        if values.get("kind") == ChannelKind.SLACK:
            self._refuse(("secret",), _NO_SIGNATURE)
        if "sites" not in self.errors:
            self._check_sites(values)
        return values

    @property
    def values(self) -> Mapping[str, Any]:
        """Return the fields of a channel, and `sites`."""
        read = self.cleaned_data
        names = ("name", "kind", "least_priority", "descriptors", "every_site", "enabled")
        values = {name: read[name] for name in names}
        kept = "" if self._channel is None else self._channel.secret
        values["secret"] = read["secret"] or kept if read["kind"] == ChannelKind.WEBHOOK else ""
        return {**values, "target": read["target"], "sites": list(read["sites"])}

    def _check_sites(self, values: Mapping[str, Any]) -> None:
        every_site, sites = values.get("every_site"), values.get("sites")
        if every_site and self._access.is_limited:
            self.add_error("sites", _("You do not see every site. Choose from your sites."))
        elif every_site and sites:
            words = _("You chose every site and single sites. Choose one or the other.")
            self.add_error("sites", words)
        elif not every_site and not sites:
            self.add_error("sites", _("Choose at least one site."))

    def _refuse(self, fields: Sequence[str], words: Any) -> None:
        """Refuse input for another kind of channel, which would be lost without notice."""
        for name in fields:
            if self.cleaned_data.get(name):
                self.add_error(name, words)

    def _checked(self, field: str, check: Any) -> str:
        target: str = self.cleaned_data.get(field, "")
        same_kind = self._channel is not None and self._channel.kind == self.cleaned_data["kind"]
        if not target and same_kind and field == "url" and self._channel is not None:
            return self._channel.target
        if not target:
            self.add_error(field, _("Enter where messages are sent."))
            return ""
        try:
            check(target)
        except ValidationError as error:
            self.add_error(field, error)
        return target


def _check_addresses(text: str) -> None:
    addresses = [part.strip() for part in text.split(",")]
    if len(addresses) > MOST_ADDRESSES:
        raise ValidationError(_("Use at most 20 addresses."))
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError:
            raise ValidationError(_("Use e-mail addresses, with commas between them.")) from None


def _initial(channel: Channel | None) -> dict[str, Any]:
    if channel is None:
        return {
            "kind": ChannelKind.EMAIL,
            "least_priority": Priority.ACTION,
            "enabled": True,
        }
    return {
        "name": channel.name,
        "kind": channel.kind,
        "addresses": channel.target if channel.kind == ChannelKind.EMAIL else "",
        "least_priority": channel.least_priority,
        "descriptors": channel.descriptors,
        "every_site": channel.every_site,
        "sites": list(channel.sites.values_list("pk", flat=True)),
        "enabled": channel.enabled,
        "version": channel.version,
    }
