"""Work on runs, called by the queue's workers.

Any number of workers may call `work_run` for one run; one of them dispatches it. A worker that dies
leaves leases that end, documents that are repeated as they are, and entries that are still pending.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from reconciliation import connection
from reconciliation.models import Run
from reconciliation.runs import lifecycle
from reconciliation.runs.batch_leases import others_work_on
from reconciliation.runs.dispatcher import Dispatcher, Ending
from reconciliation.runs.order_worker import MOST_PATIENCE

Clock = Callable[[], datetime]
Pause = Callable[[float], None]


def work_run(*, run_id: int, clock: Clock, budget: timedelta, pause: Pause = time.sleep) -> bool:
    """Work on a run for about `budget`; True if work is left that this worker could go on with."""
    holder = f"run:{run_id}:{uuid.uuid4().hex}"
    until = clock() + budget
    while clock() < until:
        run = Run.objects.filter(pk=run_id, is_active=True).first()
        # While OCI asks for a long pause the sweep looks after the run.
        if run is None or connection.pace(clock()).wait_seconds > MOST_PATIENCE:
            return False
        if others_work_on(run, holder=holder, now=clock()):
            return False
        dispatcher = Dispatcher(run, holder=holder, clock=clock, pause=pause, until=until)
        match dispatcher.work():
            case Ending.NOT_MINE:
                return False
            case Ending.RUN_OVER | Ending.FINISHED:
                lifecycle.end_run(run_id, state=dispatcher.run_state, now=clock())
                return False
    return True
