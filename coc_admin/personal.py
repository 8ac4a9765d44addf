"""Personal display: times in the person's zone, texts in their language.

Only pages of the console change. The API and files are the same for everyone.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from coc_admin.accounts.site_access import profile_of
from coc_admin.models import Profile


class PersonalMiddleware:
    """Show each page of the console in the time zone and the language of its reader."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request; the next one begins in UTC and in English again."""
        with timezone.override(None), translation.override(settings.LANGUAGE_CODE):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> None:
        """Choose zone and language when it is known that a page of the console follows."""
        if not _is_page(view):
            return
        profile = profile_of(request) if request.user.is_authenticated else None
        if profile is not None and profile.time_zone in zone_names():
            timezone.activate(zoneinfo.ZoneInfo(profile.time_zone))
        translation.activate(_language(request, profile))


def _is_page(view: Any) -> bool:
    """Whether a view belongs to the console, a class or a function."""
    return str(getattr(view, "view_class", view).__module__).startswith("coc_admin.console")


def _language(request: HttpRequest, profile: Profile | None) -> str:
    """Return the language that the person has chosen, or else the one their browser asks for."""
    if profile is not None and profile.language in dict(settings.LANGUAGES):
        return profile.language
    return translation.get_language_from_request(request)


def zone_names() -> set[str]:
    """Return the names of all time zones that this machine knows."""
    if not _ZONES:
        _ZONES.update(zoneinfo.available_timezones() - {"localtime"})
    return _ZONES


_ZONES: set[str] = set()
