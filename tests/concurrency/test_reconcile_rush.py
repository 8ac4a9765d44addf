"""Workers, people, jobs and shoppers all at once, on PostgreSQL, while OCI drops answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders.models import Order, OrderStatus
from reconciliation.maintenance import sweep
from reconciliation.models import (
    Run,
    Scope,
    Trigger,
)
from reconciliation.reservation import release
from reconciliation.runs import batches, lifecycle
from tests.concurrency.together import at_once
from tests.engine import MIA, Engine, reserved_by_items

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_workers_people_and_jobs_at_once_reserve_each_order_once(
    engine: Engine, settings: Any
) -> None:
    """Three workers, the sweep, cancellations and new orders, while OCI drops some answers."""
    settings.COC_BATCH_SIZE = 3
    settings.COC_OCI_CONCURRENCY = 4
    # Answers are dropped, none is late: on a busy machine nothing may seem to be an outage.
    settings.COC_OCI_CONNECT_TIMEOUT = settings.COC_OCI_LIVE_TIMEOUT = 20.0
    settings.COC_OCI_TIMEOUT = 20.0
    skus = ["MUG", "CUP", "JUG", "POT"]
    site = engine.site(dict.fromkeys(skus, 1000))
    orders = [
        engine.capture(site, f"A{n}", [(skus[n % 4], 1), (skus[(n * 3 + 1) % 4], 1.5)])
        for n in range(24)
    ]
    engine.at_oci({"MUG": 14, "CUP": 11.5, "JUG": 20, "POT": 6})
    engine.oci.settings(replay="exists")
    engine.oci.fault("drop", operations=["put"], every=5)
    run = lifecycle.start_run(trigger=Trigger.PERSON, actor=MIA, now=timezone.now())

    def work(_: int) -> str:
        while Run.objects.filter(pk=run.pk, is_active=True).exists():
            batches.work_run(run_id=run.pk, clock=timezone.now, budget=timedelta(seconds=20))
        return "worked"

    def cancel(_: int) -> str:
        for order in orders[5::6]:
            release.cancel_order(order_id=order.pk, actor=MIA, reason="race", now=timezone.now())
            release.finish_cancellations(clock=timezone.now)
        return "cancelled"

    def look(_: int) -> str:
        for _ in range(10):
            sweep.sweep(clock=timezone.now)
        return "swept"

    def shop(_: int) -> str:
        for number in range(4):
            engine.place(site, f"B{number}", [("JUG", 1)])
        return "sold"

    acts = [work, work, work, cancel, look, shop]
    assert at_once(6, lambda n: acts[n](n)) == sorted(
        ["worked", "worked", "worked", "cancelled", "swept", "sold"]
    )
    engine.oci.fault("none")
    engine.clock.now = timezone.now()
    for _ in range(3):
        release.finish_cancellations(clock=engine.clock)
        engine.clock.go(30)
    if Order.objects.waiting().exists():
        engine.reconcile()
    assert not Order.objects.waiting().exists()
    assert Order.objects.filter(status="cancelled").count() == 4
    assert engine.held() == reserved_by_items()
    for order in Order.objects.all():
        opened = [state for state, _ in engine.documents(order.order_no)].count("OPEN")
        assert opened == (order.status == OrderStatus.NEW)
    # Asked for again all at once, the short ones are asked for once.
    engine.at_oci(dict.fromkeys(skus, 1000))
    again = lifecycle.start_run(
        trigger=Trigger.PERSON, actor=MIA, scope=Scope.OVERSOLD, now=engine.clock()
    )
    at_once(
        3,
        lambda _: str(
            batches.work_run(run_id=again.pk, clock=timezone.now, budget=timedelta(seconds=20))
        ),
    )
    engine.work(again)
    assert engine.held() == reserved_by_items()
    assert not Order.objects.oversold().exists()
