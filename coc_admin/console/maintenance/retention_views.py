"""How long personal data is kept, what is due, and erasing it now."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from coc_admin.console import audit
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.maintenance.pages import maintenance_page
from coc_admin.console.settings.interval_views import shown
from orders import statement_limit
from reconciliation.maintenance import retention
from reconciliation.maintenance.schedule_status import schedule_status
from reconciliation.queue import enqueue, intervals


class SureForm(forms.Form):
    """The person's confirmation."""

    sure = forms.BooleanField(
        error_messages={"required": gettext_lazy("Tick this box: it cannot be undone.")}
    )


@console_page("orders.change_site", methods=READ_AND_POST, every_site=True)
def retention_page(request: HttpRequest) -> HttpResponse:
    """Show the environment's limits and the data due; POST queues the erasure for a worker."""
    now = timezone.now()
    form = SureForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and retention.is_wanted():
        with transaction.atomic():
            enqueue.soon("retain")
            audit.record(request=request, action="maintenance.retained", target="retention")
        messages.success(request, _("The task is queued. A worker will start it shortly."))
        return redirect("maintenance_retention")
    with statement_limit.for_work():
        due = retention.due(now)
    [entry] = [one for one in schedule_status(now) if one.interval.kind.name == intervals.RETENTION]
    context = {
        "form": form,
        "due": due,
        "is_wanted": retention.is_wanted(),
        "customer_days": settings.COC_RETAIN_CUSTOMER_DAYS,
        "payload_days": settings.COC_RETAIN_PAYLOAD_DAYS,
        "row": shown(entry),
    }
    return maintenance_page(request, "retention.html", context)
