"""What a tick asks first: one statement that tells whether anything is to be done at all.

Each question may be answered yes too often, never no: what is due looks again for itself.
"""

from __future__ import annotations

from django.db.models import CharField, QuerySet

from orders import handover
from orders.models import InventoryList, Order, OrderEvent, Promise
from orders.standing_queries import Given, Look
from reconciliation.connection import verdict
from reconciliation.connection.state import row
from reconciliation.models import IntervalSetting, ReportDay, Run
from reconciliation.monitor import stock_arrivals
from reconciliation.outages import planned
from reconciliation.queue import intervals, leases
from reconciliation.reservation import release

LEASE = "monitor"

Questions = dict[str, QuerySet]  # type: ignore[type-arg]


def _questions() -> Questions:
    return {
        "leads": leases.held_by(LEASE, Given("holder", CharField())),
        "window": planned.due(Given("now")),
        "pause": row().filter(wait_until__gt=Given("now")),
        "list": InventoryList.objects.all(),
        "probe_interval": IntervalSetting.objects.filter(pk=intervals.PROBE),
        "state": row().values_list("state"),
        "trouble": verdict.troubled(),
        "waiting": Order.objects.waiting(),
        "promises": Promise.objects.all(),
        "latecomers": stock_arrivals.ended_since(Given("lately")),
        "handover": handover.due(Given("now")),
        "events": OrderEvent.objects.filter(projected=False),
        "reports": ReportDay.objects.filter(needs_merge=True),
        "run": Run.objects.filter(is_active=True),
        **release.signs_of_work(),
    }


look = Look(_questions)
# The answers that are work for the queue, or make some (`recovery.Wakes`).
MAY_WAKE = ("events", "reports", "run", "waiting", "promises", "handover", *release.SIGNS)
