"""Tags of the templates that show alerts."""

from __future__ import annotations

from django import template
from django.template import Context

from coc_admin.console.access import may_open
from reconciliation.models import Alert

register = template.Library()


@register.simple_tag(takes_context=True)
def alert_link(context: Context, alert: Alert) -> str:
    """Return the address that an alert leads to, or "" if the reader may not open that page."""
    return alert.link if alert.link and may_open(context["request"], alert.link) else ""
