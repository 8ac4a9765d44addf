"""People who confirm the same order file at the same moment, on PostgreSQL."""

from __future__ import annotations

import io

import pytest
from django.utils import timezone

from orders.actors import person
from orders.models import Order
from reconciliation import tasks
from reconciliation.maintenance import import_confirmation, jobs, order_imports
from reconciliation.models import MaintenanceJob, OrderImport
from tests.concurrency.together import at_once
from tests.engine import set_connection
from tests.factories import make_site

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

CLICKS = 6


def test_of_many_clicks_one_imports() -> None:
    set_connection("OFFLINE")
    found = order_imports.keep(
        io.BytesIO(b"orderNo,sku,quantity,basePrice\nA1,MUG,1,2\n"),
        name="orders.csv",
        site=make_site(stock={"MUG": 10}),
        actor=person("ada"),
        now=timezone.now(),
    )

    def click(number: int) -> str:
        try:
            import_confirmation.confirm(
                import_id=found.pk, actor=person(f"p{number}"), now=timezone.now()
            )
        except (import_confirmation.NotOpen, jobs.AlreadyOpen):
            return "refused"
        return "started"

    assert at_once(CLICKS, click) == ["refused"] * (CLICKS - 1) + ["started"]
    job = MaintenanceJob.objects.get()
    assert OrderImport.objects.get().job_id == job.pk
    tasks.maintenance_job(job.pk)
    # Now no job is open, and the mark of the file alone refuses them.
    assert at_once(CLICKS, click) == ["refused"] * CLICKS
    assert MaintenanceJob.objects.count() == 1
    assert Order.objects.count() == 1
