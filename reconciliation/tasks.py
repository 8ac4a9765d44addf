"""The queue's tasks. Each is a wake-up: it looks for due work and may run twice or never."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from django.utils import timezone

from reconciliation import remedies
from reconciliation.alerts.channels import delivery
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.decisions import bulk_sending, single_sending
from reconciliation.maintenance import jobs, retention
from reconciliation.maintenance import sweep as sweeping
from reconciliation.queue import enqueue, failed_tasks, heartbeats, intervals
from reconciliation.reports import publish
from reconciliation.reservation import release
from reconciliation.runs import batches

# Well under the queue's time limit of a task; what is left goes on in a task of its own.
_BUDGET = timedelta(seconds=20)


def work_run(run_id: int) -> None:
    """Work on a reconciliation for a while."""
    if batches.work_run(run_id=run_id, clock=timezone.now, budget=_BUDGET):
        enqueue.soon("work_run", run_id)


def after_run(run_id: int) -> None:
    """Bring alerts and reports up to date with a run that has ended."""
    refresh_alerts(timezone.now())
    publish.project_and_merge(now=timezone.now())


def project_reports() -> None:
    """Write work files of what has changed; merge the days that have waited long enough."""
    publish.project(now=timezone.now())


def merge_reports() -> None:
    """Merge the days that have changed."""
    publish.project_and_merge(now=timezone.now())


def finish_cancellations() -> None:
    """Continue pending cancellations."""
    release.finish_cancellations(clock=timezone.now)


def deliver_alerts() -> None:
    """Send changes of alerts over the channels."""
    delivery.deliver_due(clock=timezone.now)


def finish_replacements() -> None:
    """Carry on with replacements that are being reserved."""
    ended = remedies.finish_replacements(clock=timezone.now, budget=_BUDGET)
    if bulk_sending.has_due(now=timezone.now()):
        enqueue.soon("send_bulk_letters")
    # Without progress the sweep asks again: OCI is away, or others have what is left.
    if ended and remedies.has_open_replacements():
        enqueue.soon("finish_replacements")


def send_bulk_letters() -> None:
    """Send the messages of bulk remedies whose remedy has succeeded, and those that were left."""
    ended = single_sending.send_left(clock=timezone.now, budget=_BUDGET / 2)
    ended += bulk_sending.send_due(clock=timezone.now, budget=_BUDGET / 2)
    now = timezone.now()
    # Without progress the sweep asks again: others have what is left.
    if ended and (single_sending.has_left(now=now) or bulk_sending.has_due(now=now)):
        enqueue.soon("send_bulk_letters")


def finish_adjustments() -> None:
    """Carry on with reservations that are being adjusted."""
    ended = remedies.finish_adjustments(clock=timezone.now, budget=_BUDGET)
    # As above.
    if ended and remedies.has_open_adjustments():
        enqueue.soon("finish_adjustments")


# Its name until 0022 of orders: tasks that the version before has queued still ask for it.
finish_rearrangements = finish_adjustments


def sweep() -> None:
    """Find work that nobody does, and show that the queue works: a cluster may run on its own."""
    sweeping.sweep(clock=timezone.now)
    failed_tasks.drop_old(timezone.now())
    beat()
    intervals.note_done(intervals.SWEEP, now=timezone.now())


def retain() -> None:
    """Erase data older than the settings allow."""
    if retention.apply(now=timezone.now()).more:
        enqueue.soon("retain")
    intervals.note_done(intervals.RETENTION, now=timezone.now())


def maintenance_job(job_id: int) -> None:
    """Do a maintenance job that waits."""
    jobs.work(job_id, clock=timezone.now)


def beat() -> None:
    """Show that the queue works: a task was taken, run and ended."""
    instance = f"{socket.gethostname()}:{os.getppid()}"[:100]
    heartbeats.beat(component=heartbeats.WORKER, instance=instance, now=timezone.now())
