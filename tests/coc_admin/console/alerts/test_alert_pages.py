"""The inbox: its alerts for each person, and the actions on them."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client
from django.utils import timezone

from coc_admin.models import AlertPreference, AuditEntry, Profile
from orders.actors import person
from orders.models import Site
from reconciliation.alerts import actions
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.models import (
    Alert,
    AlertEvent,
    AlertSnooze,
    ConnectionState,
    OfflineCause,
    Priority,
)
from tests.alerts import raise_alert
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import NOW, Scene, set_connection


def alert_of(descriptor: str) -> Alert:
    return Alert.objects.get(descriptor=descriptor)


def shown(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/alerts/{query}")
    assert answer.status_code == 200
    return [alert.descriptor for alert in answer.context["page"].rows]


def chosen(*alerts: Alert) -> list[str]:
    return [f"{alert.pk}.{alert.handled}" for alert in alerts]


def limit_to(name: str, *sites: str) -> None:
    profile = Profile.objects.create(user=User.objects.get(username=name), every_site=False)
    profile.sites.set(Site.objects.filter(pk__in=sites))


def events(alert: Alert) -> list[tuple[str, str]]:
    return list(AlertEvent.objects.filter(alert=alert).values_list("kind", "actor"))


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


def test_acknowledged_alerts_leave_the_bell_and_the_home_page(
    merchandiser: Client, outage: Scene
) -> None:
    assert b"Alerts: 2 open" in merchandiser.get("/").content
    both = list(Alert.objects.filter(state="open"))
    data = {"action": "acknowledge", "alert": chosen(*both), "back": "/alerts/?priority=INFO"}
    for _ in range(2):
        answer = merchandiser.post("/alerts/handle/", data)
        assert (answer.status_code, answer["Location"]) == (302, "/alerts/?priority=INFO")
    assert shown(merchandiser) == []
    assert len(shown(merchandiser, "?state=acknowledged")) == 2
    home = merchandiser.get("/")
    assert home.context["alerts"] == []
    assert b"Alerts: 0 open" in home.content
    assert events(both[0]) == [("raised", "alert rules"), ("acknowledged", "mia")]
    assert [(entry.actor, entry.action, entry.target) for entry in AuditEntry.objects.all()] == [
        ("mia", "alert.acknowledge", f"alert:{pk}") for pk in sorted(alert.pk for alert in both)
    ]


def test_a_snooze_ends_by_itself(merchandiser: Client, outage: Scene) -> None:
    alert = alert_of("reconciliation_shortages")
    merchandiser.post("/alerts/handle/", {"action": "snooze", "alert": chosen(alert)})
    snooze = AlertSnooze.objects.get()
    assert (snooze.user.get_username(), snooze.alert, snooze.turn) == ("mia", alert, alert.turn)
    assert timedelta(minutes=59) < snooze.until - timezone.now() <= timedelta(hours=1)
    assert shown(merchandiser, "?state=snoozed") == ["reconciliation_shortages"]
    assert b"snoozed for you until" in merchandiser.get("/alerts/?state=snoozed").content
    assert shown(merchandiser) == ["reconciliation_running"]
    AlertSnooze.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert "reconciliation_shortages" in shown(merchandiser)
    assert shown(merchandiser, "?state=snoozed") == []


def test_a_snooze_is_the_person_s_own_and_hides_no_work(
    merchandiser: Client, operator: Client, outage: Scene
) -> None:
    both = list(Alert.objects.filter(state="open"))
    before = list(Alert.objects.order_by("pk").values())
    for _ in range(2):
        data = {"action": "snooze", "snooze": "morning", "alert": chosen(*both)}
        assert merchandiser.post("/alerts/handle/", data).status_code == 302
    assert shown(merchandiser) == []
    assert len(shown(operator)) == 2
    assert list(Alert.objects.order_by("pk").values()) == before
    assert [(entry.actor, entry.action) for entry in AuditEntry.objects.all()] == [
        ("mia", "alert.snooze")
    ] * 2
    assert events(both[0])[-1] == ("snoozed", "mia")
    for path in ("/", "/live/home/", "/alerts/"):
        page = " ".join(merchandiser.get(path).content.decode().split())
        assert "Nothing needs attention" not in page
        assert "No alert is left for you" in page
        assert "There are still open orders: 2 oversold, 1 waiting, 1 to review." in page
    home = merchandiser.get("/")
    assert b"Alerts: 0 open" in home.content
    assert home.context["headline"].title.startswith("2 orders are oversold")
    assert b"Alerts: 2 open" in operator.get("/").content
    # What becomes more urgent is shown to everybody.
    Alert.objects.update(turn=F("turn") + 1)
    assert len(shown(merchandiser)) == 2


def test_a_person_ends_their_own_snooze_and_no_other(
    merchandiser: Client, operator: Client, outage: Scene
) -> None:
    alert = alert_of("reconciliation_shortages")
    for client in (merchandiser, operator):
        client.post("/alerts/handle/", {"action": "snooze", "alert": chosen(alert)})
    merchandiser.post("/alerts/handle/", {"action": "open", "alert": chosen(alert)})
    assert "reconciliation_shortages" in shown(merchandiser)
    assert "reconciliation_shortages" not in shown(operator)
    assert [kind for kind, _ in events(alert)] == ["raised", "snoozed", "snoozed", "opened"]


def test_snoozed_until_the_morning_of_the_next_day(merchandiser: Client, outage: Scene) -> None:
    alert = alert_of("reconciliation_shortages")
    data = {"action": "snooze", "snooze": "morning", "alert": chosen(alert)}
    merchandiser.post("/alerts/handle/", data)
    until = timezone.localtime(AlertSnooze.objects.get().until)
    assert (until.hour, until.minute) == (8, 0)
    assert until.date() == timezone.localdate() + timedelta(days=1)


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"action": "snooze", "snooze": "custom"}, "Choose an end time."),
        ({"action": "snooze", "until": "2020-01-01T08:00"}, "within the next 30 days"),
        ({"action": "snooze", "until": "0001-01-01T00:00"}, "within the next 30 days"),
        ({"action": "snooze", "until": "soon"}, "Use a time like"),
        (
            {"action": "snooze", "snooze": "hour", "until": "2026-02-03T08:00"},
            "Choose “Until the time below”, or clear the time.",
        ),
        (
            {"action": "snooze", "snooze": "morning", "until": "2026-02-03T08:00"},
            "Choose “Until the time below”, or clear the time.",
        ),
        ({"action": "resolve"}, "Enter a reason."),
        ({"action": "assign", "assignee": "nobody-here"}, "No person has that user name."),
        ({"action": "explode"}, "Nothing was done yet"),
        ({"action": "acknowledge", "alert": ["1.x"]}, "This is not a list of alerts."),
        ({"action": "acknowledge", "alert": []}, "Choose an alert."),
    ],
)
def test_a_mistake_changes_nothing(
    merchandiser: Client, outage: Scene, data: dict[str, Any], says: str
) -> None:
    alert = alert_of("reconciliation_shortages")
    before = Alert.objects.filter(pk=alert.pk).values().get()
    answer = merchandiser.post("/alerts/handle/", {"alert": chosen(alert), **data})
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert Alert.objects.filter(pk=alert.pk).values().get() == before


def test_assigned_and_opened_again(merchandiser: Client, outage: Scene) -> None:
    alert = alert_of("reconciliation_shortages")
    page = f"/alerts/{alert.pk}/"
    data = {"action": "assign", "assignee": "mia", "alert": chosen(alert), "back": page}
    assert merchandiser.post("/alerts/handle/", data)["Location"] == page
    assert b"assigned to mia" in merchandiser.get(page).content
    alert.refresh_from_db()
    merchandiser.post("/alerts/handle/", {"action": "acknowledge", "alert": chosen(alert)})
    alert.refresh_from_db()
    merchandiser.post("/alerts/handle/", {"action": "open", "alert": chosen(alert)})
    assert "reconciliation_shortages" in shown(merchandiser)
    assert [kind for kind, _ in events(alert)][1:] == ["assigned", "acknowledged", "opened"]


def test_resolved_by_hand_it_comes_back_while_it_is_true(
    merchandiser: Client, outage: Scene
) -> None:
    alert = alert_of("reconciliation_running")
    data = {"action": "resolve", "reason": "I have seen it.", "alert": chosen(alert)}
    for _ in range(2):
        assert merchandiser.post("/alerts/handle/", data).status_code == 302
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_by) == ("resolved", "mia")
    assert [kind for kind, _ in events(alert)] == ["raised", "resolved"]
    raise_alert(
        descriptor="reconciliation_running",
        priority=Priority.INFO,
        message="A reconciliation is already running.",
        now=NOW,
    )
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_by, alert.occurrence) == ("open", "", 2)


def test_the_loser_of_a_race_sees_what_happened_and_keeps_the_input(
    merchandiser: Client, outage: Scene
) -> None:
    alert = alert_of("reconciliation_shortages")
    seen = chosen(alert)
    actions.assign(
        alert_id=alert.pk, seen=alert.handled, assignee="otto", actor=person("otto"), now=NOW
    )
    data = {"action": "resolve", "reason": "I wanted to.", "alert": seen}
    answer = merchandiser.post("/alerts/handle/", data)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "have changed in the meantime" in page
    assert "Assigned · otto" in page
    assert 'value="I wanted to."' in page
    alert.refresh_from_db()
    assert (alert.state, alert.assignee) == ("open", "otto")
    assert f'value="{alert.pk}.{alert.handled}"' in page


@pytest.mark.parametrize("back", ["https://evil.test/alerts/", "//evil.test/alerts/", "/orders/"])
def test_back_leads_to_alerts_only(merchandiser: Client, outage: Scene, back: str) -> None:
    alert = alert_of("reconciliation_shortages")
    data = {"action": "acknowledge", "alert": chosen(alert), "back": back}
    assert merchandiser.post("/alerts/handle/", data)["Location"] == "/alerts/"


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
