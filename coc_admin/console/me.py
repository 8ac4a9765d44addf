"""The person's own settings: chosen site, display, password and sessions."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters

from coc_admin.accounts import people
from coc_admin.accounts.sign_in import limits, passwords
from coc_admin.accounts.site_access import SESSION_KEY, profile_of, site_access
from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page, person_of
from coc_admin.console.sign_in_views import note_failure, wait_page
from coc_admin.models import Profile
from coc_admin.personal import zone_names
from orders.tables import Form

# Parameters of the previous site: the site itself, or a place in one of its lists.
_OF_THE_OLD_SITE = ("site", "cursor", "holds")


class PreferencesForm(forms.Form):
    """Display settings of one person."""

    time_zone = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Time zone"),
        error_messages={"invalid_choice": gettext_lazy("Choose a time zone from the list.")},
    )
    language = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Language"),
        error_messages={"invalid_choice": gettext_lazy("Choose a language from the list.")},
    )
    table_form = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Downloads"),
        choices=Form.choices,
        error_messages={"invalid_choice": gettext_lazy("Choose a format from the list.")},
    )
    shortcuts = forms.BooleanField(required=False, label=gettext_lazy("Keyboard shortcuts"))

    def __init__(self, data: Any, *, profile: Profile) -> None:
        names = ("time_zone", "language", "table_form", "shortcuts")
        super().__init__(data, initial={name: getattr(profile, name) for name in names})
        zones = [(name, name) for name in sorted(zone_names() - {"UTC"})]
        self.fields["time_zone"].choices = [("", "UTC"), *zones]  # type: ignore[attr-defined]
        self.fields["language"].choices = [  # type: ignore[attr-defined]
            ("", _("Same as the browser")),
            *settings.LANGUAGES,
        ]


@console_page("orders.view_order", methods=READ_AND_POST)
def me(request: HttpRequest) -> HttpResponse:
    """Show the person's account, and change their display settings."""
    user = get_object_or_404(User, pk=request.user.pk)
    form = PreferencesForm(request.POST or None, profile=profile_of(request) or Profile())
    if request.method == "POST" and form.is_valid():
        profile, _created = Profile.objects.get_or_create(user=user)
        Profile.objects.filter(pk=profile.pk).update(**form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("me")
    context = {"form": form, "role": people.role_of(user), "person": user}
    return render(request, "console/me.html", context)


@console_page("orders.view_order", methods=("POST",))
def sign_out_elsewhere(request: HttpRequest) -> HttpResponse:
    """End all other sessions of the person."""
    ended = people.sign_out_everywhere(
        actor=person_of(request),
        user_id=person_of(request).pk,
        keep=request.session.session_key,
        reason="",
        now=timezone.now(),
    )
    text = ngettext(
        "You were signed out in %(number)d other place.",
        "You were signed out in %(number)d other places.",
        ended,
    ) % {"number": ended}
    messages.success(request, text if ended else _("You were not signed in anywhere else."))
    return redirect("me")


class _PasswordChange(auth.PasswordChangeView):
    """A new password; ends all other sessions of the person."""

    template_name = "console/me_password.html"
    success_url = reverse_lazy("me")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Change the password, unless the old one was wrong too often."""
        own = {
            "name_hash": limits.hash_of(request.user.get_username()),
            "device": f"person-{request.user.pk}",
        }
        try:
            with limits.attempt(request.META, **own) as tried, passwords.known_person():
                self._tried = tried
                return super().post(request, *args, **kwargs)
        except limits.TooManyTries as refusal:
            return wait_page(request, refusal.seconds)

    def form_invalid(self, form: Any) -> HttpResponse:
        """Count a wrong old password like one at sign-in."""
        if form.has_error("old_password", "password_incorrect"):
            note_failure(
                self.request,
                self._tried,
                name=self.request.user.get_username(),
                action="user.password_refused",
            )
        return super().form_invalid(form)

    def form_valid(self, form: Any) -> HttpResponse:
        """Store the password with an audit log entry, and keep this session."""
        # Hashing takes time, and may have to wait; no lock is held meanwhile.
        user = form.save(commit=False)
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(password=user.password)
            update_session_auth_hash(self.request, user)
            audit.record(
                request=self.request,
                action="user.password_changed",
                target=f"user:{user.get_username()}",
            )
        limits.succeed(self._tried)
        messages.success(
            self.request, _("Your password was changed. You were signed out everywhere else.")
        )
        return redirect(self.get_success_url())


change_password = console_page("orders.view_order", methods=READ_AND_POST)(
    sensitive_post_parameters()(_PasswordChange.as_view())
)


@console_page("orders.view_order", methods=("POST",))
def choose_site(request: HttpRequest) -> HttpResponse:
    """Choose the site that lists show from now on, and return to the page."""
    wanted = request.POST.get("site", "")
    if wanted and wanted not in {site.pk for site in site_access(request).sites}:
        raise Http404
    request.session[SESSION_KEY] = wanted
    return redirect(_page_to_show(request))


def _page_to_show(request: HttpRequest) -> str:
    """Return the page to go back to, without parameters of the old site; home if there is none."""
    given = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        given, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # Without the slash it would be read as the name of a page.
    if not safe or not given.startswith("/"):
        return reverse("home")
    parts = urlsplit(given)
    query = QueryDict(parts.query, mutable=True)
    for name in _OF_THE_OLD_SITE:
        query.pop(name, None)
    return urlunsplit(parts._replace(query=query.urlencode(), fragment=""))
