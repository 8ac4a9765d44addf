"""Audit log entries written by views: person and time come from the request."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest
from django.utils import timezone

from coc_admin.accounts import audit_log
from coc_admin.models import AuditEntry
from orders.actors import Actor, person


def record(
    *,
    request: HttpRequest,
    action: str,
    target: str,
    detail: Mapping[str, object] = {},
    reason: str = "",
) -> AuditEntry:
    """Append an action of the person behind `request`, in the caller's transaction.

    Services call `audit_log.append` instead.
    """
    return audit_log.append(
        actor=actor_of(request),
        action=action,
        target=target,
        detail=detail,
        reason=reason,
        now=timezone.now(),
    )


def actor_of(request: HttpRequest) -> Actor:
    """Return the person behind `request`; the name is empty without sign-in."""
    user = getattr(request, "user", None)
    return person(user.get_username() if user is not None and user.is_authenticated else "")
