"""The intervals of scheduled jobs, changed in the console."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule

from coc_admin.models import AuditEntry, Profile
from orders.models import Site
from reconciliation.maintenance import schedules
from reconciliation.models import IntervalSetting, Run
from reconciliation.queue import heartbeats, intervals
from tests.coc_admin.console import scene
from tests.coc_admin.console.settings.conftest import SignIn

PAGE = "/settings/schedules/"
NOTHING_SEEN = json.dumps({"every": ""})
NOTHING_SEEN_OF_A_DAY = json.dumps({"at": "", "zone": "", "paused": ""})


def post(client: Client, name: str, **fields: Any) -> Any:
    was = NOTHING_SEEN_OF_A_DAY if name == "retention" else NOTHING_SEEN
    return client.post(f"{PAGE}{name}/", {"was": was, "reason": ""} | fields)


def rows(client: Client) -> dict[str, tuple[str, bool, str]]:
    shown = client.get(PAGE).context["rows"]
    return {row["key"]: (row["interval"], row["is_changed"], str(row["standing"])) for row in shown}


def test_page_tells_each_interval_and_how_it_stands(operator: Client) -> None:
    schedules.ensure()
    assert rows(operator) == {
        "retry": ("every minute", False, "nothing to do"),
        "sweep": ("every minute", False, "on time"),
        "probe": ("every second", False, "late"),
        "merge": ("every 20 seconds", False, "nothing to do"),
        "retention": ("once a day", False, "off"),
        "audit": ("off", False, "off"),
    }
    heartbeats.beat(component=heartbeats.MONITOR, now=timezone.now())
    Schedule.objects.update(next_run=timezone.now() - timedelta(hours=1))
    told = rows(operator)
    assert (told["probe"][2], told["sweep"][2]) == ("on time", "late")
    Schedule.objects.all().delete()
    assert rows(operator)["sweep"][2] == "broken"


def test_a_retry_that_should_have_come_is_late(operator: Client, site: Site) -> None:
    scene.place(site, "A1")
    IntervalSetting.objects.create(pk="retry", every=60)
    now = timezone.now()
    for minutes, standing in ((30, "on time"), (62, "on time"), (70, "late")):
        Run.objects.all().delete()
        Run.objects.create(
            trigger="schedule",
            state="completed",
            is_active=False,
            created_at=now,
            finished_at=now - timedelta(minutes=minutes),
        )
        assert rows(operator)["retry"] == ("every 60 minutes", True, standing)


def test_a_change_counts_at_once_and_is_in_the_audit_log(operator: Client) -> None:
    schedules.ensure()
    assert post(operator, "sweep", every="3", reason="a slow database").status_code == 302
    assert Schedule.objects.get().minutes == 3
    assert post(operator, "retry", every="45").status_code == 302
    assert intervals.interval_of("retry").length == timedelta(minutes=45)
    first, second = AuditEntry.objects.order_by("pk")
    assert (first.action, first.target) == ("schedule.changed", "schedule:sweep")
    assert (first.reason, first.actor) == ("a slow database", "operator")
    assert first.detail == {"every": {"before": "", "after": "3"}}
    assert second.target == "schedule:retry"
    page = operator.get(f"{PAGE}retry/").content.decode()
    assert "every 45 minutes" in page
    assert "COC_RETRY_MINUTES" in page


def test_the_same_again_changes_nothing(operator: Client) -> None:
    post(operator, "retry", every="45")
    again = operator.post(f"{PAGE}retry/", {"was": json.dumps({"every": "45"}), "every": "45"})
    assert again.status_code == 302
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize("button", [{"default": "yes", "every": "9"}, {"every": ""}])
def test_back_to_the_environment(operator: Client, button: dict[str, str]) -> None:
    schedules.ensure()
    post(operator, "sweep", every="3")
    seen = {"was": json.dumps({"every": "3"}), "reason": "over"}
    assert operator.post(f"{PAGE}sweep/", seen | button).status_code == 302
    assert not intervals.interval_of("sweep").is_changed
    assert Schedule.objects.get().minutes == 1
    assert AuditEntry.objects.latest("pk").detail == {"every": {"before": "3", "after": ""}}


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sweep", "6"),
        ("sweep", "0"),
        ("retry", "1441"),
        ("retry", "-1"),
        ("probe", "61"),
        ("merge", "3601"),
        ("merge", "1.5"),
        ("merge", "soon"),
    ],
)
def test_what_is_beyond_its_limits_is_refused(operator: Client, name: str, value: str) -> None:
    answer = post(operator, name, every=value)
    assert answer.status_code == 200
    assert answer.context["form"].errors["every"]
    assert f'value="{value}"' in answer.content.decode()
    assert not IntervalSetting.objects.exists()
    assert not AuditEntry.objects.exists()


def test_only_retention_can_be_paused(operator: Client) -> None:
    for name in ("sweep", "retry", "probe", "merge"):
        assert b"cannot be paused" in operator.get(f"{PAGE}{name}/").content
        post(operator, name, every="2", paused="on")
        assert not IntervalSetting.objects.get(pk=name).paused


def test_retention_has_a_time_of_day_and_can_be_paused(operator: Client, settings: Any) -> None:
    settings.COC_RETAIN_CUSTOMER_DAYS = 30
    Profile.objects.create(user=User.objects.get(), time_zone="Europe/Berlin")
    assert operator.get(f"{PAGE}retention/").context["form"]["zone"].value() == "Europe/Berlin"
    assert post(operator, "retention", at="03:00", zone="Europe/Berlin").status_code == 302
    assert rows(operator)["retention"] == ("once a day at 03:00 (Europe/Berlin)", True, "on time")
    seen = json.dumps({"at": "03:00:00", "zone": "Europe/Berlin", "paused": ""})
    kept = {"at": "03:00", "zone": "Europe/Berlin"}
    answer = operator.post(f"{PAGE}retention/", {"was": seen, "paused": "on"} | kept)
    assert answer.status_code == 302
    assert rows(operator)["retention"][2] == "paused"
    assert AuditEntry.objects.latest("pk").detail == {"paused": {"before": "", "after": "yes"}}
    seen = json.dumps({"at": "03:00:00", "zone": "Europe/Berlin", "paused": "yes"})
    assert operator.post(f"{PAGE}retention/", {"was": seen, "default": "yes"}).status_code == 302
    assert rows(operator)["retention"] == ("once a day", False, "on time")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"at": "25:00", "zone": "UTC"}, "at"),
        ({"at": "03:00", "zone": ""}, "zone"),
        ({"at": "03:00", "zone": "Nowhere/Land"}, "zone"),
    ],
)
def test_a_time_that_cannot_be_is_refused(
    operator: Client, fields: dict[str, str], wrong: str
) -> None:
    answer = post(operator, "retention", **fields)
    assert (answer.status_code, list(answer.context["form"].errors)) == (200, [wrong])
    assert not IntervalSetting.objects.exists()


def test_who_comes_second_sees_what_has_changed(sign_in: SignIn, operator: Client) -> None:
    other = sign_in("administrator")
    assert post(operator, "retry", every="5").status_code == 302
    lost = post(other, "retry", every="30", reason="mine")
    assert lost.status_code == 409
    page = lost.content.decode()
    assert "it was “nothing” when you opened it, and is “5” now" in page
    assert 'value="30"' in page
    assert intervals.interval_of("retry").length == timedelta(minutes=5)
    assert AuditEntry.objects.count() == 1
    again = lost.context["form"]["was"].value()
    assert other.post(f"{PAGE}retry/", {"was": again, "every": "30"}).status_code == 302
    assert intervals.interval_of("retry").length == timedelta(minutes=30)


def test_no_other_thing_has_an_interval(operator: Client) -> None:
    assert operator.get(f"{PAGE}nothing/").status_code == 404
    assert post(operator, "nothing", every="5").status_code == 404


def test_who_may_not_configure_changes_nothing(sign_in: SignIn, site: Site) -> None:
    limited = sign_in("operator", "limited", sites=[site])
    for client in (sign_in("merchandiser"), sign_in("viewer"), limited):
        assert client.get(f"{PAGE}retry/").status_code == 403
        assert post(client, "retry", every="5").status_code == 403
    assert not IntervalSetting.objects.exists()
