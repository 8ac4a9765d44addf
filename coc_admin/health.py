"""For load balancers and monitoring: is the process alive, can it work, and the figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from coc_admin.web_server.contact import contact
from orders.fields import ZERO
from reconciliation.alerts import lifecycle
from reconciliation.alerts.rules.silent_worker import is_worker_silent
from reconciliation.connection import healths, is_lost
from reconciliation.models import (
    OWN_FAULTS,
    ConnectionState,
    FeedState,
    Heartbeat,
    Outage,
    Priority,
    ReportDay,
)
from reconciliation.outages.demand import demand_of
from reconciliation.queue import enqueue, heartbeats
from reconciliation.runs import status
from reconciliation.stock_mirror import age

OK = "ok"


class _Seen:
    """What need not be asked again: migrations that were applied stay applied."""

    migrated = False


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that the process is alive; queries no database."""
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer whether orders can be captured and reconciled: 200, or 503 with the faults.

    The console process is reported as well: without it orders are still captured,
    so a load balancer that uses readiness keeps sending orders here.
    """
    checks = readiness(timezone.now())
    missing = [name for name, found in checks.items() if found != OK]
    if contact.is_kept:
        checks["console"] = contact.finding()
    answer = {"status": "missing" if missing else OK, "missing": missing, "checks": checks}
    return JsonResponse(answer, status=503 if missing else 200)


def readiness(now: datetime) -> dict[str, str]:
    """Return the state of database, migrations and worker: `ok` or a sentence each."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        migrations = _migrations()
        worker = _worker(now) if migrations == OK else "not looked for"
    except DatabaseError:
        unknown = "not known without the database"
        return {"database": "cannot be reached", "migrations": unknown, "worker": unknown}
    return {"database": OK, "migrations": migrations, "worker": worker}


def _migrations() -> str:
    if _Seen.migrated:
        return OK
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    _Seen.migrated = not missing
    return OK if not missing else f"{len(missing)} not applied: run manage.py migrate"


def _worker(now: datetime) -> str:
    last = heartbeats.last_beat(heartbeats.WORKER)
    if last is None:
        return "has never beaten: start it with manage.py qcluster"
    if is_worker_silent(now - last):
        return f"silent for {(now - last).total_seconds():.0f} s"
    return OK


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the figures for Prometheus; they name lists, and no person, order or site."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(timezone.now()))
    try:
        text = generate_latest(registry)
    except DatabaseError:
        return HttpResponse(
            "The database cannot be reached.\n", status=503, content_type="text/plain"
        )
    return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Figures(Collector):
    """Figures from the database, queried when Prometheus scrapes."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def describe(self) -> list[Metric]:
        """Nothing: the names need not be known before the first look."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures."""
        now = status.summary()
        yield from self._connection(now)
        yield from self._calls()
        yield from self._orders(now)
        yield self._alerts()
        yield self._heartbeats()
        yield from self._stock()
        yield _gauge("coc_queue_tasks", "Tasks in the queue of the database.", enqueue.queued())
        yield _gauge(
            "coc_reports_to_merge",
            "Daily reports that are behind the orders.",
            ReportDay.objects.filter(needs_merge=True).count(),
        )

    def _connection(self, now: status.Status) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "coc_connection_state", "1 for the state of the connection to OCI.", labels=["state"]
        )
        for state in ConnectionState:
            states.add_metric([state.value], now.connection == state)
        yield states
        yield _gauge(
            "coc_connection_state_seconds",
            "How long the connection has been in its state.",
            self._age(now.since),
        )
        yield _gauge(
            "coc_outages",
            "Outages of OCI so far, the open one included. Faults of our settings don't count.",
            Outage.objects.exclude(cause__in=OWN_FAULTS).count(),
        )
        outage = now.outage if now.outage and not now.outage.is_own_fault else None
        yield _gauge("coc_outage_open", "1 until the backlog is reconciled.", bool(outage))
        yield _gauge(
            "coc_outage_seconds",
            "Length of the open outage so far.",
            self._age(outage.lost_at) if outage else 0,
        )
        yield from self._demand(now.outage)

    def _demand(self, outage: Outage | None) -> Iterator[Metric]:
        demand = demand_of(outage) if outage else None
        orders = GaugeMetricFamily(
            "coc_outage_orders",
            "Orders during the open outage; requested is accepted plus refused.",
            labels=["kind"],
        )
        units = GaugeMetricFamily(
            "coc_outage_units", "Units of these orders, in the same way.", labels=["kind"]
        )
        for kind, number, amount in (
            (
                ("requested", demand.requested_orders, demand.requested_units),
                ("accepted", demand.accepted_orders, demand.accepted_units),
                ("refused", demand.refused.orders, demand.refused.units),
            )
            if demand
            else (("requested", 0, ZERO), ("accepted", 0, ZERO), ("refused", 0, ZERO))
        ):
            orders.add_metric([kind], number)
            units.add_metric([kind], float(amount))
        yield orders
        yield units
        refused = GaugeMetricFamily(
            "coc_outage_orders_refused",
            "Orders refused during the open outage, by the type of the refusal.",
            labels=["type"],
        )
        for name, number in (demand.refused.by_why if demand else {}).items():
            refused.add_metric([name], number)
        yield refused

    def _calls(self) -> Iterator[Metric]:
        lost = GaugeMetricFamily(
            "coc_oci_calls_lost", "1 while OCI leaves calls of a kind unanswered.", labels=["kind"]
        )
        p95 = GaugeMetricFamily(
            "coc_oci_call_seconds",
            "What 19 of the last 20 calls of a kind took at most.",
            labels=["kind"],
        )
        for kind, calls in healths().items():
            lost.add_metric([str(kind)], is_lost(calls, self._now))
            if calls.p95_ms is not None:
                p95.add_metric([str(kind)], calls.p95_ms / 1000)
        yield lost
        yield p95

    def _orders(self, now: status.Status) -> Iterator[Metric]:
        waiting = now.waiting
        oldest = waiting.oldest_captured_at
        yield _gauge("coc_orders_waiting", "Orders without a reservation.", waiting.orders)
        yield _gauge("coc_units_waiting", "Units of the orders that wait.", float(waiting.units))
        yield _gauge(
            "coc_oldest_waiting_order_seconds",
            "Age of the oldest order that waits.",
            self._age(oldest) if oldest else 0,
        )
        yield _gauge("coc_orders_needing_review", "Orders that need a person.", now.review)
        yield _gauge("coc_orders_oversold", "Short orders that nobody has settled.", now.oversold)

    def _alerts(self) -> Metric:
        counts = dict(
            lifecycle.open_alerts().order_by().values_list("priority").annotate(number=Count("pk"))
        )
        family = GaugeMetricFamily("coc_alerts_open", "Open alerts.", labels=["priority"])
        for priority in Priority:
            family.add_metric([priority.value], counts.get(priority, 0))
        return family

    def _heartbeats(self) -> Metric:
        family = GaugeMetricFamily(
            "coc_heartbeat_age_seconds",
            "Since when a kind of process has not shown that it works.",
            labels=["component"],
        )
        beats = Heartbeat.objects.order_by("component").values_list("component")
        for component, last in beats.annotate(last=Max("beat_at")):
            family.add_metric([component], self._age(last))
        return family

    def _stock(self) -> Iterator[Metric]:
        ages = GaugeMetricFamily(
            "coc_stock_age_seconds",
            "How old OCI's figures of a list are at most: half of them, 95 %, all.",
            labels=["list", "quantile"],
        )
        records = GaugeMetricFamily("coc_stock_figures", "SKUs with a figure.", labels=["list"])
        follows = GaugeMetricFamily(
            "coc_stock_feed",
            "1 for the state of the feed of a list.",
            labels=["list", "state"],
        )
        for one in age.ages(self._now):
            for quantile, old in (("0.5", one.p50), ("0.95", one.p95), ("1", one.oldest)):
                ages.add_metric([one.list_id, quantile], old.total_seconds())
            records.add_metric([one.list_id], one.records)
            for state in FeedState:
                follows.add_metric([one.list_id, state.value], one.state == state)
        yield from (ages, records, follows)

    def _age(self, moment: datetime) -> float:
        return max(0.0, (self._now - moment).total_seconds())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
