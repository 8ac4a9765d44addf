"""The notice of a planned outage: from a day before its start until it begins or is cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from orders.actors import person
from orders.models import Site
from reconciliation.alerts.actions import acknowledge, resolve_by_hand
from reconciliation.alerts.lifecycle import open_alerts
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.site_text import site_texts
from reconciliation.alerts.text import text_of
from reconciliation.models import Alert, PlannedOutage
from reconciliation.outages import planned
from tests.factories import make_site

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADA = person("ada")


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def plan(start: float, end: float) -> PlannedOutage:
    return planned.plan(
        starts_at=hours(start), ends_at=hours(end), owner="Ops", note="Move", actor=ADA, now=NOW
    )


def notices(at: float) -> list[Alert]:
    for _twice in range(2):
        refresh_alerts(hours(at), watching_since=hours(at))
    return list(open_alerts().filter(descriptor="planned_outage").order_by("context"))


def test_notice_is_open_from_a_day_before_the_start_until_the_start() -> None:
    window = plan(30, 32)
    assert notices(5.9) == []
    (alert,) = notices(6)
    assert (alert.priority, alert.since, alert.context, alert.link) == (
        "INFO",
        hours(6),
        f"window:{window.pk}",
        "/outages/#planned-title",
    )
    assert (alert.message, alert.remedy) == (
        "A planned outage begins at 2 Mar 2026, 18:00 UTC and ends at 2 Mar 2026, 20:00 UTC"
        " (Ops: Move).",
        "You don't need to do anything.",
    )
    with translation.override("de"):
        german = text_of(alert).message
    assert german.startswith("Ein geplanter Ausfall beginnt (2. Mär 2026, 18:00 UTC)")
    assert len(notices(29.9)) == 1
    planned.keep_times(hours(30))
    assert notices(30) == []
    alert.refresh_from_db()
    assert alert.message == (
        "A planned outage was announced, from 2 Mar 2026, 18:00 UTC to 2 Mar 2026, 20:00 UTC"
        " (Ops: Move)."
    )
    assert open_alerts().get().descriptor == "oci_offline"


def test_window_planned_at_short_notice_is_announced_at_once() -> None:
    plan(1, 2)
    (alert,) = notices(0)
    assert alert.since == NOW


def test_cancelled_window_takes_its_notice_with_it() -> None:
    window = plan(1, 2)
    plan(5, 6)
    assert len(notices(0)) == 2
    planned.end(window.pk, actor=ADA, reason="Moved.", now=hours(0.5))
    (left,) = notices(0.5)
    assert left.context != f"window:{window.pk}"
    gone = Alert.objects.get(context=f"window:{window.pk}")
    assert gone.message == (
        "The planned outage from 1 Mar 2026, 13:00 UTC to 1 Mar 2026, 14:00 UTC was cancelled"
        " (Ops: Move)."
    )
    assert site_texts([gone], site_ids=["shop"]) == {
        gone.pk: "The planned outage from 1 Mar 2026, 13:00 UTC to 1 Mar 2026, 14:00 UTC was"
        " cancelled."
    }


def test_notice_names_sites_that_refuse_orders_to_those_who_see_them() -> None:
    make_site("north", offline_capture=False)
    make_site("south", cap_offline_minutes=30)
    make_site("east")
    plan(1, 2)
    (alert,) = notices(0)
    times = "A planned outage begins at 1 Mar 2026, 13:00 UTC and ends at 1 Mar 2026, 14:00 UTC"
    assert alert.message == (
        f"{times} (Ops: Move). 2 sites refuse orders for part of that time: north, south."
    )
    assert alert.remedy.startswith("Raise the limits of sites that must not refuse orders")
    for site, text in {
        "north": f"{times}. 1 site refuses orders for part of that time: north.",
        "east": f"{times}.",
    }.items():
        assert site_texts([alert], site_ids=[site]) == {alert.pk: text}


def test_another_site_that_refuses_orders_needs_attention_again() -> None:
    make_site("north", offline_capture=False)
    plan(1, 2)
    (alert,) = notices(0)
    acknowledge(alert_id=alert.pk, seen=alert.handled, actor=ADA, now=NOW)
    Site.objects.update(offline_capture=True)
    (alert,) = notices(0.1)
    assert (alert.handling, alert.data["refusing"]) == ("acknowledged", [])
    Site.objects.update(offline_capture=False)
    (alert,) = notices(0.2)
    assert (alert.handling, alert.data["refusing"]) == ("", ["north"])


def test_dismissed_notice_stays_away_and_the_next_one_does_not() -> None:
    plan(1, 2)
    (alert,) = notices(0)
    resolve_by_hand(alert_id=alert.pk, seen=alert.handled, reason="Known.", actor=ADA, now=NOW)
    assert notices(0.1) == []
    later = plan(3, 4)
    assert [one.context for one in notices(0.2)] == [f"window:{later.pk}"]
