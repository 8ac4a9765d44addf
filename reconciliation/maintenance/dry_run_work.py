"""A worker's part of a background dry run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from reconciliation.models import BackgroundDryRun, JobKind, JobState
from reconciliation.runs.dry_run import whole_dry_run
from reconciliation.runs.dry_run_results import stored


def work(*, progress: Callable[[int, int], None], now: datetime) -> Iterator[dict[str, Any]]:
    """Do the dry run of the running job and store its result; yields nothing."""
    running = BackgroundDryRun.objects.filter(
        job__kind=JobKind.DRY_RUN, job__state=JobState.RUNNING
    )
    # One runs at a time; none if it has just been stopped.
    for asked in running:
        would = whole_dry_run(
            scope=asked.scope,
            scope_data=asked.scope_data,
            told=asked.sites,
            now=now,
            progress=progress,
        )
        running.filter(pk=asked.pk).update(result=stored(would))
    yield from ()
