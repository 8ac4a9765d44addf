"""People: who may sign in, with which role, for which sites. Every change is logged.

Nobody removes their own administrator role or disables themselves, the last administrator stays, an
administrator sees every site, and only a superuser changes a superuser.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from coc_admin.accounts import audit_log
from coc_admin.accounts.roles import ADMINISTRATOR, permissions_of_roles
from coc_admin.accounts.sign_in import limits
from coc_admin.accounts.sign_out import cut_off, end_sessions, links
from coc_admin.edits import ChangeRefused, EditedMeanwhile, text_of, texts_of, update_as_seen
from coc_admin.models import Profile
from orders.actors import person
from orders.models import Site

ROLES = tuple(permissions_of_roles())
_OWN_FIELDS = ("first_name", "last_name", "email")


def role_of(user: User) -> str:
    """Return the strongest role of a person, or "". Queries groups that are not prefetched."""
    names = {group.name for group in user.groups.all()}
    return next((role for role in reversed(ROLES) if role in names), "")


def sites_of(user: User) -> tuple[bool, list[str]]:
    """Return whether a person sees every site, and otherwise which."""
    profile = Profile.objects.filter(user=user).first()
    if profile is None or profile.every_site:
        return True, []
    return False, list(profile.sites.order_by("pk").values_list("pk", flat=True))


def seen(user: User) -> dict[str, str]:
    """Return the editable values of a person, in the form that `change` compares."""
    every_site, sites = sites_of(user)
    return texts_of(user, _OWN_FIELDS) | {
        "role": role_of(user),
        "every_site": text_of(every_site),
        "sites": text_of(sites),
    }


def add(
    *, actor: User, username: str, values: Mapping[str, Any], reason: str, now: datetime
) -> User:
    """Create a person without a password; `password_link` lets them choose one.

    Raises ChangeRefused.
    """
    check_sites(role=values["role"], every_site=values["every_site"], sites=values["sites"])
    with transaction.atomic():
        user = User(username=username, **{name: values[name] for name in _OWN_FIELDS})
        user.set_unusable_password()
        user.save(force_insert=True)
        _set_role(user, values["role"])
        _set_sites(user, every_site=values["every_site"], sites=values["sites"])
        detail = {name: text for name, text in seen(user).items() if text}
        _note(actor, "user.added", user, detail=detail, reason=reason, now=now)
    return user


def change(
    *,
    actor: User,
    user_id: int,
    was: Mapping[str, str],
    values: Mapping[str, Any],
    reason: str,
    now: datetime,
) -> bool:
    """Change names, role and sites of a person who still matches `was`; False if nothing differs.

    Raises EditedMeanwhile and ChangeRefused.
    """
    check_sites(role=values["role"], every_site=values["every_site"], sites=values["sites"])
    with transaction.atomic():
        user = _locked(actor, user_id)
        current = seen(user)
        if current != dict(was):
            raise EditedMeanwhile(current)
        wanted = {name: text_of(values[name]) for name in current}
        changes = audit_log.changed(current, wanted)
        if "role" in changes and current["role"] == ADMINISTRATOR:
            check_loss(actor=actor, users=[user], field="role")
        update_as_seen(
            User.objects.filter(pk=user.pk), was=current, values={n: values[n] for n in _OWN_FIELDS}
        )
        if "role" in changes:
            _set_role(user, values["role"])
        if {"every_site", "sites"} & changes.keys():
            _set_sites(user, every_site=values["every_site"], sites=values["sites"])
        if changes:
            _note(actor, "user.changed", user, detail=changes, reason=reason, now=now)
    return bool(changes)


def set_active(*, actor: User, user_id: int, active: bool, reason: str, now: datetime) -> bool:
    """Enable or disable a person's sign-in; disabling ends their sessions and links for good.

    False if nothing changed. Raises ChangeRefused.
    """
    with transaction.atomic():
        user = _locked(actor, user_id)
        if not active:
            check_loss(actor=actor, users=[user])
        rows = User.objects.filter(pk=user.pk, is_active=not active)
        if not rows.update(is_active=active):
            return False
        cut_off(user, now=now)
        _note(actor, "user.enabled" if active else "user.disabled", user, reason=reason, now=now)
    return True


def sign_out_everywhere(
    *, actor: User, user_id: int, keep: str | None, reason: str, now: datetime
) -> int:
    """End every session of a person but `keep`, a session key; return how many.

    Raises ChangeRefused.
    """
    with transaction.atomic():
        user = _locked(actor, user_id)
        ended = end_sessions(user, now=now, keep=keep)
        _note(actor, "user.signed_out", user, detail={"sessions": ended}, reason=reason, now=now)
    return ended


def unlock(*, actor: User, user_id: int, reason: str, now: datetime) -> int:
    """Clear a person's wrong passwords; return from how many places. Raises ChangeRefused."""
    with transaction.atomic():
        user = _locked(actor, user_id)
        places = limits.forgive(user.get_username())
        if places:
            _note(actor, "user.unlocked", user, detail={"places": places}, reason=reason, now=now)
    return places


def password_link(*, actor: User, user_id: int, now: datetime, sent_to: str = "") -> str:
    """Return the path of a page to choose a password, once; it is not stored.

    `sent_to` is the address that receives it, if any. Raises ChangeRefused.
    """
    with transaction.atomic():
        user = _locked(actor, user_id)
        if not user.is_active:
            raise ChangeRefused(
                _("Enable this person first. The link does not work for a disabled person.")
            )
        detail = {"email": sent_to} if sent_to else {}
        action = "user.invited" if sent_to else "user.password_link"
        _note(actor, action, user, detail=detail, now=now)
        key = urlsafe_base64_encode(force_bytes(user.pk))
        token = links.make_token(user)
    return reverse("set_password", args=[key, token])


def may_touch(actor: User, user: User) -> bool:
    """Whether `actor` may change `user` at all."""
    return not user.is_superuser or actor.is_superuser


def administrators() -> Any:
    """Return people who can manage people: active, and administrator or superuser."""
    return User.objects.filter(
        Q(groups__name=ADMINISTRATOR) | Q(is_superuser=True), is_active=True
    ).distinct()


def check_loss(*, actor: User, users: Collection[User], field: str | None = None) -> None:
    """Raise ChangeRefused unless all `users` may lose the right to manage people, or be deleted.

    Runs in the caller's transaction, after `lock_administrators`.
    """
    for user in users:
        _refuse_for_oneself(actor, user, field=field)
    losing = [user.pk for user in users]
    left = administrators().exclude(pk__in=losing)
    if administrators().filter(pk__in=losing).exists() and not left.exists():
        raise ChangeRefused(
            _("This is the last administrator. Make another person administrator first."),
            field=field,
        )


def lock_administrators() -> None:
    """Keep the set of administrators unchanged until the end of the transaction."""
    Group.objects.select_for_update().filter(name=ADMINISTRATOR).first()


def check_sites(*, role: str, every_site: bool, sites: Collection[object]) -> None:
    """Raise ChangeRefused unless these sites fit the role and each other."""
    if every_site and sites:
        raise ChangeRefused(
            _("You chose every site and single sites. Choose one or the other."), field="sites"
        )
    if role == ADMINISTRATOR and not every_site:
        raise ChangeRefused(
            _("An administrator sees every site. Choose every site, or another role."),
            field="every_site",
        )
    if not every_site and not sites:
        raise ChangeRefused(_("Choose at least one site, or every site."), field="sites")


def _locked(actor: User, user_id: int) -> User:
    """Return a person with their row locked, and the administrator role as well.

    The role is always locked first, so that the last administrator can't change between the check
    and the change.
    """
    lock_administrators()
    user = User.objects.select_for_update().get(pk=user_id)
    if not may_touch(actor, user):
        raise ChangeRefused(_("Only a superuser can change a superuser."))
    return user


def _refuse_for_oneself(actor: User, user: User, *, field: str | None = None) -> None:
    if actor.pk == user.pk:
        raise ChangeRefused(
            _("You cannot do this to your own account. Ask another administrator."), field=field
        )


def _set_role(user: User, role: str) -> None:
    user.groups.remove(*Group.objects.filter(name__in=[one for one in ROLES if one != role]))
    if role:
        user.groups.add(Group.objects.get(name=role))


def _set_sites(user: User, *, every_site: bool, sites: Collection[Site]) -> None:
    profile, _created = Profile.objects.get_or_create(user=user)
    Profile.objects.filter(pk=profile.pk).update(every_site=every_site)
    profile.sites.set([] if every_site else sites)


def _note(
    actor: User,
    action: str,
    user: User,
    *,
    detail: Mapping[str, object] = {},
    reason: str = "",
    now: datetime,
) -> None:
    audit_log.append(
        actor=person(actor.get_username()),
        action=action,
        target=f"user:{user.get_username()}",
        detail=detail,
        reason=reason,
        now=now,
    )
