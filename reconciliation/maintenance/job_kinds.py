"""The work of each kind of maintenance job: the same calls as the commands make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from reconciliation.connection.clients import client_for_audit
from reconciliation.maintenance import dry_run_work, oci_audit, order_imports, repair
from reconciliation.models import JobKind
from reconciliation.oci.errors import MalformedAnswer, OciError

# How far back an audit goes: OCI's default range for an export.
AUDIT_DAYS = 30
# Errors that end a job with a reason people can act on.
EXPECTED = (OciError, MalformedAnswer, oci_audit.AuditFailed, ImproperlyConfigured)

Progress = Callable[[int, int], None]
Work = Callable[[Progress, datetime], Iterator[dict[str, Any]]]


def work_of(kind: JobKind) -> Work:
    """Return the function for jobs of `kind`; it yields its findings."""
    return _WORK[kind]


def _check(progress: Progress, now: datetime) -> Iterator[dict[str, Any]]:
    for proposal in repair.proposals(now=now, progress=progress):
        yield asdict(proposal)


def _audit(progress: Progress, now: datetime) -> Iterator[dict[str, Any]]:
    client = client_for_audit()
    try:
        since = now - timedelta(days=AUDIT_DAYS)
        for finding in oci_audit.audit(client=client, since=since, now=now):
            yield asdict(finding)
    finally:
        client.close()


def _import(progress: Progress, now: datetime) -> Iterator[dict[str, Any]]:
    return order_imports.work(progress=progress)


def _dry_run(progress: Progress, now: datetime) -> Iterator[dict[str, Any]]:
    return dry_run_work.work(progress=progress, now=now)


_WORK: Mapping[JobKind, Work] = {
    JobKind.CHECK: _check,
    JobKind.AUDIT: _audit,
    JobKind.IMPORT: _import,
    JobKind.DRY_RUN: _dry_run,
}
