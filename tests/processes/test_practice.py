"""A practice outage under the whole product: captured, ended by the monitor, really reserved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.orders.payloads import raw_order
from tests.processes.product import wait_for
from tests.processes.stack import Stack, running_stack

pytestmark = [pytest.mark.processes]

_BEGIN = (
    "from django.utils import timezone\n"
    "from orders.actors import person\n"
    "from reconciliation.maintenance import practice\n"
    "practice.begin(minutes=5, actor=person('anna'), now=timezone.now())"
)
# Five minutes are long for a test: the end comes with the next tick.
_LET_IT_END = (
    "from datetime import timedelta\n"
    "from django.db.models import F\n"
    "from reconciliation.models import PlannedOutage\n"
    "earlier = timedelta(minutes=5)\n"
    "PlannedOutage.objects.update(starts_at=F('starts_at')-earlier, ends_at=F('ends_at')-earlier)"
)
_SEEN = (
    "import json\n"
    "from coc_admin import first_run\n"
    "from reconciliation.models import Alert, Outage, PlannedOutage\n"
    "outage = Outage.objects.get()\n"
    "step = first_run.steps()[-1]\n"
    "ended = PlannedOutage.objects.get().ended_by\n"
    "alert = Alert.objects.get(descriptor='oci_offline')\n"
    "print(json.dumps([outage.is_practice, outage.is_open, ended, step.key, step.state,"
    " alert.state, alert.message[:9]]))"
)


def run(stack: Stack, code: str) -> str:
    return stack.manage("shell", "--no-imports", "-c", code)


def test_practice_ends_by_the_monitor_and_its_order_is_reserved(tmp_path: Path) -> None:
    with running_stack(tmp_path, stock={"MUG-01": 10}, names={}) as stack:
        stack.wait_for_connection("ONLINE")
        run(stack, _BEGIN)
        assert stack.connection() == "FORCED_OFFLINE"
        [answer] = stack.place([raw_order("P1", [("MUG-01", 2)])])
        assert answer.status_code == 201, answer.text
        assert stack.waiting() == 1
        run(stack, _LET_IT_END)
        stack.wait_for_connection("ONLINE")
        wait_for(lambda: stack.waiting() == 0, "the order to be reserved")
        seen = json.loads(run(stack, _SEEN).splitlines()[-1])
        assert seen[:5] == [True, False, "planned outage 1", "practice", "done"]
        wait_for(
            lambda: json.loads(run(stack, _SEEN).splitlines()[-1])[5:] == ["resolved", "Practice:"],
            "the alert to be resolved",
        )
