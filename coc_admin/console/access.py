"""Who may see which page: every view of the console says so by one decorator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from coc_admin.sight import sight_of

View = Callable[..., HttpResponseBase]

READ = ("GET", "HEAD")
READ_AND_POST = ("GET", "HEAD", "POST")


def console_page(
    permission: str, *, methods: Sequence[str] = READ, every_site: bool = False
) -> Callable[[View], View]:
    """Let a view be called with `methods`, by people who are signed in and have `permission`.

    With `every_site` only by those who see every site: what it does concerns all of them. Others
    are sent to sign in, or get the 403 page. The view carries `console_permission`, so that a test
    can find a page without a rule.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _sign_in(request)
            if not request.user.has_perm(permission):
                raise PermissionDenied(permission)
            if every_site and sight_of(request).is_limited:
                raise PermissionDenied("every site")
            return view(request, *args, **kwargs)

        allowed = require_http_methods(list(methods))(never_cache(guarded))
        allowed.console_permission = permission  # type: ignore[attr-defined]
        return allowed

    return decorate


def _sign_in(request: HttpRequest) -> HttpResponseBase:
    """Send a page to the sign-in page; a live fragment must send its whole page there."""
    if "HX-Request" not in request.headers:
        return redirect_to_login(request.get_full_path())
    shown = urlsplit(request.headers.get("HX-Current-URL", "/"))
    target = redirect_to_login(shown.path or resolve_url("home"))
    return HttpResponse(status=401, headers={"HX-Redirect": target["Location"]})
