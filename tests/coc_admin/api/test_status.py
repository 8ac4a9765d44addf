"""GET /status: connection, orders and workers, for a token of one site."""

from __future__ import annotations

import pytest
from django.utils import timezone

from orders.models import Site
from reconciliation.models import CallHealth, Outage
from tests.coc_admin.api.conftest import Api, api_for, body
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import ConnectionState, Scene

NO_CALLS = [
    {"kind": kind, "isAnswered": True, "lastGoodAt": None, "p95Ms": None}
    for kind in ("read", "reserve", "release")
]

ACCEPTING = {
    "siteId": "NorthShop",
    "orders": "accepted",
    "limit": None,
    "refusedSince": None,
    "endsAt": None,
    "secondsLeft": None,
    "valueLeft": None,
    "unitsPerOrder": None,
}


@pytest.fixture
def api(outage: Scene) -> Api:
    return api_for(outage.site)


class TestStatus:
    def test_of_an_outage(self, api: Api, outage: Scene, theirs: Api) -> None:
        scene.set_connection(ConnectionState.OFFLINE)

        found = body(api.get("status"))
        outage_id = found.pop("outage")["id"]
        assert outage_id == Outage.objects.get(is_open=True).pk
        assert found == {
            "connection": "OFFLINE",
            "since": "2026-02-02T12:00:00.000Z",
            "cause": "",
            "calls": NO_CALLS,
            "waiting": {
                "orders": 1,
                "units": 3,
                "value": {"EUR": 28.5},
                "oldestCapturedAt": "2026-02-02T11:05:00.000Z",
            },
            "needsReview": 1,
            "oversold": 2,
            "short": {"orders": 2, "units": 5, "value": {"EUR": 47.5}},
            "plannedOutage": None,
            "stock": [],
            "lastRun": {
                "id": outage.run.pk,
                "state": "completed_with_shortages",
                "trigger": "recovery",
                "scope": "missing",
                "isActive": False,
                "createdAt": "2026-02-02T11:50:00.000Z",
                "startedAt": "2026-02-02T11:50:00.000Z",
                "finishedAt": "2026-02-02T11:51:35.000Z",
                "orders": 5,
                "outcomes": {
                    "COMPLETELY_RESERVED": 1,
                    "PARTIALLY_RESERVED": 1,
                    "NOTHING_RESERVED": 1,
                    "NEEDS_REVIEW": 1,
                    "OCI_OFFLINE": 1,
                },
            },
            "sites": [ACCEPTING],
        }

    def test_of_the_other_site(self, outage: Scene, theirs: Api) -> None:
        found = body(theirs.get("status"))
        assert found["waiting"]["orders"] == 1
        assert (found["needsReview"], found["oversold"]) == (0, 0)
        assert found["lastRun"]["outcomes"] == {"OCI_OFFLINE": 1}

    def test_of_a_new_shop(self, site: Site) -> None:
        found = body(api_for(site).get("status"))
        assert found.pop("since").endswith("Z")
        assert found == {
            "connection": "ONLINE",
            "cause": "",
            "calls": NO_CALLS,
            "waiting": {"orders": 0, "units": 0, "value": {}, "oldestCapturedAt": None},
            "needsReview": 0,
            "oversold": 0,
            "short": {"orders": 0, "units": 0, "value": {}},
            "lastRun": None,
            "sites": [ACCEPTING],
            "outage": None,
            "plannedOutage": None,
            "stock": [],
        }


def test_status_tells_which_kind_of_call_is_lost(api: Api, outage: Scene) -> None:
    now = timezone.now()
    CallHealth.objects.create(
        pk="reserve", failures=3, unanswered=3, unanswered_since=now, p95_ms=2000
    )
    CallHealth.objects.create(pk="read", last_good_at=now)
    calls = {calls["kind"]: calls for calls in body(api.get("status"))["calls"]}
    assert (calls["reserve"]["isAnswered"], calls["reserve"]["p95Ms"]) == (False, 2000)
    assert calls["read"]["isAnswered"] is True
    assert calls["read"]["lastGoodAt"]
