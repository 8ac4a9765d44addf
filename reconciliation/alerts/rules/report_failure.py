"""Reports can't be written, or fall behind the events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from orders.models import OrderEvent
from orders.reasons import read
from orders.standing_queries import Given
from reconciliation.alerts import named, phrases
from reconciliation.alerts.rule import Data, Facts, Found, Text, moment_of, span_of
from reconciliation.alerts.site_figures import Sites
from reconciliation.models import Alert, AlertState, Priority, ReportDay

BEHIND_AFTER = timedelta(minutes=2)
# Context of the second matter: nothing failed, but events are missing from the files.
BEHIND = "behind"


class ReportFailure(named.NamingRule):
    """Two matters: daily reports with an error, and events that reached no file."""

    title = gettext_lazy("Reports cannot be written")
    button = gettext_lazy("Open the home page")
    counted = "reports"

    def signs(self, now: Given) -> Sequence[QuerySet[Any]]:
        """Return the failed reports, and the events that are in no report."""
        return [
            ReportDay.objects.exclude(last_error=""),
            OrderEvent.objects.filter(projected=False),
        ]

    def find(self, facts: Facts) -> Iterable[Found]:
        """Yield the reports that failed, and the oldest event that is in no report."""
        failed = ReportDay.objects.exclude(last_error="").order_by("date", "site_id", "report_type")
        reports = list(failed[: named.MOST + 1])
        if reports:
            first = reports[0]
            number = len(reports) if len(reports) <= named.MOST else failed.count()
            data: dict[str, object] = {
                "reports": number,
                "named": named.names(map(str, reports), number),
                "date": f"{first.date:%Y-%m-%d}",
                "kind": first.report_type,
                "site": first.site_id,
                "error": first.last_error,
                "error_codes": first.last_error_codes,
            }
            yield Found(priority=Priority.ACTION, link="/", data=data)
        behind = OrderEvent.objects.filter(projected=False).order_by("id").first()
        if behind is not None and facts.now - behind.at > BEHIND_AFTER:
            data = {"missing_from": behind.at.isoformat()}
            yield Found(
                priority=Priority.ACTION, link="/", context=BEHIND, data=data, since=behind.at
            )

    def is_same(self, before: Data, after: Data) -> bool:
        """Return False if none of the reports had failed before."""
        if "reports" not in after:
            return True
        return super().is_same(before, after)

    def has_grown(self, before: Data, after: Data) -> bool:
        """Call people again when another report fails."""
        return "reports" in after and super().has_grown(before, after)

    def text(self, data: Data) -> Text:
        """Name the reports, the reason, and what to check."""
        if "reports" not in data:
            return Text(
                _("Reports are behind: events since %(time)s are missing from them.")
                % {"time": moment_of(data, "missing_from")},
                _("Check that the worker runs and that COC_IMPEX_DIR is writable."),
            )
        message = ngettext(
            "%(number)s daily report could not be written: %(date)s, %(kind)s, %(site)s. %(error)s",
            "%(number)s daily reports could not be written. The first: %(date)s, %(kind)s,"
            " %(site)s. %(error)s",
            data["reports"],
        )
        words = {name: data[name] for name in ("date", "kind", "site")}
        words["error"] = read(data["error"], data.get("error_codes"))
        return Text(
            message % {**words, "number": phrases.figure(data["reports"])},
            _(
                "Check that COC_IMPEX_DIR exists, is writable and has free space. Writing then"
                " resumes automatically."
            ),
        )

    def past(self, data: Data) -> str:
        """Describe the period."""
        if "reports" not in data:
            return _("Reports were behind from %(time)s to %(until)s.") % span_of(data)
        message = _(
            "Daily reports could not be written until %(until)s. The first: %(date)s, %(site)s."
        )
        words = {name: data[name] for name in ("date", "site")}
        return message % {**words, "until": moment_of(data, "until")}

    def site_text(self, sites: Sites, alert: Alert) -> str | None:
        """Describe how many reports of the sites failed, without paths of the machine."""
        if alert.context == BEHIND:
            return self.text_for_all(alert)
        if alert.state != AlertState.OPEN or not sites.failed_reports:
            return None
        message = ngettext(
            "%(number)s daily report could not be written.",
            "%(number)s daily reports could not be written.",
            sites.failed_reports,
        )
        return message % {"number": phrases.figure(sites.failed_reports)}


RULE = ReportFailure()
