"""Signing in and out, and choosing a password by a link, each with a line in the audit log."""

from __future__ import annotations

from typing import Any

from axes.helpers import get_cool_off
from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin import audit
from coc_admin.models import AuditEntry

_LOCKED = "session.locked"


def _was_noted(target: str) -> bool:
    """Whether the log has said of late that signing in is locked: it must not be flooded."""
    since = timezone.now() - get_cool_off()
    return AuditEntry.objects.filter(target=target, at__gt=since, action=_LOCKED).exists()


class SignIn(views.LoginView):
    """The sign-in page."""

    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, and note it."""
        answer = super().form_valid(form)
        audit.record(request=self.request, action="session.signed_in", target="session")
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Note that somebody could not sign in; once in a while that signing in is locked.

        A name that nobody has is not kept: it may be a password in the wrong field.
        """
        name = form.data.get("username", "")[:150]
        known = "\x00" not in name and User.objects.filter(username=name).exists()
        target = f"user:{name}" if known else "session"
        is_locked = getattr(self.request, "axes_locked_out", False)
        if not (is_locked and _was_noted(target)):
            audit.record(
                request=self.request,
                action=_LOCKED if is_locked else "session.refused",
                target=target,
                detail={} if known else {"name": "not known here"},
            )
        return super().form_invalid(form)


class SignOut(views.LogoutView):
    """Signing out; POST alone."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Note who leaves, and sign out."""
        if request.user.is_authenticated:
            audit.record(request=request, action="session.signed_out", target="session")
        return super().post(request, *args, **kwargs)


class SetPassword(views.PasswordResetConfirmView):
    """Choosing a password by a link that works once; a disabled person's does not."""

    template_name = "registration/set_password.html"
    success_url = reverse_lazy("login")

    def get_user(self, uidb64: str) -> Any:
        """Return whom the link is for, if they may sign in at all."""
        user = super().get_user(uidb64)
        return user if user is not None and user.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        """Keep the password, and note that it was chosen."""
        with transaction.atomic():
            answer = super().form_valid(form)
            audit.record(
                request=self.request,
                action="user.password_set",
                target=f"user:{form.user.get_username()}",
            )
        messages.success(self.request, _("Your password is kept. Sign in with it."))
        return answer
