"""Pages about API tokens: list, create (shown once), and revoke."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts import tokens
from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.forms import ReasonForm
from coc_admin.console.orders import first_order
from coc_admin.console.settings.people_forms import TokenForm
from coc_admin.console.settings.views import settings_page
from coc_admin.models import ApiToken, TokenScope
from orders.models import Site

MOST = 200


@console_page("coc_admin.view_apitoken", every_site=True)
def token_list(request: HttpRequest) -> HttpResponse:
    """List the tokens, revoked ones last; the tokens themselves are not known."""
    found = ApiToken.objects.order_by("site", "name")
    words = dict(TokenScope.choices)
    live, revoked = found.filter(revoked_at=None), found.exclude(revoked_at=None)
    context = {
        "live": [
            (one, tokens.sites_word(one), [words.get(s, s) for s in one.scopes])
            for one in live[:MOST]
        ],
        "revoked": [
            (one, tokens.sites_word(one)) for one in revoked.order_by("-revoked_at")[:MOST]
        ],
    }
    return settings_page(request, "tokens.html", context)


@console_page("coc_admin.add_apitoken", methods=READ_AND_POST, every_site=True)
def token_new(request: HttpRequest) -> HttpResponse:
    """Create a token and show it in this answer: it is not stored."""
    form = TokenForm(request.POST or None)
    refused = False
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            with transaction.atomic():
                made = tokens.make(
                    name=values["name"],
                    sites=list(values["site"]),
                    every_site=values["every_site"],
                    scopes=values["scopes"],
                )
                word = ", ".join(one.pk for one in values["site"]) or "*"
                audit.record(
                    request=request,
                    action="token.made",
                    target=f"token:{word}/{values['name']}"[:300],
                    detail={"scopes": values["scopes"]},
                    reason=values["reason"],
                )
        except tokens.TokenRefused as refusal:
            form.add_error("name", str(refusal))
            refused = True
        except IntegrityError:
            form.add_error("name", _("A token with this name was just created. Use another name."))
            refused = True
        else:
            sites = _("all sites") if values["every_site"] else word
            context = {
                "made": made,
                "name": values["name"],
                "sites": sites,
                "first_order": _first_order(request, values, token=made),
            }
            return settings_page(request, "token_made.html", context)
    return settings_page(request, "token_new.html", {"form": form}, status=409 if refused else 200)


@console_page("coc_admin.change_apitoken", methods=READ_AND_POST, every_site=True)
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Explain the revocation, then revoke with a reason. Idempotent."""
    token = get_object_or_404(ApiToken, pk=min(pk, 2**63 - 1))
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            revoked = tokens.revoke([token.pk], now=timezone.now())
            if revoked:
                audit.record(
                    request=request,
                    action="token.revoked",
                    target=f"token:{'*' if token.every_site else _named(token)}/{token.name}"[:300],
                    reason=form.cleaned_data["reason"],
                )
        words = {"name": token.name}
        if revoked:
            messages.success(request, _("The token %(name)s is revoked.") % words)
        else:
            messages.info(request, _("The token %(name)s was already revoked.") % words)
        return redirect("settings_tokens")
    context = {
        "token": token,
        "sites": tokens.sites_word(token),
        "form": form,
        "is_idle": token.revoked_at is not None,
        "back": reverse("settings_tokens"),
    }
    return settings_page(request, "token_revoke.html", context)


def _first_order(request: HttpRequest, values: Mapping[str, Any], *, token: str) -> str:
    """Return a command that places an order with this token; "" if the token may not."""
    if TokenScope.ORDERS_WRITE not in values["scopes"]:
        return ""
    site = Site.objects.order_by("pk").first() if values["every_site"] else values["site"][0]
    return first_order.command(request, site=site, token=token)


def _named(token: ApiToken) -> str:
    return ", ".join(tokens.site_ids_of(token))
