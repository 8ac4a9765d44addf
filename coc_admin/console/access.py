"""Access to pages: every console view declares it with one decorator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from coc_admin.accounts.site_access import site_access

View = Callable[..., HttpResponseBase]

_NOT_TO_COME_BACK_TO = ("login", "logout")

READ = ("GET", "HEAD")
READ_AND_POST = ("GET", "HEAD", "POST")


def console_page(
    permission: str, *, methods: Sequence[str] = READ, every_site: bool = False
) -> Callable[[View], View]:
    """Allow a view with `methods` for people who are signed in and have `permission`.

    `every_site` limits it to people who see every site, for actions that concern all of them.
    Others must sign in, or get the 403 page. The view carries `console_permission` and
    `console_every_site`, so that links to it can be left out (`may_open`) and a test can find a
    page without a rule.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in methods:
                return not_allowed(request, methods)
            if not request.user.is_authenticated:
                return _sign_in(request, methods)
            if not request.user.has_perm(permission):
                raise PermissionDenied(permission)
            if every_site and site_access(request).is_limited:
                raise PermissionDenied("every site")
            return view(request, *args, **kwargs)

        allowed = never_cache(guarded)
        allowed.console_permission = permission  # type: ignore[attr-defined]
        allowed.console_every_site = every_site  # type: ignore[attr-defined]
        allowed.console_methods = tuple(methods)  # type: ignore[attr-defined]
        return allowed

    return decorate


def may_open(request: HttpRequest, address: str) -> bool:
    """Return whether the person behind `request` may open the page at `address`; runs no query.

    True for an address that is no page of the console.
    """
    try:
        page = resolve(unquote(urlsplit(address).path)).func
    except Resolver404:
        return True
    permission = getattr(page, "console_permission", "")
    if permission and not request.user.has_perm(permission):
        return False
    return not (getattr(page, "console_every_site", False) and site_access(request).is_limited)


def person_of(request: HttpRequest) -> User:
    """Return the person behind a request that passed `console_page`."""
    return cast(User, request.user)


def not_allowed(request: HttpRequest, methods: Sequence[str]) -> HttpResponseBase:
    """Return the page for an address that only accepts other methods."""
    page = render_to_string("405.html", request=request)
    return HttpResponseNotAllowed(list(methods), page)


def page_to_show(address: str) -> str:
    """Return path and query of an address if they lead to a page, or "".

    The result never leads to another host, to sign-in or sign-out, or to addresses that only accept
    forms.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    path = urlunsplit(("", "", parts.path, parts.query, ""))
    if not path.startswith("/") or not url_has_allowed_host_and_scheme(path, allowed_hosts=None):
        return ""
    try:
        found = resolve(unquote(parts.path))
    except Resolver404:
        return path
    methods = getattr(found.func, "console_methods", READ)
    return path if "GET" in methods and found.url_name not in _NOT_TO_COME_BACK_TO else ""


def _sign_in(request: HttpRequest, methods: Sequence[str]) -> HttpResponseBase:
    """Send a page to the sign-in page; a live fragment must send its whole page there.

    A person who pressed a button returns to its page, which says that nothing was done.
    """
    if "HX-Request" in request.headers:
        shown = page_to_show(request.headers.get("HX-Current-URL", ""))
        target = redirect_to_login(shown or resolve_url("home"))
        return HttpResponse(status=401, headers={"HX-Redirect": target["Location"]})
    if request.method == "POST":
        messages.warning(
            request,
            _("You were signed out, so nothing was done. Check the page and try again."),
        )
        page = page_to_show(request.headers.get("Referer", ""))
        if page or "GET" not in methods:
            return redirect_to_login(page or resolve_url("home"))
    return redirect_to_login(request.get_full_path())
