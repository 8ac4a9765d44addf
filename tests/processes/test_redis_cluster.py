"""A real worker cluster with Redis as its broker, killed in the middle of a reconciliation.

Redis hands a task out once and forgets it, so what the killed cluster had in hand is lost. The
sweep finds the run that nobody works on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django_q import core_signing
from django_q.conf import Conf
from django_q.signing import PickleSerializer

from tests.orders.payloads import raw_order
from tests.processes.product import Running, wait_for
from tests.processes.stack import Stack, running_stack

pytestmark = [pytest.mark.processes, pytest.mark.redis]

ORDERS = 30


@pytest.fixture
def broker(redis_url: str) -> Iterator[Any]:
    """Return an empty Redis database, emptied again afterwards."""
    link = redis.Redis.from_url(redis_url, decode_responses=True)
    link.flushdb()
    yield link
    link.flushdb()
    link.close()


def run_of(stack: Stack) -> dict[str, Any]:
    runs = stack.get("/reconciliation/runs")["runs"]
    return runs[0] if runs else {"isActive": False, "orders": 0, "outcomes": {}}


def done(run: dict[str, Any]) -> int:
    return int(run["orders"]) - int(run["outcomes"].get("pending", 0))


def tasks_in(stack: Stack, broker: Any) -> list[str]:
    """Return what the tasks in Redis would run; they are signed with the product's key."""
    queued = broker.lrange("django_q:coc:q", 0, -1)
    return [
        str(
            core_signing.loads(
                task, key=stack.env["SECRET_KEY"], salt=Conf.PREFIX, serializer=PickleSerializer
            )["func"]
        )
        for task in queued
    ]


def kill_cluster(product: Running) -> None:
    os.killpg(product.group_of("qcluster"), signal.SIGKILL)


def test_the_tasks_of_a_killed_cluster_are_lost_and_the_sweep_makes_that_good(
    tmp_path: Path, redis_url: str, broker: Any
) -> None:
    with running_stack(
        tmp_path,
        stock={"MUG-01": ORDERS - 5},
        names={},
        COC_BROKER=redis_url,
        COC_BATCH_SIZE="5",
        COC_LEASE_SECONDS="5",
        COC_WORKERS="1",
    ) as stack:
        assert stack.product is not None
        stack.wait_for_connection("ONLINE")
        stack.oci.fault("down")
        stack.wait_for_connection("OFFLINE")
        bodies = [raw_order(f"R-{n:02}", [("MUG-01", 1)], currency="GBP") for n in range(ORDERS)]
        answers = stack.place(bodies, at_once=1)
        accepted = [a.json()["orderNo"] for a in answers if a.status_code == 201]
        assert accepted == [f"R-{n:02}" for n in range(ORDERS - 5)]
        stack.oci.sell("MUG-01", 10)
        stack.oci.fault("slow", delayMs=300, operations=["put"])
        wait_for(lambda: done(run_of(stack)) >= 3, "a run that is under way")

        kill_cluster(stack.product)

        # No task carries the run on: what is in Redis now is at most another wake-up.
        killed_at = done(run_of(stack))
        assert run_of(stack)["isActive"]
        assert killed_at < len(accepted)
        assert "reconciliation.tasks.work_run" not in tasks_in(stack, broker)
        wait_for(lambda: stack.waiting() == 0, "the sweep to find the run", patience=90)
        # The last order is answered for a moment before its run is over.
        wait_for(lambda: not run_of(stack)["isActive"], "the run to end")
        assert run_of(stack)["id"] == 1
        # Oldest first: the fifteen that came first have what was left.
        orders = stack.orders()
        complete = [no for no in accepted if stack_state(orders, no) == "COMPLETELY_RESERVED"]
        nothing = [no for no in accepted if stack_state(orders, no) == "NOTHING_RESERVED"]
        assert (complete, nothing) == (accepted[:15], accepted[15:])
        held = {row["sku"]: row["reserved"] for row in stack.oci.books()["reserved"]}
        assert held == {"MUG-01": 15}
        assert stack.manage("coc_check").startswith("All promises")


def stack_state(orders: dict[str, Any], order_no: str) -> str:
    return str(orders[order_no]["reservationState"])
