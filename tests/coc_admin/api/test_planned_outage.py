"""GET /status names the planned outage that runs now or comes next, to tokens of any site."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders.actors import person
from orders.members import iso
from reconciliation.models import PlannedOutage
from reconciliation.outages import planned
from tests.coc_admin.api.conftest import api_for
from tests.factories import make_site

pytestmark = pytest.mark.django_db

ADA = person("ada")


def plan(now: datetime, hours: float) -> PlannedOutage:
    return planned.plan(
        starts_at=now + timedelta(hours=hours),
        ends_at=now + timedelta(hours=hours + 1),
        owner="Olga Owner",
        note="Move",
        actor=ADA,
        now=now,
    )


def test_status_names_the_present_or_the_next_window() -> None:
    apis = [api_for(make_site("north")), api_for(make_site("south", list_id="stock"))]

    def told() -> Any:
        answers = [api.get("status") for api in apis]
        assert all(b"Olga" not in answer.content for answer in answers)
        first, second = [answer.json()["plannedOutage"] for answer in answers]
        assert first == second
        return first

    def expected(window: PlannedOutage, state: str) -> dict[str, Any]:
        return {
            "id": window.pk,
            "startsAt": iso(window.starts_at),
            "endsAt": iso(window.ends_at),
            "state": state,
        }

    assert told() is None
    now = timezone.now()
    later = plan(now, 5)
    assert told() == expected(later, "planned")
    first = plan(now, 0)
    assert told() == expected(first, "planned")
    planned.keep_times(now)
    assert told() == expected(first, "running")
    planned.end(first.pk, actor=ADA, reason="Done.", now=now)
    assert told() == expected(later, "planned")
    planned.end(later.pk, actor=ADA, reason="Moved.", now=now)
    assert told() is None


def test_window_that_still_holds_the_connection_after_its_end_is_named() -> None:
    """No monitor has run since."""
    now = timezone.now()
    missed = plan(now - timedelta(hours=9), 1)
    api = api_for(make_site("north"))
    assert api.get("status").json()["plannedOutage"] is None
    PlannedOutage.objects.update(entered_at=missed.starts_at)
    found = api.get("status").json()["plannedOutage"]
    assert (found["id"], found["state"]) == (missed.pk, "running")
