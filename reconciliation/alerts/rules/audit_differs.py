"""The latest audit found that OCI holds something else than our documents say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.standing_queries import Given
from reconciliation.alerts import named
from reconciliation.alerts.rule import Data, Facts, Found, Text, moment_of, span_of
from reconciliation.models import JobKind, JobState, MaintenanceJob, Priority


class AuditDiffers(named.NamingRule):
    """Open until an audit agrees."""

    title = gettext_lazy("OCI and our documents differ")
    button = gettext_lazy("Open the audit")
    counted = "documents"

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the audits that found something."""
        return [MaintenanceJob.objects.filter(kind=JobKind.AUDIT, state=JobState.DONE, found__gt=0)]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield what the latest audit that was done has found."""
        done = MaintenanceJob.objects.filter(kind=JobKind.AUDIT, state=JobState.DONE)
        last = done.order_by("-pk").values_list("found", "finished_at").first()
        if last is not None and last[0]:
            yield Found(
                priority=Priority.WARN,
                link="/settings/maintenance/audit/",
                data={"documents": last[0], "named": _named(done, last[0])},
                since=last[1],
            )

    def text(self, data: Data) -> Text:
        """Describe how many, and what to do."""
        message = ngettext(
            "%(number)d reservation document differs from what OCI holds, found at %(time)s.",
            "%(number)d reservation documents differ from what OCI holds, found at %(time)s.",
            data["documents"],
        ) % {"number": data["documents"], "time": moment_of(data)}
        return Text(message, _("Open the audit. It explains what to do about each document."))

    def past(self, data: Data) -> str:
        """Describe the period."""
        return _("OCI and our documents differed from %(time)s to %(until)s.") % span_of(data)


def _named(done: QuerySet[MaintenanceJob], number: int) -> list[str]:
    """Return the ids of the last audit's findings; none if there are too many."""
    if number > named.MOST:
        return []
    rows = done.order_by("-pk").values_list("rows", flat=True).first() or []
    ids = [row["reservation_id"] for row in rows if "reservation_id" in row]
    return named.names(ids, number)


RULE = AuditDiffers()
