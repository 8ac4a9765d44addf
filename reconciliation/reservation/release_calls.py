"""Calls that release units of a touched document at OCI; repeated records keep their id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from orders.models import Order
from reconciliation.models import (
    Attempt,
    AttemptOutcome,
    Release,
    ReleaseState,
    ReservationDocument,
)
from reconciliation.oci.client import OciClient
from reconciliation.oci.documents import Place, PlaceKind
from reconciliation.oci.errors import OciError, OciRefused
from reconciliation.oci.records import MAX_RECORDS, RecordFailure, ReleaseRecord
from reconciliation.reasons import columns, join, say
from reconciliation.reservation import release_rows
from reconciliation.reservation.cancel import note_cancelled
from reconciliation.reservation.results import Asked, Verdict, explain

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Releasing:
    """Makes the calls and stores the answers; `read_timeout` is in seconds."""

    client: OciClient
    clock: Clock
    run_id: int | None = None
    read_timeout: float | None = None

    def send(self, document: ReservationDocument) -> Asked | None:
        """Send a document's stored releases; None once OCI has made them, else the reason.

        Any number of workers can repeat this at any time, because the ids stay the same.
        """
        rows = Release.objects.filter(document=document, state=ReleaseState.PREPARED)
        unanswered = list(rows.order_by("number", "list_id", "sku"))
        for start in range(0, len(unanswered), MAX_RECORDS):
            stopped = self._send(document, unanswered[start : start + MAX_RECORDS])
            if stopped is not None:
                return stopped
        return None

    def send_again(self, document: ReservationDocument) -> Asked | None:
        """Like `send`; releases that OCI refused are sent under new ids."""
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=document.order_id)
            release_rows.repeat_refused(document, now=self.clock())
        return self.send(document)

    def give_back(self, document: ReservationDocument) -> Asked | None:
        """Release the rest of a document; None once it holds nothing, else the reason."""
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=document.order_id)
            release_rows.write_rest(document, now=self.clock())
        stopped = self.send(document)
        if stopped is None:
            note_cancelled(document, marked_at=None, now=self.clock())
        return stopped

    def _send(self, document: ReservationDocument, rows: Sequence[Release]) -> Asked | None:
        mine = Release.objects.filter(pk__in=[row.pk for row in rows], state=ReleaseState.PREPARED)
        mine.update(sends=F("sends") + 1, sent_at=self.clock())
        try:
            failures = self.client.release(
                [_record(document, row) for row in rows], read_timeout=self.read_timeout
            )
        except OciRefused as error:
            return self._refused(document, error)
        except OciError as error:
            self._note(
                document,
                AttemptOutcome.OCI_OFFLINE,
                message=error.reason,
                status=getattr(error, "status", None),
                correlation_id=error.correlation_id,
            )
            return explain(error)
        return self._answered(document, rows, failures)

    def _answered(
        self,
        document: ReservationDocument,
        rows: Sequence[Release],
        failures: Sequence[RecordFailure],
    ) -> Asked | None:
        now = self.clock()
        failed = {(failure.id, failure.sku): failure for failure in failures}
        reasons = []
        with transaction.atomic():
            for row in sorted(rows, key=lambda one: one.pk):
                failure = failed.get((str(row.record_id), row.sku))
                code = failure.error_code if failure else ""
                Release.objects.filter(pk=row.pk, state=ReleaseState.PREPARED).update(
                    state=ReleaseState.REFUSED if failure else ReleaseState.RELEASED,
                    answered_at=now,
                    error_code=code,
                )
                if failure:
                    units = f"{row.quantity.normalize():f}"
                    reasons.append(say("not_released", units=units, sku=row.sku, code=code or "–"))
            if not reasons:
                self._note(document, None, message="released")
                return None
            reason = join(*reasons[:5])
            self._note(document, AttemptOutcome.NEEDS_REVIEW, message=reason)
        return Asked(Verdict.REVIEW, reason)

    def _refused(self, document: ReservationDocument, error: OciRefused) -> Asked:
        outcome = AttemptOutcome.LATER if error.is_in_process else AttemptOutcome.NEEDS_REVIEW
        self._note(
            document,
            outcome,
            message=error.message,
            status=error.status,
            error_code=error.error_code,
            correlation_id=error.correlation_id,
        )
        if error.is_in_process:
            # OCI is working on the same counts: nothing happened, and the id is still unused.
            return Asked(Verdict.LATER, say("oci_busy"))
        reason = say("oci_refused_releases", code=error.error_code)
        return Asked(Verdict.REVIEW, join(reason, error.message))

    def _note(
        self,
        document: ReservationDocument,
        outcome: AttemptOutcome | None,
        *,
        message: str,
        status: int | None = None,
        error_code: str = "",
        correlation_id: str = "",
    ) -> None:
        Attempt.objects.create(
            order_id=document.order_id,
            run_id=self.run_id,
            document=document,
            operation="release",
            at=self.clock(),
            outcome=outcome or "",
            status=status,
            error_code=error_code[:100],
            **columns("message", message, limit=1000),
            correlation_id=correlation_id[:64],
        )


def _record(document: ReservationDocument, row: Release) -> ReleaseRecord:
    return ReleaseRecord(
        id=str(row.record_id),
        place=Place(PlaceKind(row.place), row.list_id),
        sku=row.sku,
        quantity=row.quantity,
        external_ref_id=document.order.order_no,
    )
