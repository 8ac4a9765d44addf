"""Accepting the risk of overselling: who turned offline capture on, when, and with which text.

The text is kept with each acceptance as it was shown, so that a later wording changes nothing.
"""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from orders.actors import Actor
from orders.models import RiskAcceptance, Site


def risk_text() -> str:
    """Return what a person accepts by turning offline capture on, in the reader's language."""
    return _(
        "While Omnichannel Inventory is away, this site sells the last known stock. Other channels"
        " may sell the same stock meanwhile, so that orders can turn out oversold. The merchant"
        " bears that risk and settles such orders with its customers."
    )


def accept(*, site: Site, text: str, actor: Actor, now: datetime) -> RiskAcceptance:
    """Record, in the caller's transaction, who accepts the risk for a site."""
    return RiskAcceptance.objects.create(site=site, at=now, accepted_by=actor.name[:150], text=text)


def last_acceptance(site: Site) -> RiskAcceptance | None:
    """Return who turned offline capture on last, or None for a site from before it was recorded."""
    return RiskAcceptance.objects.filter(site=site).order_by("-id").first()
