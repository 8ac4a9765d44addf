"""The dry run of a large backlog: started, watched, stopped, kept, and the rerun from it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.models import AuditEntry, Profile
from orders.models import Order, Site
from reconciliation import tasks
from reconciliation.models import JobState, MaintenanceJob, Run, Scope
from reconciliation.runs import dry_run, scopes
from tests.coc_admin.console import scene
from tests.factories import browser_of

PAGE, LIVE = "/runs/new/", "/live/runs/new/"
START, STOP = "/runs/new/dry-run/", "/runs/new/dry-run/stop/"


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """Let two orders be all that a request plans; OCI has four mugs and enough of all else."""
    monkeypatch.setattr(scopes, "ROUND", 2)
    monkeypatch.setattr(dry_run, "ROUND", 2)
    monkeypatch.setattr(
        dry_run, "_stock", lambda keys: {key: 4 if key[1] == "MUG-01" else 100 for key in keys}
    )
    north, south = scene.make_shop("North"), scene.make_shop("South")
    for number in range(3):
        scene.place(north, f"N-{number}", minutes_ago=30 - number)
    scene.place(south, "S-0", items=[("JUG-03", 1)])


def signed_in(name: str, *sites: str) -> Client:
    user = scene.make_user(name, *scene.MERCHANDISER)
    profile = Profile.objects.create(user=user, every_site=False)
    profile.sites.set(Site.objects.filter(pk__in=sites))
    return browser_of(user)


def done(pk: int | None = None) -> MaintenanceJob:
    """Let a worker do the latest job."""
    job = MaintenanceJob.objects.latest("pk")
    tasks.maintenance_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.DONE, "")
    return job


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_a_large_backlog_becomes_a_job_with_progress_and_a_result(merchandiser: Client) -> None:
    page = merchandiser.get(PAGE)
    assert "More than 2 orders would be planned" in text(page)
    assert "would" not in page.context
    assert not MaintenanceJob.objects.exists()
    for _twice in range(2):
        answer = merchandiser.post(START, {"scope": "missing", "site": ""})
        assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}?scope=missing&site=")
    (job,) = MaintenanceJob.objects.all()
    assert (job.kind, job.actor) == ("dryrun", "mia")
    (entry,) = AuditEntry.objects.filter(action="run.dry_run")
    assert (entry.target, entry.detail) == (f"job:{job.pk}", {"scope": "missing"})
    page = merchandiser.get(f"{PAGE}?scope=missing&site=")
    assert "has been started already" in text(page)
    assert 'data-live-url="/live/runs/new/?scope=missing&amp;site="' in text(page)
    MaintenanceJob.objects.update(
        state="running", steps=40000, steps_done=12000, started_at=scene.NOW
    )
    live = text(merchandiser.get(f"{LIVE}?scope=missing"))
    assert "12,000 of 40,000 orders planned" in live
    assert '<progress id="progress" value="30" max="100">' in live
    assert "12,000 of 40,000 orders planned" in text(merchandiser.get("/runs/"))
    assert 'data-live-seconds="2"' in live
    MaintenanceJob.objects.update(state="queued")
    job = done()
    assert "Show the result" in text(merchandiser.get(f"{LIVE}?scope=missing"))
    page = merchandiser.get(PAGE)
    would = page.context["would"]
    assert (would.orders, would.units, would.forecast_of) == (4, 10, 4)
    assert [(value, number) for value, _, number in page.context["forecast"]] == [
        ("COMPLETELY_RESERVED", 3),
        ("PARTIALLY_RESERVED", 1),
        ("NOTHING_RESERVED", 0),
    ]
    assert "Planned in the background." in text(page)
    assert f'datetime="{job.started_at:%Y-%m-%dT%H:%M}' in text(page)
    assert "Repeat the dry run" in text(page)
    assert "For the oldest" not in text(page)
    # The result stands still: only the frame is renewed.
    assert 'data-live-url="/live/frame/"' in text(page)


def test_the_rerun_from_it_is_one_click(merchandiser: Client) -> None:
    merchandiser.post(START, {"scope": "missing"})
    done()
    # Without a reason the result is shown again; nothing is planned within the request.
    answer = merchandiser.post(PAGE, {"scope": "missing", "site": ""})
    assert "Enter a reason." in text(answer)
    assert answer.context["would"].orders == 4
    answer = merchandiser.post(PAGE, {"scope": "missing", "site": "", "reason": "delivery"})
    run = Run.objects.get()
    assert answer["Location"] == f"/runs/{run.pk}/"
    assert (run.scope, run.scope_data, run.reason) == (Scope.MISSING, {}, "delivery")


def test_nobody_has_to_wait_for_it_to_start_a_rerun(merchandiser: Client) -> None:
    assert "Start reconciliation" in text(merchandiser.get(PAGE))
    merchandiser.post(PAGE, {"scope": "missing", "reason": "at once"})
    assert Run.objects.get().reason == "at once"


def test_it_can_be_stopped_and_a_failure_is_explained(merchandiser: Client) -> None:
    merchandiser.post(START, {"scope": "missing"})
    assert "Stop the dry run" in text(merchandiser.get(PAGE))
    for words in ("The dry run was stopped. Nothing was changed.", "had ended already"):
        assert merchandiser.post(STOP, {"scope": "missing"}).status_code == 302
        assert words in text(merchandiser.get(PAGE))
    job = MaintenanceJob.objects.get()
    assert job.state == JobState.STOPPED
    assert AuditEntry.objects.filter(action="run.dry_run_stopped").count() == 1
    assert "The latest dry run was stopped." in text(merchandiser.get(PAGE))
    merchandiser.post(START, {"scope": "missing"})
    MaintenanceJob.objects.filter(pk__gt=job.pk).update(state="failed", error="<b>worker gone")
    page = text(merchandiser.get(PAGE))
    assert "The dry run did not end." in page
    assert "&lt;b&gt;worker gone" in page
    assert "Repeat the dry run" in page


def test_a_result_is_shown_to_those_alone_who_see_the_same_sites(merchandiser: Client) -> None:
    north, too, both = (
        signed_in("nina", "North"),
        signed_in("nils", "North"),
        signed_in("bo", "North", "South"),
    )
    north.post(START, {"scope": "missing", "site": ""})
    # A second person with the same sites finds the same job.
    too.post(START, {"scope": "missing"})
    assert MaintenanceJob.objects.count() == 1
    done()
    for client in (north, too):
        would = client.get(PAGE).context["would"]
        assert {row.order.site_id for row in would.rows} == {"North"}
        assert would.orders == 3
    # Whoever sees other sites, or more, finds nothing, and cannot stop it.
    for client, query in (
        (both, ""),
        (both, "?site=North"),
        (merchandiser, ""),
        (merchandiser, "?site=North"),
    ):
        page = client.get(PAGE + query)
        assert "would" not in page.context
        assert "nina" not in text(page)
        assert "nina" not in text(client.get(LIVE + query))
    north.post(START, {"scope": "missing"})
    for client in (both, merchandiser):
        client.post(STOP, {"scope": "missing", "site": "North"})
        client.post(STOP, {"scope": "missing"})
    assert MaintenanceJob.objects.latest("pk").state == JobState.QUEUED
    # What was limited since no longer leads to the result.
    profile = Profile.objects.get(user=User.objects.get(username="nils"))
    profile.sites.set(Site.objects.filter(pk="South"))
    assert "N-0" not in text(too.get(PAGE + "?site=North"))


def test_progress_tells_nobody_how_many_orders_other_sites_have() -> None:
    north = signed_in("nina", "North")
    north.post(START, {"scope": "missing"})
    MaintenanceJob.objects.update(
        state="running", steps=40000, steps_done=12000, started_at=scene.NOW
    )
    for address in (PAGE, LIVE, "/runs/"):
        page = text(north.get(address))
        assert "30 % of the orders planned" in page, address
        assert "12,000" not in page
        assert "40,000" not in page
        assert "40000" not in page


def test_the_list_of_runs_leads_back_to_dry_runs(merchandiser: Client) -> None:
    order = Order.objects.get(order_no="N-2")
    bo, nina = signed_in("bo", "South", "North"), signed_in("nina", "North")
    asked = [
        (merchandiser, {"scope": "missing"}),
        (merchandiser, {"scope": "orders", "order": str(order.pk)}),
        (merchandiser, {"scope": "sku", "sku": "MUG-01", "site": "North"}),
        (bo, {"scope": "missing"}),
        (bo, {"scope": "missing", "site": "North"}),
    ]
    for client, fields in asked:
        client.post(START, fields)
        done()
    for client, number in ((merchandiser, 3), (bo, 2)):
        found = client.get("/runs/").context["dry_runs"]
        assert len(found) == number
        for one, query in found:
            page = client.get(f"{PAGE}?{query}")
            assert page.context["done"] == one.job
            assert page.context["would"].rows
    # Who sees other sites finds none of them.
    assert nina.get("/runs/").context["dry_runs"] == []
    viewer = browser_of(scene.make_user("vera", *scene.VIEWER))
    assert viewer.get("/runs/").context["dry_runs"] == []


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ({"scope": "sku", "sku": "MUG-01", "list": "North-stock"}, "&sku=MUG-01&list=North-stock"),
        ({"scope": "sku", "sku": "MUG-01"}, "&sku=MUG-01"),
    ],
)
def test_each_scope_has_a_job_of_its_own(
    merchandiser: Client, asked: dict[str, str], query: str
) -> None:
    merchandiser.post(START, {"scope": "missing"})
    location = merchandiser.post(START, asked)["Location"]
    assert location == f"{PAGE}?scope=sku&site={query}"
    assert MaintenanceJob.objects.count() == 2
    done()
    assert merchandiser.get(location).context["would"].orders == 3
    assert "would" not in merchandiser.get(PAGE).context


def test_what_makes_no_sense_starts_nothing(merchandiser: Client) -> None:
    for address in (START, STOP):
        answer = merchandiser.post(address, {"scope": "sku", "csrfmiddlewaretoken": "x"})
        assert answer["Location"] == f"{PAGE}?scope=sku"
        assert merchandiser.get(address).status_code == 405
    assert merchandiser.get(f"{LIVE}?scope=sku").status_code == 404
    assert not MaintenanceJob.objects.exists()


def test_a_small_backlog_is_answered_at_once(
    merchandiser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "ROUND", 4)
    monkeypatch.setattr(dry_run, "ROUND", 4)
    page = merchandiser.get(PAGE)
    assert page.context["would"].orders == 4
    assert "Repeat the dry run" not in text(page)
    assert not MaintenanceJob.objects.exists()
