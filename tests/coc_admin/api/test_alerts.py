"""GET /alerts: the open alerts, in the figures of the token's site."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orders.actors import person
from orders.models import Order, Site
from reconciliation import connection
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.models import Alert, EntryState, ReportDay, Run, RunState
from tests.coc_admin.api.conftest import Api, api_for, problem
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import NOW, ConnectionState, Scene


@pytest.fixture
def outage(db: None) -> Scene:
    made = scene.build_scene()
    Alert.objects.all().delete()
    return made


@pytest.fixture
def api(outage: Scene) -> Api:
    return api_for(outage.site)


@pytest.fixture
def theirs(outage: Scene) -> Api:
    return api_for(Site.objects.get(pk="South Shop & Co"))


def told(api: Api) -> dict[str, Any]:
    refresh_alerts(NOW, watching_since=NOW)
    answer = api.get("alerts")
    assert answer.status_code == 200
    rows = json.loads(answer.content)["alerts"]
    # That the reports are behind is the same for every site.
    return {row["descriptor"]: row for row in rows if row["context"] != "behind"}


def test_during_an_outage(api: Api, outage: Scene, theirs: Api) -> None:
    other = Site.objects.get(pk="South Shop & Co")
    scene.place(other, "THEIRS-1")
    scene.place(other, "THEIRS-2")
    scene.set_connection(ConnectionState.OFFLINE)

    found = told(api)

    assert list(found) == ["needs_review", "reconciliation_shortages", "oci_offline"]
    assert found["oci_offline"] == {
        "descriptor": "oci_offline",
        "context": "",
        "priority": "WARN",
        "title": "Inventory service offline",
        "message": "Omnichannel Inventory has been offline since 2 Feb 2026, 12:00 UTC."
        " 1 order with 3 units is waiting (28.50 EUR).",
        "remedy": "You don't need to do anything. Reconciliation starts automatically when OCI"
        " answers again.",
        "since": "2026-02-02T12:00:00.000Z",
        "updatedAt": "2026-02-02T12:00:00.000Z",
    }
    assert found["needs_review"]["message"] == (
        "1 order needs review. It won't be retried automatically."
    )
    assert "2 orders are oversold" in found["reconciliation_shortages"]["message"]

    found = told(theirs)
    assert list(found) == ["oci_offline"]
    assert "2 orders with 6 units are waiting (57.00 EUR)." in found["oci_offline"]["message"]


def test_who_forced_it_offline_stays_inside(api: Api, outage: Scene) -> None:
    connection.force_offline(actor=person("otto"), reason="Data centre South moves.", now=NOW)
    alert = told(api)["oci_offline"]
    assert "otto" in Alert.objects.get(descriptor="oci_offline").message
    assert "otto" not in str(alert)
    assert "South" not in str(alert)


def test_a_run_is_told_by_the_sites_orders(api: Api, outage: Scene, theirs: Api) -> None:
    Order.objects.filter(pk=outage.partial.pk).update(resolution="settled_outside")
    run = scene.make_run(state=RunState.RUNNING)
    scene.enter(run, outage.waiting, EntryState.PENDING)
    other = Site.objects.get(pk="South Shop & Co")
    scene.enter(run, scene.place(other, "THEIRS"), EntryState.COMPLETE)

    assert told(api)["reconciliation_running"]["message"] == (
        f"Reconciliation {run.pk}: Running since 2 Feb 2026, 11:50 UTC. 1 Pending."
    )
    assert "1 Completely Reserved." in told(theirs)["reconciliation_running"]["message"]
    assert "1 order is oversold" in told(api)["reconciliation_shortages"]["message"]
    Run.objects.filter(pk=run.pk).update(scope_data={"site": "South Shop & Co"})
    assert "reconciliation_running" not in told(api)


def test_still_offline_is_told_where_something_waits(api: Api, outage: Scene, theirs: Api) -> None:
    scene.make_run(state=RunState.OCI_OFFLINE)
    assert "1 order with 3 units is waiting" in told(api)["still_offline"]["message"]
    assert "still_offline" not in told(theirs)


def test_reports_of_another_site_are_not_told(api: Api, outage: Scene, theirs: Api) -> None:
    ReportDay.objects.update(last_error="No space left on device: /srv/impex/NorthShop.json")
    alert = told(api)["report_failure"]
    assert alert["message"] == "2 daily reports could not be written."
    assert "report_failure" not in told(theirs)


def test_only_what_is_true_now(api: Api, outage: Scene) -> None:
    scene.set_connection(ConnectionState.OFFLINE)
    assert "oci_offline" in told(api)
    scene.set_connection(ConnectionState.ONLINE)
    assert "oci_offline" not in told(api)


def test_no_parameters(api: Api) -> None:
    problem(api.get("alerts?state=open"), 400, "invalid-request")
