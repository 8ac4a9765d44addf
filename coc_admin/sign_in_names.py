"""Under which name a failed sign-in is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.crypto import salted_hmac


def counted_name(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str | None:
    """Return the name that was typed if somebody has it, else a keyed hash of it.

    What nobody is called may be a password typed into the wrong field: it is counted like a name,
    and kept nowhere (django-axes stores what this returns).
    """
    typed = (credentials or {}).get("username") or request.POST.get("username")
    if not typed or User.objects.filter(username=typed).exists():
        return typed
    return f"nobody-{salted_hmac('coc_admin.sign_in_names', str(typed)).hexdigest()}"
