"""OCI comes back while orders wait, and is lost again at once, twice, under the whole product.

The outage, the site that refuses orders, and the reconciliation that stopped are each one alert:
nobody is notified again, and what was acknowledged stays so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orders.payloads import raw_order
from tests.processes.product import wait_for
from tests.processes.stack import Stack, running_stack

pytestmark = [pytest.mark.processes]

ORDERS = 120
# A relapse holds the connection for a minute.
PATIENCE = 150.0
_REFUSE = "from orders.models import Site\nSite.objects.update(offline_capture=False)"
_ACKNOWLEDGE = (
    "from reconciliation.models import Alert\nAlert.objects.update(handling='acknowledged')"
)
_HISTORY = (
    "import json\n"
    "from reconciliation.models import Alert, AlertEvent, Outage, Run\n"
    "rows = AlertEvent.objects.order_by('id').values_list('alert__descriptor', 'kind')\n"
    "kept = Alert.objects.filter(handling='acknowledged').values_list('descriptor', flat=True)\n"
    "stopped = Run.objects.filter(state='oci_offline').count()\n"
    "print(json.dumps([list(rows), sorted(kept), Outage.objects.count(), stopped]))"
)
ALERTS = ["oci_offline", "orders_refused", "still_offline"]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path, stock={"MUG": 1000}, names={}) as stack:
        stack.wait_for_connection("ONLINE")
        yield stack


def open_alerts(stack: Stack) -> set[str]:
    return {str(alert["descriptor"]) for alert in stack.get("/alerts")["alerts"]}


def history(stack: Stack) -> tuple[list[list[str]], list[str], int, int]:
    printed = stack.manage("shell", "--no-imports", "-c", _HISTORY)
    rows, kept, outages, stopped = json.loads(printed.splitlines()[-1])
    return rows, kept, outages, stopped


def come_back_and_relapse(stack: Stack) -> None:
    """Let OCI answer until some of the waiting orders are reserved, and no longer."""
    before = stack.waiting()
    stack.oci.fault("slow", delayMs=800, operations=["put"])
    wait_for(lambda: stack.waiting() < before, "an order to be reserved", patience=PATIENCE)
    wait_for(lambda: stack.connection() == "RECOVERING", "OCI to be back", patience=PATIENCE)
    stack.oci.fault("hang")
    stack.wait_for_connection("OFFLINE")
    assert stack.waiting() > 0


def test_a_relapse_ends_no_alert_of_the_outage(stack: Stack) -> None:
    stack.oci.fault("hang")
    stack.wait_for_connection("OFFLINE")
    answers = stack.place([raw_order(f"R{number:03d}", [("MUG", 1)]) for number in range(ORDERS)])
    assert {answer.status_code for answer in answers} == {201}
    stack.manage("shell", "--no-imports", "-c", _REFUSE)
    wait_for(lambda: "orders_refused" in open_alerts(stack), "the alert of the site")

    come_back_and_relapse(stack)
    wait_for(lambda: open_alerts(stack) >= set(ALERTS), "the alert of the stopped run")
    stack.manage("shell", "--no-imports", "-c", _ACKNOWLEDGE)

    come_back_and_relapse(stack)
    wait_for(lambda: history(stack)[3] >= 2, "the second run to stop")
    rows, kept, outages, _ = history(stack)
    turns = sorted(row for row in rows if row[0] in ALERTS and row[1] in ("raised", "resolved"))
    assert turns == [[name, "raised"] for name in ALERTS]
    assert set(ALERTS) <= set(kept)
    assert outages == 1
    stack.oci.fault("none")
