"""Pages about people: list, a new one, and details with edit form."""

from __future__ import annotations

from functools import partial

from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from coc_admin.accounts import invitations, people
from coc_admin.accounts.sign_in import limits
from coc_admin.console.access import READ_AND_POST, console_page, person_of
from coc_admin.console.queries import PAGE
from coc_admin.console.settings.invitation_views import invite
from coc_admin.console.settings.people_forms import NewPersonForm, PersonForm, role_word
from coc_admin.console.settings.person_action_views import link_page
from coc_admin.console.settings.views import report_result, settings_page, try_to
from coc_admin.models import Profile
from coc_admin.pager import Column, Keyset, Page

_LONGEST_SEARCH = 150
_BY_NAME = Keyset(Column("username", str))


@console_page("auth.view_user", every_site=True)
def person_list(request: HttpRequest) -> HttpResponse:
    """List people by user name, or only search matches; five queries at most."""
    text = request.GET.get("q", "").strip()[:_LONGEST_SEARCH].replace("\x00", "")
    found = User.objects.prefetch_related("groups")
    if text:
        found = found.filter(
            Q(username__icontains=text)
            | Q(first_name__icontains=text)
            | Q(last_name__icontains=text)
            | Q(email__icontains=text)
        )
    page: Page[User] = _BY_NAME.page(found, request.GET.get("cursor", ""), size=PAGE)
    rows = page.rows
    limited = Profile.objects.filter(user__in=rows, every_site=False).prefetch_related("sites")
    sites = {one.user_id: [site.pk for site in one.sites.all()] for one in limited}
    context = {
        "rows": [(one, role_word(people.role_of(one)), sites.get(one.pk)) for one in rows],
        "page": page,
        "text": text,
    }
    return settings_page(request, "people.html", context)


@console_page("auth.add_user", methods=READ_AND_POST, every_site=True)
def person_new(request: HttpRequest) -> HttpResponse:
    """Add a person, and send or show, once, the link to choose a password."""
    form = NewPersonForm(request.POST or None)
    add = partial(people.add, actor=person_of(request))
    outcome = try_to(form, lambda **given: add(username=form.cleaned_data["username"], **given))
    if outcome.done and outcome.result:
        user = outcome.result
        if form.cleaned_data["invite"] and invite(request, user):
            return redirect("settings_person", pk=user.pk)
        return link_page(request, user)
    return settings_page(request, "person_new.html", outcome.context, status=outcome.status)


@console_page("auth.change_user", methods=READ_AND_POST, every_site=True)
def person_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a person, the possible actions, and a form to change names, role and sites."""
    user = get_object_or_404(User, pk=min(pk, 2**31 - 1))
    form = PersonForm(request.POST or None, seen=people.seen(user))
    outcome = try_to(form, partial(people.change, actor=person_of(request), user_id=user.pk))
    if outcome.done:
        words = _("%(name)s was changed.") % {"name": user.get_username()}
        report_result(request, outcome, changed=words)
        return redirect("settings_person", pk=user.pk)
    context = outcome.context | {
        "person": user,
        "may_touch": people.may_touch(person_of(request), user),
        "is_oneself": request.user.pk == user.pk,
        "slowed_from": limits.slowed(user.get_username()),
        "has_password": user.has_usable_password(),
        "has_sender": invitations.has_sender(),
    }
    return settings_page(request, "person.html", context, status=outcome.status)
