"""One worker that asks OCI for one order, step by step."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import requests

from orders import outcomes
from orders.actors import job
from orders.models import Order
from reconciliation import reservation
from reconciliation.connection.clients import shared_client
from reconciliation.models import Attempt, Purpose, ReservationDocument
from reconciliation.oci.documents import reservation_id
from reconciliation.reservation import Asked
from tests.engine import Engine

WORKER = "worker-1"
JOB = job("test")


def claim(order: Order, engine: Engine, holder: str = WORKER) -> None:
    now = engine.clock()
    until = now + timedelta(seconds=60)
    assert outcomes.take_claim(order_id=order.pk, holder=holder, until=until, now=now)


def ask(order: Order, engine: Engine, *, holder: str = WORKER, **more: Any) -> Asked:
    return reservation.ask(
        order_id=order.pk,
        holder=holder,
        **{
            "purpose": Purpose.ORDER,
            "client": shared_client(),
            "clock": engine.clock,
            "actor": JOB,
            **more,
        },
    )


def count(order: Order, engine: Engine, purpose: Purpose = Purpose.ORDER) -> Order | None:
    return reservation.count(
        order_id=order.pk, holder=WORKER, purpose=purpose, actor=JOB, now=engine.clock()
    )


def documents(order: Order) -> list[tuple[int, int, str, int]]:
    rows = ReservationDocument.objects.filter(order=order).order_by("generation", "part")
    return list(rows.values_list("generation", "part", "state", "sends"))


def attempts(order: Order) -> list[tuple[str, str, str]]:
    rows = Attempt.objects.filter(order=order).order_by("id")
    return list(rows.values_list("operation", "outcome", "error_code"))


def reserve_behind_our_back(engine: Engine, order: Order, **members: Any) -> None:
    """Let OCI hold something under the order's next id that we never heard of."""
    number = reservation_id(
        site_id=order.site_id, order_no=order.order_no, generation=order.generation
    )
    answer = requests.put(
        f"{engine.oci.base_url}/inventory/reservation/v1/organizations/"
        f"{engine.oci.tenant_group_id}/reservation-documents/{number}",
        headers={"Authorization": f"Bearer {engine.oci.token()}"},
        json={
            "groups": [{"id": "web", "reservations": [{"sku": "MUG", "quantity": 1}]}],
            **members,
        },
        timeout=10,
    )
    assert answer.status_code == 200, answer.text


COMPLETE, PARTIAL = "COMPLETELY_RESERVED", "PARTIALLY_RESERVED"

MISSING = "RESERVATION_MISSING"
