"""Sign in, sign out, and choose a password by a link, each with an audit log entry."""

from __future__ import annotations

import time
from typing import Any

import django.db
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from coc_admin.accounts.sign_in import counts, devices, limits, notes, passwords
from coc_admin.accounts.sign_out import links
from coc_admin.console import audit
from coc_admin.console.access import not_allowed, page_to_show


def wait_page(request: HttpRequest, seconds: int) -> HttpResponse:
    """Return the page with the time to wait after wrong passwords."""
    context = {"seconds": seconds, "minutes": -(-seconds // 60)}
    answer = render(request, "registration/wait.html", context, status=429)
    answer["Retry-After"] = str(seconds)
    return answer


def note_failure(
    request: HttpRequest, tried: limits.Attempt, *, name: str, action: str = "session.refused"
) -> None:
    """Count a wrong password, with an audit log entry if one is due.

    A slow database delays nobody here.
    """
    try:
        with counts.bounded(write=True):
            note = notes.Note(name)
            tries = note.tries_to_tell(limits.fail(tried, *note.failures()))
            if tries:
                detail = {"address": tried.address, "tries": tries}
                audit.record(request=request, action=action, target=note.target, detail=detail)
        counts.prune(time.time())
    except django.db.Error as error:
        limits.fail_alone(tried)
        counts.logger.warning("A failed sign-in was counted in this process alone: %s", error)


class SignIn(views.LoginView):
    """The sign-in page."""

    redirect_authenticated_user = True

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """Return the requested page; empty for an address that only accepts forms."""
        return page_to_show(super().get_redirect_url())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check name and password, unless too many wrong ones came from here."""
        name_hash = limits.hash_of(request.POST.get("username", ""))
        device = devices.device_of(request, name_hash)
        try:
            with (
                limits.attempt(request.META, name_hash=name_hash, device=device) as tried,
                passwords.known_person(bool(device)),
            ):
                self._tried = tried
                return super().post(request, *args, **kwargs)
        except limits.TooManyTries as refusal:
            return wait_page(request, refusal.seconds)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, log it, and remember the browser."""
        answer = super().form_valid(form)
        detail = {"address": self._tried.address}
        audit.record(
            request=self.request, action="session.signed_in", target="session", detail=detail
        )
        limits.succeed(self._tried)
        devices.remember(self.request, answer, self._tried.name_hash)
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Count and log the attempt. A form without name or password does not count."""
        name = form.cleaned_data.get("username")
        if name is not None and form.cleaned_data.get("password"):
            note_failure(self.request, self._tried, name=name)
        return super().form_invalid(form)


class SignOut(views.LogoutView):
    """Signing out; POST only."""

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer that this address has no page."""
        return not_allowed(request, ("POST",))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Log who leaves, and sign out."""
        if request.user.is_authenticated:
            audit.record(request=request, action="session.signed_out", target="session")
        return super().post(request, *args, **kwargs)


class SetPassword(views.PasswordResetConfirmView):
    """Choose a password by a link that works once; links of disabled people don't work."""

    template_name = "registration/set_password.html"
    token_generator = links

    def get_user(self, uidb64: str) -> Any:
        """Return the person of the link, if they may sign in."""
        user = super().get_user(uidb64)
        return user if user is not None and user.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        """Store the password, and log that it was chosen."""
        # Hashing takes time, and may have to wait; no lock is held meanwhile.
        was = form.user.password
        user = form.save(commit=False)
        with transaction.atomic():
            if not User.objects.filter(pk=user.pk, password=was).update(password=user.password):
                # Another request has used the link meanwhile.
                self.validlink = False
                return self.render_to_response(self.get_context_data())
            audit.record(
                request=self.request,
                action="user.password_set",
                target=f"user:{user.get_username()}",
            )
        del self.request.session[views.INTERNAL_RESET_SESSION_TOKEN]
        return HttpResponseRedirect(f"{reverse('login')}?password=saved")
