"""A shop with orders of each kind, and the engine over the simulator."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orders import actors, cancellation, outcomes
from orders.models import Order
from reconciliation.maintenance import integrity_check
from reconciliation.models import DocumentState, EntryState, ReservationDocument, Run
from reconciliation.oci.documents import reservation_id
from reconciliation.reports import publish
from tests import factories
from tests.coc_admin.console import scene
from tests.engine import engine, simulator

__all__ = ["engine", "simulator"]


@pytest.fixture
def shop(transactional_db: None, settings: Any, tmp_path: Path) -> None:
    """An outage with orders that wait, got everything, nothing, and were cancelled."""
    settings.COC_IMPEX_DIR = tmp_path / "impex"
    site = scene.make_shop()
    run = scene.make_run()
    scene.make_outage(run)
    for number in range(8):
        order = scene.place(site, f"A-{number}", items=[("MUG-01", 1)])
        if number % 4 == 1:
            settle(order, run, 1)
        elif number % 4 == 2:
            settle(order, run, 0)
        elif number % 4 == 3:
            cancel(order)
    publish.project_and_merge(now=scene.NOW)
    assert list(integrity_check.check()) == []


def settle(order: Order, run: Run, units: int) -> None:
    line = {"place": "group", "id": "NorthShop-stock", "sku": "MUG-01", "quantity": units}
    ReservationDocument.objects.create(
        order=order,
        generation=0,
        reservation_id=reservation_id(
            site_id=order.site_id, order_no=order.order_no, generation=0, part=0
        ),
        body="{}",
        state=DocumentState.COUNTED,
        sends=1,
        sent_at=scene.NOW,
        answered_at=scene.NOW,
        held=[line] if units else [],
    )
    until = scene.NOW + timedelta(minutes=1)
    outcomes.take_claim(order_id=order.pk, holder="w", until=until, now=scene.NOW)
    settled = factories.settle(
        order,
        {item.pk: Decimal(units) for item in order.items.all()},
        actor=scene.JOB,
        now=scene.NOW,
    )
    assert settled is not None
    scene.enter(run, order, EntryState.COMPLETE if units else EntryState.NOTHING)


def cancel(order: Order) -> None:
    mia, until = actors.person("mia"), scene.NOW + timedelta(minutes=1)
    who = {"order_id": order.pk, "now": scene.NOW}
    cancellation.request_cancellation(actor=mia, reason="Asked.", **who)
    assert cancellation.take_release_claim(holder="w", until=until, **who)
    assert cancellation.finish_cancellation(holder="w", actor=mia, reason="Done.", **who)
