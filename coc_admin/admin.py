"""The back office for what belongs to the project itself: people and API tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from coc_admin.accounts import people, tokens
from coc_admin.accounts.roles import ADMINISTRATOR
from coc_admin.edits import ChangeRefused
from coc_admin.models import ApiToken, TokenScope

# What other apps bring along. Their rows are code (a schedule names a function to call) or belong
# to their own commands, and none of them is for the people who come here.
_NOT_FOR_PEOPLE = ("django_q",)


def hide_what_is_not_for_people() -> None:
    """Take the models of other apps out of the back office; called when all have registered."""
    for label in _NOT_FOR_PEOPLE:
        for model in apps.get_app_config(label).get_models():
            if admin.site.is_registered(model):
                admin.site.unregister(model)


class PersonForm(UserChangeForm):  # type: ignore[type-arg]
    """A person, held to the rules of the console (`coc_admin.accounts`)."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        """Refuse a change after which nobody would manage people, or one of oneself."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        people.lock_administrators()
        person = self.instance
        roles = [group.name for group in values.get("groups", person.groups.all())]
        every_site, sites = people.sites_of(person)
        stays = values.get("is_active", person.is_active) and (
            ADMINISTRATOR in roles or values.get("is_superuser", person.is_superuser)
        )
        try:
            if not stays and people.administrators().filter(pk=person.pk).exists():
                people.check_loss(request=self.request, users=[person])
            if ADMINISTRATOR in roles:
                people.check_sites(role=ADMINISTRATOR, every_site=every_site, sites=sites)
        except ChangeRefused as refused:
            raise ValidationError(refused.detail) from None
        return values


class PeopleAdmin(UserAdmin):  # type: ignore[type-arg]
    """Users. Only a superuser makes superusers, and changes or deletes one."""

    form = PersonForm

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any
    ) -> Any:
        """Return the class of this request's form."""
        made = super().get_form(request, obj, change=change, **options)
        made.request = request  # type: ignore[attr-defined]
        return made

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list; each action runs whole, with its log lines, or not at all."""
        with transaction.atomic():
            return super().changelist_view(request, extra_context)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return the fields that this person may view but not change."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if _is_superuser(request) else (*fields, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the person may change the user, or its password."""
        return _may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the person may delete the user."""
        return (
            _may_touch(request, obj)
            and super().has_delete_permission(request, obj)
            and (obj is None or _may_go(request, [obj]))
        )

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Delete a user, unless nobody would manage people then."""
        self.delete_queryset(request, User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete users under the same rule; superusers only by a superuser."""
        if not _is_superuser(request):
            queryset = queryset.filter(is_superuser=False)
        with transaction.atomic():
            people.lock_administrators()
            if not _may_go(request, list(queryset)):
                raise PermissionDenied("administrators")
            super().delete_queryset(request, queryset)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _may_touch(request: HttpRequest, obj: Any) -> bool:
    return obj is None or not obj.is_superuser or _is_superuser(request)


def _may_go(request: HttpRequest, users: list[User]) -> bool:
    try:
        people.check_loss(request=request, users=users)
    except ChangeRefused:
        return False
    return True


admin.site.site_header = admin.site.site_title = "Continuous Order Capture: back office"
admin.site.index_title = "Set-up"
admin.site.unregister(User)
admin.site.register(User, PeopleAdmin)


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new token: who uses it, for which site, for what."""

    scopes = forms.MultipleChoiceField(
        choices=TokenScope.choices, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = ApiToken
        fields = ("name", "site", "scopes")

    def clean(self) -> dict[str, Any]:
        """Create the token from the input; it is stored when the form is saved."""
        values = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.token, made = tokens.build(
                    name=values["name"], site=values["site"], scopes=values["scopes"]
                )
            except tokens.TokenRefused as refused:
                raise ValidationError(str(refused)) from None
            self.instance.token_hash = made.token_hash
            values["scopes"] = made.scopes
        return values


@admin.register(ApiToken)
class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """API tokens: added (and shown once), viewed, revoked, deleted; never changed."""

    form = TokenForm
    list_display = ("name", "site", "may", "created_at", "last_used_at", "revoked_at")
    list_filter = ("site",)
    search_fields = ("name",)
    list_select_related = ("site",)
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return the form of a new token, or all that is known of an old one but its hash."""
        if obj is None:
            return ("name", "site", "scopes")
        return ("name", "site", "may", "created_at", "last_used_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return every field of a token that exists."""
        return () if obj is None else self.get_fields(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the form of a new token; one that exists has nothing to fill in."""
        if obj is not None:
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, *args, **kwargs)

    @admin.display(description="scopes")
    def may(self, token: ApiToken) -> str:
        """Return the scopes of the token."""
        return ", ".join(token.scopes)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Store a new token; one that exists stays as it is."""
        if not change:
            obj.save(force_insert=True)
            request.coc_token = form.token  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiToken, *_: Any, **__: Any) -> HttpResponse:
        """Show the token in the answer itself, so that it is kept nowhere."""
        return render(
            request,
            "admin/coc_admin/apitoken/made.html",
            {
                **self.admin_site.each_context(request),
                "title": "The token",
                "opts": self.opts,
                "row": obj,
                "token": request.coc_token,  # type: ignore[attr-defined]
            },
        )

    @admin.action(description="Revoke the chosen tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Revoke tokens: they stay in the list and grant no access."""
        revoked = tokens.revoke(list(queryset.values_list("pk", flat=True)), now=timezone.now())
        for token in queryset:
            self.log_change(request, token, "Revoked.")
        noun = "token is" if revoked == 1 else "tokens are"
        messages.success(request, f"{revoked} {noun} revoked.")
