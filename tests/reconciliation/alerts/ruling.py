"""A shop of orders and runs, and what the alerts say of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.utils import translation

from orders.models import Order, OrderItem, OrderStatus, Site
from reconciliation import connection
from reconciliation.alerts.lifecycle import open_alerts
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.rule import Text
from reconciliation.alerts.text import text_of
from reconciliation.models import Alert, Batch, CallHealth, Run, RunEntry

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def order(site: Site, no: str, *, units: int = 2, total: str = "10", **values: object) -> Order:
    fields: dict[str, object] = {
        "status": OrderStatus.NEW,
        "captured_at": NOW,
        "currency": "EUR",
        "order_total": Decimal(total),
        "payload_hash": "x",
        "captured_offline": True,
    }
    made = Order.objects.create(site=site, order_no=no, **{**fields, **values})
    OrderItem.objects.create(
        order=made,
        position=1,
        item_id="1",
        sku="SKU",
        inventory_list=site.inventory_list,
        quantity=units,
    )
    return made


def run(state: str, entries: list[tuple[Order, str]], *, minutes: float = 0) -> Run:
    active = state in ("queued", "running")
    made = Run.objects.create(
        trigger="recovery",
        actor="monitor",
        state=state,
        is_active=active,
        created_at=at(minutes),
        finished_at=None if active else at(minutes + 1),
    )
    batch = Batch.objects.create(run=made, lane=0, sequence=0)
    for position, (entry_order, entry_state) in enumerate(entries):
        RunEntry.objects.create(
            run=made, batch=batch, order=entry_order, position=position, state=entry_state
        )
    return made


def said(now: datetime = NOW) -> dict[str, Alert]:
    """Refresh twice (it must be safe) and return the open alerts by descriptor and context."""
    refresh_alerts(now, watching_since=now)
    refresh_alerts(now, watching_since=now)
    for alert in open_alerts():
        kept = Text(alert.message, alert.remedy)
        alert.message = alert.remedy = ""
        with translation.override("en-gb"):  # Rendered from its data, as in any other language.
            assert text_of(alert) == kept
    return {a.descriptor + (f" {a.context}" if a.context else ""): a for a in open_alerts()}


def lose(now: datetime) -> None:
    connection.note_good(now - timedelta(minutes=1))
    lost = {"failures": 3, "unanswered": 3, "unanswered_since": now}
    CallHealth.objects.update_or_create(pk="read", defaults=lost)
    connection.lose_if_unanswered(now)
