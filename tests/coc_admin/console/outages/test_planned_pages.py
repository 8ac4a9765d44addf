"""Planning an outage in the browser: preview, save, end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from coc_admin.console.formats import format_time
from coc_admin.console.outages.planned_views import PlanForm
from coc_admin.models import AuditEntry
from orders.actors import person
from orders.members import iso
from orders.models import Site
from reconciliation.models import PlannedOutage
from reconciliation.outages import planned
from tests.coc_admin.console.scene import Scene


def window(hours: float = 1) -> dict[str, str]:
    start = timezone.localtime() + timedelta(days=1)
    end = start + timedelta(hours=hours)
    return {
        "starts_at": f"{start:%Y-%m-%dT%H:%M}",
        "ends_at": f"{end:%Y-%m-%dT%H:%M}",
        "owner": "Ops",
        "note": "Update",
    }


def test_window_is_saved_only_after_its_preview(operator: Client, outage: Scene) -> None:
    Site.objects.update(cap_offline_minutes=30)
    answer = operator.post("/outages/plan/", window())
    assert "limit of 30 minutes" in answer.content.decode()
    assert not PlannedOutage.objects.exists()
    shown = answer.context["previewed"]
    # Other times than those shown are shown first.
    answer = operator.post("/outages/plan/", {**window(hours=2), "previewed": shown})
    assert (answer.status_code, PlannedOutage.objects.count()) == (200, 0)
    answer = operator.post("/outages/plan/", {**window(), "previewed": shown})
    assert (answer.status_code, answer["Location"]) == (302, "/outages/")
    found = PlannedOutage.objects.get()
    assert (found.owner, found.note, found.ends_at - found.starts_at) == (
        "Ops",
        "Update",
        timedelta(hours=1),
    )
    assert "Ops: Update" in operator.get("/outages/").content.decode()
    overlap = operator.post("/outages/plan/", window())
    assert "Another planned outage overlaps" in overlap.content.decode()
    operator.post(f"/outages/planned/{found.pk}/end/", {"reason": "Moved"})
    found.refresh_from_db()
    assert (found.end_reason, found.entered_at) == ("Moved", None)
    assert found.ended_at is not None


def test_running_window_is_shown_as_one_that_ends_by_itself(
    operator: Client, outage: Scene
) -> None:
    ends_at = timezone.now() + timedelta(hours=1)
    found = planned.plan(
        starts_at=timezone.now(),
        ends_at=ends_at,
        owner="Ops",
        note="Update <b>",
        actor=person("otto"),
        now=timezone.now(),
    )
    planned.keep_times(timezone.now())
    for address in ("/", "/settings/oci/"):
        page = operator.get(address).content.decode()
        assert "Planned outage (Ops: Update &lt;b&gt;)" in page
        assert f"It ends automatically at {format_time(ends_at)}." in page
        assert f"/outages/planned/{found.pk}/end/" in page
        assert "/connection/release/" not in page
        assert "until an operator releases it" not in page
    assert 'id="planned-title"' in operator.get("/outages/").content.decode()


def test_window_is_extended_only_after_its_preview(operator: Client, outage: Scene) -> None:
    Site.objects.update(cap_offline_minutes=90)
    start = timezone.now().replace(microsecond=0, second=0) + timedelta(hours=2)
    found = PlannedOutage.objects.create(
        starts_at=start,
        ends_at=start + timedelta(hours=1),
        owner="Ops",
        note="Update",
        created_at=start,
        created_by="otto",
    )
    address = f"/outages/planned/{found.pk}/extend/"
    assert address in operator.get("/outages/").content.decode()

    def ends(hours: float) -> dict[str, str]:
        later = timezone.localtime(start + timedelta(hours=hours))
        return {"ends_at": f"{later:%Y-%m-%dT%H:%M}", "reason": "Slower than expected"}

    page = operator.get(address).content.decode()
    assert f'value="{ends(1)["ends_at"]}"' in page
    assert "Enter a time after the present end." in operator.post(address, ends(1)).content.decode()
    answer = operator.post(address, {**ends(2), "reason": ""})
    assert "Enter a reason." in answer.content.decode()
    answer = operator.post(address, ends(2))
    assert "limit of 90 minutes" in answer.content.decode()
    previewed = answer.context["previewed"]
    # Another end, or an end changed by another person, is shown first.
    answer = operator.post(address, {**ends(3), "previewed": previewed})
    assert answer.status_code == 200
    PlannedOutage.objects.update(ends_at=start + timedelta(minutes=70))
    answer = operator.post(address, {**ends(2), "previewed": previewed})
    assert answer.status_code == 200
    found.refresh_from_db()
    assert found.ends_at == start + timedelta(minutes=70)
    answer = operator.post(address, {**ends(2), "previewed": answer.context["previewed"]})
    assert (answer.status_code, answer["Location"]) == (302, "/outages/")
    found.refresh_from_db()
    assert found.ends_at == start + timedelta(hours=2)
    entries = AuditEntry.objects.filter(action="outage.plan_extended")
    assert [(entry.target, entry.reason, entry.detail) for entry in entries] == [
        (
            str(found),
            "Slower than expected",
            {"before": iso(start + timedelta(minutes=70)), "after": iso(found.ends_at)},
        )
    ]
    planned.end(found.pk, actor=person("otto"), reason="Moved", now=timezone.now())
    assert "was over already" in operator.get(address).content.decode()
    answer = operator.post(address, {**ends(4), "previewed": "x"})
    assert answer.status_code == 200
    assert address not in operator.get("/outages/").content.decode()


@pytest.mark.django_db
@time_machine.travel(datetime(2027, 3, 1, 12, tzinfo=UTC), tick=False)
def test_hour_that_does_not_exist_is_refused() -> None:
    values = {**window(), "starts_at": "2027-03-28T02:30", "ends_at": "2027-03-28T05:00"}
    with timezone.override("Europe/Berlin"):
        assert list(PlanForm(values).errors) == ["starts_at"]
        values["starts_at"] = "2027-03-28T01:30"
        form = PlanForm(values)
        assert form.is_valid()
        length = form.cleaned_data["ends_at"] - form.cleaned_data["starts_at"]
    assert length == timedelta(hours=2.5)


def test_viewer_sees_no_way_to_plan(viewer: Client, outage: Scene) -> None:
    assert "/outages/plan/" not in viewer.get("/outages/").content.decode()
    assert viewer.get("/outages/plan/").status_code == 403


def test_release_by_its_address_ends_the_window_that_holds(operator: Client, outage: Scene) -> None:
    found = planned.plan(
        starts_at=timezone.now(),
        ends_at=timezone.now() + timedelta(hours=1),
        owner="Ops",
        note="Update <b>",
        actor=person("otto"),
        now=timezone.now(),
    )
    planned.keep_times(timezone.now())
    page = operator.get("/connection/release/").content.decode()
    until = format_time(found.ends_at)
    assert f"The planned outage (Ops: Update &lt;b&gt;) ends now instead of at {until}." in page
    for _ in range(2):
        operator.post("/connection/release/", {"reason": "Needed."})
    found.refresh_from_db()
    assert (found.state, found.ended_by, found.end_reason) == ("over", "otto", "Needed.")
    assert planned.running() == []
    actions = ["connection.released", "outage.plan_ended"]
    assert list(AuditEntry.objects.values_list("action", flat=True).order_by("pk")) == actions
    assert "ends now" not in operator.get("/connection/release/").content.decode()
