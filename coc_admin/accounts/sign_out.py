"""End the sessions and password links of a person who is disabled, for good.

Once enabled again, they must sign in. This applies however the account is changed: in the console,
the back office, or by a command that saves the user. API tokens and alert channels belong to sites,
not to people.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.sessions.models import Session
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils import timezone

from coc_admin.models import Profile


def end_sessions(user: User, *, now: datetime, keep: str | None = None) -> int:
    """End every session of a person but `keep`; return how many."""
    ended = 0
    others = Session.objects.exclude(pk=keep or "")
    for session in others.filter(expire_date__gt=now).iterator():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            ended += session.delete()[0]
    return ended


def cut_off(user: User, *, now: datetime) -> None:
    """End everything that opens the console for a person without their password."""
    Profile.objects.update_or_create(user=user, defaults={"cut_off_at": now})
    end_sessions(user, now=now)


@receiver(pre_save, sender=User, dispatch_uid="cut_off_when_disabled")
def cut_off_when_disabled(
    instance: User, raw: bool = False, update_fields: Collection[str] | None = None, **_: Any
) -> None:
    """End the sessions of a person who is saved as disabled, and again when enabled.

    A session may begin between the account check and its disabling.
    """
    if raw or instance.pk is None or (update_fields and "is_active" not in update_fields):
        return
    before = User.objects.filter(pk=instance.pk).values_list("is_active", flat=True).first()
    if before is not None and before != instance.is_active:
        cut_off(instance, now=timezone.now())


class _Links(PasswordResetTokenGenerator):
    """Password links that stop working once the person has been disabled."""

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        found = Profile.objects.filter(user=user).values_list("cut_off_at", flat=True).first()
        return f"{super()._make_hash_value(user, timestamp)}{found.isoformat() if found else ''}"


links = _Links()
