"""Forms of people and of API tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.accounts import invitations
from coc_admin.accounts.people import ROLES
from coc_admin.accounts.roles import ADMINISTRATOR, MERCHANDISER, OPERATOR, VIEWER
from coc_admin.console.settings.edit_forms import EditForm, ReasonedForm
from coc_admin.models import TokenScope
from orders.models import Site


class TokenForm(ReasonedForm):
    """A new API token."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        widget=forms.TextInput(attrs={"autofocus": True}),
        help_text=gettext_lazy("Who will use it, for example: storefront."),
    )
    site = forms.ModelMultipleChoiceField(
        Site.objects.all(),
        label=gettext_lazy("Sites"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": gettext_lazy("Choose sites that exist.")},
    )
    every_site = forms.BooleanField(
        label=gettext_lazy("All sites"),
        required=False,
        help_text=gettext_lazy("Sites that are added later are included."),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Permissions"),
        choices=TokenScope.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one.")},
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a token with no site, and one with both some sites and all."""
        values = super().clean() or self.cleaned_data
        if "site" in values and bool(values["site"]) == bool(values["every_site"]):
            self.add_error("site", _("Choose sites, or all sites."))
        return values


_ROLE_WORDS = {
    VIEWER: gettext_lazy("Viewer"),
    MERCHANDISER: gettext_lazy("Merchandiser"),
    OPERATOR: gettext_lazy("Operator"),
    ADMINISTRATOR: gettext_lazy("Administrator"),
}


def role_word(role: str) -> str:
    """Return a role in words for people."""
    return str(_ROLE_WORDS.get(role, _("No role: sees nothing")))


def _roles() -> list[tuple[str, str]]:
    return [(role, role_word(role)) for role in ("", *ROLES)]


class PersonForm(EditForm):
    """A person: names, role and sites."""

    edited = ("first_name", "last_name", "email", "role", "every_site", "sites")

    first_name = forms.CharField(label=gettext_lazy("First name"), required=False, max_length=150)
    last_name = forms.CharField(label=gettext_lazy("Last name"), required=False, max_length=150)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False, max_length=254)
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=_roles,
        required=False,
        help_text=gettext_lazy(
            "Viewers look and download. Merchandisers also rerun and settle orders. Operators"
            " also force the connection offline and change settings. Administrators also manage"
            " people."
        ),
    )
    every_site = forms.BooleanField(label=gettext_lazy("Sees every site"), required=False)
    sites = forms.ModelMultipleChoiceField(
        Site.objects.all(),
        label=gettext_lazy("Sites"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("The person sees only these sites."),
    )


class NewPersonForm(PersonForm):
    """A new person."""

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autofocus": True}),
        help_text=gettext_lazy("Letters, digits and @ . + - _ only. It cannot be changed later."),
    )
    invite = forms.BooleanField(
        label=gettext_lazy("E-mail them a link to choose their password"),
        required=False,
        help_text=gettext_lazy(
            "Otherwise the next page shows the link once, for you to hand over."
        ),
    )
    field_order = ("username",)

    def clean(self) -> dict[str, Any]:
        """Refuse an invitation that can't be sent, before the person is added."""
        values = super().clean() or self.cleaned_data
        if values.get("invite") and not invitations.has_sender():
            self.add_error("invite", invitations.no_sender_words())
        elif values.get("invite") and "email" in values and not values["email"]:
            self.add_error("email", _("Enter the address that the link is sent to."))
        return values

    def clean_username(self) -> str:
        """Return a name that nobody has, ignoring case."""
        name: str = User.normalize_username(self.cleaned_data["username"])
        User._meta.get_field("username").clean(name, None)
        if User.objects.filter(username__iexact=name).exists():
            raise forms.ValidationError(
                _("A person with this name exists. Open that person to create a new link.")
            )
        return name
