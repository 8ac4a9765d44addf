"""One-button actions on a person, each after a page that explains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.accounts import invitations, people
from coc_admin.console.access import READ_AND_POST, console_page, person_of
from coc_admin.console.forms import ReasonForm
from coc_admin.console.settings.views import settings_page
from coc_admin.edits import ChangeRefused

_Words = str | Promise


@dataclass(frozen=True, slots=True)
class Act:
    """One action, its words, and whether it is harmful."""

    title: _Words
    text: _Words
    button: _Words
    done: _Words
    nothing: _Words
    harms: bool
    do: Callable[[HttpRequest, int, str], Any]


def _disable(request: HttpRequest, key: int, reason: str) -> Any:
    return _set_active(request, key, reason, active=False)


def _enable(request: HttpRequest, key: int, reason: str) -> Any:
    return _set_active(request, key, reason, active=True)


def _set_active(request: HttpRequest, key: int, reason: str, *, active: bool) -> bool:
    return people.set_active(
        actor=person_of(request), user_id=key, active=active, reason=reason, now=timezone.now()
    )


def _sign_out(request: HttpRequest, key: int, reason: str) -> Any:
    return people.sign_out_everywhere(
        actor=person_of(request),
        user_id=key,
        keep=request.session.session_key,
        reason=reason,
        now=timezone.now(),
    )


def _unlock(request: HttpRequest, key: int, reason: str) -> Any:
    return people.unlock(actor=person_of(request), user_id=key, reason=reason, now=timezone.now())


ACTS = {
    "disable": Act(
        gettext_lazy("Disable this person?"),
        gettext_lazy(
            "They are signed out at their next request and cannot sign in until they are enabled"
            " again. Their actions stay in every history."
        ),
        gettext_lazy("Disable"),
        gettext_lazy("This person is disabled."),
        gettext_lazy("This person was already disabled."),
        True,
        _disable,
    ),
    "enable": Act(
        gettext_lazy("Enable this person?"),
        gettext_lazy("They can sign in again, with the password, role and sites they had."),
        gettext_lazy("Enable"),
        gettext_lazy("This person is enabled."),
        gettext_lazy("This person was already enabled."),
        False,
        _enable,
    ),
    "sign-out": Act(
        gettext_lazy("Sign this person out everywhere?"),
        gettext_lazy(
            "They have to sign in again in every browser. Unsaved input is lost. If this is your"
            " own account, this browser stays signed in."
        ),
        gettext_lazy("Sign out everywhere"),
        gettext_lazy("This person is signed out everywhere."),
        gettext_lazy("This person was not signed in anywhere else."),
        True,
        _sign_out,
    ),
    "unlock": Act(
        gettext_lazy("Clear wrong passwords?"),
        gettext_lazy(
            "After wrong passwords, the next attempt from the same place has to wait up to a"
            " quarter of an hour. Clear them only if you know that this person mistyped."
        ),
        gettext_lazy("Clear them"),
        gettext_lazy("This person can try again within seconds."),
        gettext_lazy("There were no wrong passwords to clear."),
        False,
        _unlock,
    ),
}


@console_page("auth.change_user", methods=READ_AND_POST, every_site=True)
def person_act(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Explain one of ACTS, then apply it with a reason. Idempotent."""
    if act not in ACTS:
        raise Http404
    user = get_object_or_404(User, pk=min(pk, 2**31 - 1))
    form, refused = ReasonForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            changed = ACTS[act].do(request, user.pk, form.cleaned_data["reason"])
        except ChangeRefused as refusal:
            refused = refusal.detail
        else:
            say = messages.success if changed else messages.info
            say(request, str(ACTS[act].done if changed else ACTS[act].nothing))
            return redirect("settings_person", pk=user.pk)
    context = {
        "person": user,
        "act": ACTS[act],
        "form": form,
        "refused": refused,
        "back": reverse("settings_person", args=[user.pk]),
    }
    return settings_page(request, "person_act.html", context, status=409 if refused else 200)


@console_page("auth.change_user", methods=("POST",), every_site=True)
def person_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a link to choose a password: once, in this answer."""
    user = get_object_or_404(User, pk=min(pk, 2**31 - 1))
    try:
        return link_page(request, user)
    except ChangeRefused as refusal:
        messages.error(request, _("No link was created. %(why)s") % {"why": refusal.detail})
        return redirect("settings_person", pk=user.pk)


def link_page(request: HttpRequest, user: User) -> HttpResponse:
    """Return the page with a new link to choose a password. Raises ChangeRefused."""
    now = timezone.now()
    path = people.password_link(actor=person_of(request), user_id=user.pk, now=now)
    link, expires_at = request.build_absolute_uri(path), invitations.expires_at(now)
    context = {"person": user, "link": link, "expires_at": expires_at}
    return settings_page(request, "person_link.html", context)
