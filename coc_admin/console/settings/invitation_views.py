"""Send a person the link to choose a password, and show the link's page."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts import invitations
from coc_admin.console.access import console_page, person_of
from coc_admin.console.formats import format_time
from coc_admin.edits import ChangeRefused


@console_page("auth.change_user", methods=("POST",), every_site=True)
def person_invite(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the link to the person's address."""
    user = get_object_or_404(User, pk=min(pk, 2**31 - 1))
    invite(request, user)
    return redirect("settings_person", pk=user.pk)


def invite(request: HttpRequest, user: User) -> bool:
    """Send the link, and report the result; False if it was not sent."""
    try:
        until = invitations.invite(
            actor=person_of(request),
            user=user,
            address=request.build_absolute_uri("/"),
            now=timezone.now(),
        )
    except ChangeRefused as refusal:
        messages.error(request, _("No e-mail was sent. %(why)s") % {"why": refusal.detail})
        return False
    words = _("A link to choose a password was sent to %(email)s. It is valid until %(time)s.")
    messages.success(request, words % {"email": user.email, "time": format_time(until)})
    return True
