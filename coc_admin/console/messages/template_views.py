"""Pages of the templates of messages to customers, and of how a site's messages leave."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts import audit_log
from coc_admin.accounts.site_access import site_access
from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.messages.forms import RouteForm, TemplateForm
from orders import customer_messages
from orders.actors import person
from orders.message_languages import languages_of_sites
from orders.message_texts import PLACEHOLDERS
from orders.models import MessageKind, MessageRoute, MessageTemplate, Site
from reconciliation import message_handover

MAY = "orders.change_messagetemplate"
# Stands in the address where a site would.
EVERY_SITE = "-"
# Of the messages of a site that has not chosen one.
LANGUAGE = settings.LANGUAGE_CODE


@console_page(MAY)
def template_list(request: HttpRequest) -> HttpResponse:
    """List the kinds of messages, with the sites that have a template of their own."""
    access = site_access(request)
    own: dict[str, list[str]] = {}
    for row in MessageTemplate.objects.exclude(site=None).order_by("site"):
        if row.site_id is not None and access.permits(row.site_id):
            own.setdefault(row.kind, []).append(row.site_id)
    languages = languages_of_sites()
    context = {
        "site_languages": [(site, languages.get(site.pk, LANGUAGE)) for site in access.sites],
        "rows": [(value, label, own.get(value, [])) for value, label in MessageKind.choices],
        "sites": access.sites,
        "may_default": not access.is_limited,
        "every_site": EVERY_SITE,
    }
    return render(request, "console/messages/message_templates.html", context)


@console_page(MAY, methods=READ_AND_POST)
def template_edit(request: HttpRequest, site: str, kind: str) -> HttpResponse:
    """Change a template of a site or of every site; placeholders that do not exist are refused."""
    site_id = _site_or_404(request, site)
    if kind not in MessageKind.values:
        raise Http404
    current = MessageTemplate.objects.filter(site=site_id, kind=kind).first()
    languages = _languages(request, site_id)
    language = languages[0] if len(languages) == 1 else LANGUAGE
    subject, body, _language = customer_messages.template_for(
        site_id or "", MessageKind(kind), language=language
    )
    version = 0 if current is None else current.version
    form = TemplateForm(
        request.POST or None, initial={"subject": subject, "body": body, "seen": version}
    )
    moved = None
    if request.method == "POST" and form.is_valid():
        try:
            _save(request, site_id, MessageKind(kind), form.cleaned_data)
        except customer_messages.TemplateRefused as error:
            form.add_error("body", error.detail)
        except customer_messages.TemplateMoved as error:
            moved = error.current
        else:
            messages.success(request, _("The template was saved."))
            return redirect("message_templates")
    context = {
        "form": form,
        "site": site_id,
        "label": MessageKind(kind).label,
        "own": current is not None,
        "languages": languages,
        "language": language,
        "moved": moved,
        "seen": moved.version if moved else version if not form.is_bound else form["seen"].value(),
        "placeholders": list(PLACEHOLDERS.items()),
    }
    status = 409 if moved else 400 if form.errors else 200
    return render(request, "console/messages/message_template.html", context, status=status)


@console_page(MAY, methods=READ_AND_POST)
def route_edit(request: HttpRequest, site: str) -> HttpResponse:
    """Change how a site's messages leave: its sender, and a webhook."""
    site_id = _site_or_404(request, site)
    if site_id is None:
        raise Http404
    route = MessageRoute.objects.filter(pk=site_id).first() or MessageRoute(pk=site_id)
    form = RouteForm(request.POST or None, initial=_initial(route))
    moved = False
    if request.method == "POST" and form.is_valid():
        try:
            _save_route(
                request, site_id, seen=form.cleaned_data["version"], values=form.values(route)
            )
        except message_handover.RouteMoved:
            moved = True
            route = MessageRoute.objects.get(pk=site_id)
        else:
            messages.success(request, _("The message settings of the site were saved."))
            return redirect("message_templates")
    context = {
        "form": form,
        "site": site_id,
        "route": route,
        "languages": settings.LANGUAGES,
        "moved": moved,
    }
    status = 409 if moved else 400 if form.errors else 200
    return render(request, "console/messages/message_route.html", context, status=status)


def _initial(route: MessageRoute) -> dict[str, Any]:
    return {"email": route.email, "sender": route.sender, "language": route.language}


def _languages(request: HttpRequest, site_id: str | None) -> list[str]:
    """Return the languages of the sites that a template is for."""
    known = languages_of_sites()
    keys = [site.pk for site in site_access(request).sites] if site_id is None else [site_id]
    return sorted({known.get(key, LANGUAGE) for key in keys})


def _save_route(request: HttpRequest, site_id: str, *, seen: int, values: dict[str, Any]) -> None:
    with transaction.atomic():
        before, after = message_handover.save_route(site_id=site_id, seen=seen, values=values)
        audit.record(
            request=request,
            action="site.messages",
            target=f"site:{site_id}",
            detail=audit_log.changed(before, after),
        )


def _save(
    request: HttpRequest, site_id: str | None, kind: MessageKind, values: dict[str, Any]
) -> None:
    with transaction.atomic():
        kept = customer_messages.save_template(
            site_id=site_id,
            kind=kind,
            subject=values["subject"],
            body=values["body"],
            seen=values["seen"],
            actor=person(request.user.get_username()),
            now=timezone.now(),
        )
        if kept.version != values["seen"]:
            audit.record(
                request=request,
                action="template.changed",
                target=f"template:{site_id or EVERY_SITE}:{kind}",
            )


def _site_or_404(request: HttpRequest, site: str) -> str | None:
    """Return the site's id, or None for every site; for people of some sites there is no such."""
    access = site_access(request)
    if site == EVERY_SITE and not access.is_limited:
        return None
    if not access.permits(site):
        raise Http404
    return get_object_or_404(Site, pk=site).pk
