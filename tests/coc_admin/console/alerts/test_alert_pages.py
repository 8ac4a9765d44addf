"""The inbox: its alerts for each person."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from coc_admin.models import AlertPreference
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.models import Alert, ConnectionState, OfflineCause, Priority
from tests.alerts import raise_alert
from tests.coc_admin.console import scene
from tests.coc_admin.console.alerts.inbox import alert_of, chosen, shown
from tests.coc_admin.console.scene import NOW, Scene, set_connection
from tests.factories import limit_to


def test_the_inbox_shows_what_needs_somebody_and_what_is_over(
    viewer: Client, outage: Scene
) -> None:
    assert shown(viewer) == ["reconciliation_shortages", "reconciliation_running"]
    assert shown(viewer, "?state=resolved") == ["oci_offline"]
    assert shown(viewer, "?state=nonsense") == shown(viewer)


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?priority=INFO", ["reconciliation_running"]),
        ("?descriptor=reconciliation_shortages", ["reconciliation_shortages"]),
        ("?q=TWO+orders", ["reconciliation_shortages"]),
        ("?assignee=mia", ["reconciliation_running"]),
        ("?q=nothing-like-it", []),
        ("?cursor=nonsense", ["reconciliation_shortages", "reconciliation_running"]),
    ],
)
def test_filters_stand_in_the_url(
    viewer: Client, outage: Scene, query: str, found: list[str]
) -> None:
    Alert.objects.filter(descriptor="reconciliation_running").update(assignee="mia")
    assert shown(viewer, query) == found


def test_alerts_are_told_to_readers_of_german_from_their_data(viewer: Client, db: None) -> None:
    kept = "1,500 of 2,000 orders done, as it was kept."
    alert = raise_alert(
        descriptor="reconciliation_running",
        priority=Priority.INFO,
        message=kept,
        data={"run": 7, "done": 1500, "total": 2000, "since": NOW.isoformat()},
        now=NOW,
    )
    wanted = {"Accept-Language": "de"}
    for address in ("/", "/alerts/"):
        assert kept in viewer.get(address).content.decode()
        german = viewer.get(address, headers=wanted).content.decode()
        assert (kept in german, "1.500" in german) == (False, True)
    # Its history keeps the words of that time.
    assert "1.500" in viewer.get(f"/alerts/{alert.pk}/", headers=wanted).content.decode()
    assert alert_of("reconciliation_running").message == kept


def test_pages_follow_one_another_without_gap(viewer: Client, db: None) -> None:
    for number in range(60):
        raise_alert(
            descriptor="report_failure",
            context=f"{number:02}",
            priority=[Priority.ACTION, Priority.WARN][number % 2],
            message="It is so.",
            now=NOW + timedelta(seconds=number // 4),
        )
    seen, query = [], ""
    while True:
        page = viewer.get(f"/alerts/{query}").context["page"]
        seen += [alert.context for alert in page.rows]
        if not page.next_cursor:
            break
        query = f"?cursor={page.next_cursor}".replace("+", "%2B")
    wanted = sorted(range(60), key=lambda n: (n % 2, -(n // 4), -n))
    assert seen == [f"{number:02}" for number in wanted]


def test_viewers_look_and_touch_nothing(viewer: Client, outage: Scene) -> None:
    alert = alert_of("reconciliation_shortages")
    assert b"alerts/handle" not in viewer.get("/alerts/").content
    assert b"alerts/handle" not in viewer.get(f"/alerts/{alert.pk}/").content
    data = {"action": "acknowledge", "alert": chosen(alert)}
    assert viewer.post("/alerts/handle/", data).status_code == 403
    alert.refresh_from_db()
    assert (alert.handling, alert.handled) == ("", 0)


def test_an_alert_is_told_in_the_figures_of_permitted_sites(
    merchandiser: Client, outage: Scene
) -> None:
    Alert.objects.filter(descriptor="reconciliation_shortages").update(
        data={"run": outage.run.pk}, message="2 orders of NorthShop and 99 of others."
    )
    Alert.objects.filter(descriptor="reconciliation_running").update(data={"run": outage.run.pk})
    limit_to("mia", "NorthShop")
    alert = alert_of("reconciliation_shortages")
    for path in ("/alerts/", "/", f"/alerts/{alert.pk}/"):
        page = merchandiser.get(path).content.decode()
        assert "2 orders are oversold: OCI" in page
        assert "99 of others" not in page
    assert shown(merchandiser, "?q=99+of+others") == []


def test_an_alert_without_anything_of_the_permitted_sites_is_not_there(
    merchandiser: Client, outage: Scene
) -> None:
    Alert.objects.filter(state="open").update(data={"run": outage.run.pk})
    limit_to("mia", "South Shop & Co")
    alert = alert_of("reconciliation_shortages")
    assert "reconciliation_shortages" not in shown(merchandiser)
    assert b"Alerts: 1 open" in merchandiser.get("/").content
    assert merchandiser.get(f"/alerts/{alert.pk}/").status_code == 404
    data = {"action": "acknowledge", "alert": chosen(alert)}
    assert merchandiser.post("/alerts/handle/", data).status_code == 404
    alert.refresh_from_db()
    assert alert.handling == ""


def test_notes_of_others_are_not_told_to_people_of_some_sites(
    merchandiser: Client, outage: Scene
) -> None:
    Alert.objects.filter(state="open").update(data={"run": outage.run.pk})
    alert = alert_of("reconciliation_shortages")
    page = f"/alerts/{alert.pk}/"
    assert b"Two orders did not get everything" in merchandiser.get(page).content
    limit_to("mia", "NorthShop")
    assert b"Two orders did not get everything" not in merchandiser.get(page).content


def test_the_list_asks_a_bounded_number_of_queries(
    viewer: Client, db: None, django_assert_max_num_queries: Any
) -> None:
    site = scene.make_shop()
    for number in range(30):
        run = scene.make_run()
        raise_alert(
            descriptor="reconciliation_shortages",
            context=f"run:{run.pk}",
            priority=Priority.ACTION,
            message="Short.",
            data={"run": run.pk},
            now=NOW + timedelta(seconds=number),
        )
    viewer.get("/alerts/")
    with django_assert_max_num_queries(14):
        viewer.get("/alerts/")
    limit_to("vera", site.pk)
    with django_assert_max_num_queries(22):
        viewer.get("/alerts/")


def test_a_person_hides_and_ranks_alerts_for_themselves(
    viewer: Client, merchandiser: Client, outage: Scene
) -> None:
    data = {"hidden": ["reconciliation_running"], "priority-reconciliation_shortages": "INFO"}
    for _ in range(2):
        assert viewer.post("/alerts/my-view/", data)["Location"] == "/alerts/"
    assert shown(viewer) == ["reconciliation_shortages"]
    assert shown(viewer, "?priority=INFO") == ["reconciliation_shortages"]
    assert shown(viewer, "?hidden=on") == ["reconciliation_running", "reconciliation_shortages"]
    page = viewer.get("/").content.decode()
    assert "Alerts: 1 open" in page
    assert 'class="count urgent"' not in page
    assert len(shown(merchandiser)) == 2
    assert "checked" in viewer.get("/alerts/my-view/").content.decode()
    mine = list(AlertPreference.objects.order_by("pk").values())
    for wrong in ({"priority-reconciliation_shortages": "HUGE"}, {"hidden": ["nothing_like_it"]}):
        assert viewer.post("/alerts/my-view/", wrong).status_code == 400
        assert list(AlertPreference.objects.order_by("pk").values()) == mine
    viewer.post("/alerts/my-view/", {})
    assert len(shown(viewer)) == 2


def test_a_page_knows_whether_it_has_changed_for_this_person(
    merchandiser: Client, operator: Client, outage: Scene
) -> None:
    alert = alert_of("reconciliation_shortages")
    pages = ("/alerts/?priority=ACTION", f"/alerts/{alert.pk}/")

    def addresses() -> list[str]:
        found = []
        for path in pages:
            page = merchandiser.get(path).content.decode()
            match = re.search(r'data-live-now="([^"]+)"', page)
            assert match is not None
            found.append(html.unescape(match[1]))
        return found

    def changed(paths: list[str]) -> list[bool]:
        return [b"data-changed" in merchandiser.get(path).content for path in paths]

    before = addresses()
    assert "priority=ACTION" in before[0]
    assert changed(before) == [False, False]
    # Another person's snooze changes nothing for this one, an acknowledgement does.
    operator.post("/alerts/handle/", {"action": "snooze", "alert": chosen(alert)})
    assert changed(before) == [False, False]
    operator.post("/alerts/handle/", {"action": "acknowledge", "alert": chosen(alert)})
    assert changed(before) == [True, True]
    assert changed(addresses()) == [False, False]


def test_open_the_connection_leads_to_its_page_for_people_who_may_open_it(
    viewer: Client, operator: Client, outage: Scene
) -> None:
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    now = timezone.now()
    refresh_alerts(now, watching_since=now)
    alert = alert_of("oci_offline")
    way = re.compile(r'<a [^>]*href="/settings/oci/"[^>]*>Open the connection</a>')
    for address in ("/", "/alerts/", f"/alerts/{alert.pk}/"):
        assert way.search(operator.get(address).content.decode()), address
        page = viewer.get(address).content.decode()
        assert alert.message in html.unescape(page), address
        assert "Open the connection" not in page, address
    assert operator.get("/settings/oci/").status_code == 200
    assert viewer.get("/settings/oci/").status_code == 403
    limit_to("otto", outage.site.pk)
    assert "Open the connection" not in operator.get("/alerts/").content.decode()
