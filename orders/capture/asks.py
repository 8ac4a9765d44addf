"""Capture requests and their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orders.actors import Actor
from orders.models import Order, OrderItem, Site
from orders.payload import PlacedOrder


@dataclass(frozen=True, slots=True)
class Claim:
    """Who may call OCI for an order, and until when."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """One order to capture.

    Without a `claim` it is captured offline, for `offline_reason`; with one it waits for the claim
    holder's live reservation. `offline_since` is when the outage began, if there is one.
    """

    placed: PlacedOrder
    site: Site
    offline_since: datetime | None
    offline_reason: str
    claim: Claim | None
    actor: Actor
    now: datetime

    @property
    def number(self) -> tuple[str, str]:
        """Site and order number, which are unique together."""
        return (self.site.pk, self.placed.order_no)


@dataclass(frozen=True, slots=True)
class Captured:
    """The stored order; `created` is False if it had been captured before.

    `items` are those of a new order; those of an existing one are not read.
    """

    order: Order
    created: bool
    items: Sequence[OrderItem] | None = None
