"""The list of outages, and the page of one."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client

from coc_admin.console import charts
from coc_admin.console.outages import views
from orders.models import Order, OrderStatus, Resolution
from reconciliation.models import (
    Connection,
    ConnectionChange,
    ConnectionState,
    OfflineCause,
    Outage,
    ReportDay,
    ReportType,
    Run,
)
from reconciliation.outages.figures import Counts, course_of
from tests.coc_admin.console.scene import (
    NOW,
    Scene,
    make_outage,
    make_run,
    make_shop,
    make_user,
    place,
    set_connection,
)


def listed(answer: Any) -> list[tuple[int, Counts]]:
    return [(outage.pk, counts) for outage, counts in answer.context["rows"]]


def test_list_tells_of_each_outage_the_newest_first(viewer: Client, outage: Scene) -> None:
    old = make_outage(minutes_ago=200)
    Outage.objects.filter(pk=old.pk).update(drained_at=NOW - timedelta(minutes=100))
    last = make_outage(outage.run)
    answer = viewer.get("/outages/")
    assert listed(answer) == [(last.pk, Counts(6, 2)), (old.pk, Counts(0, 0))]
    page = answer.content.decode()
    assert '<td data-label="Lasted">1 h 2 min</td>' in page
    assert "OCI does not answer" in page
    assert "Not over" not in page
    assert '<a href="/outages/" aria-current="page"' in page


def test_list_has_pages(viewer: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE", 2)
    made = [make_outage().pk for _ in range(3)]
    first = viewer.get("/outages/")
    assert [pk for pk, _ in listed(first)] == [made[2], made[1]]
    second = viewer.get(f"/outages/?cursor={first.context['page'].next_cursor}")
    assert [pk for pk, _ in listed(second)] == [made[0]]
    assert second.context["page"].next_cursor == ""
    for rubbish in ("x", "-1", "9" * 40):
        assert len(listed(viewer.get(f"/outages/?cursor={rubbish}"))) == 2


def test_no_outage_is_said(viewer: Client, db: None) -> None:
    assert b"There has been no outage yet." in viewer.get("/outages/").content


def test_page_tells_times_orders_and_outcomes(viewer: Client, outage: Scene) -> None:
    made = make_outage(outage.run)
    context = viewer.get(f"/outages/{made.pk}/").context
    told = [context[name] for name in ("length", "to_detect", "away", "to_reconcile")]
    assert told == ["1 h 2 min", "3 s", "1 h 0 min", "2 min 0 s"]
    figures = context["figures"]
    assert (figures.orders, figures.units, figures.value) == (6, 18, {"EUR": 171})
    assert figures.outcomes == [
        ("Completely Reserved", 1),
        ("Partially Reserved", 1),
        ("Nothing Reserved", 1),
        ("Waiting", 1),
        ("Needs review", 1),
        ("Cancelled while waiting", 1),
    ]
    assert (figures.oversold, str(figures.oversold_percent)) == (2, "33.3")
    assert [(line.title, line.who) for line in context["story"]] == [
        ("First call without an answer", ""),
        ("Loss detected: offline", "connection"),
        ("Probing began", "monitor"),
        ("OCI answers again; the backlog is being reconciled", "connection"),
        ("Nothing is waiting; online", "connection"),
    ]
    assert [(run.pk, sum(counts.values())) for run, counts in context["runs"]] == [
        (outage.run.pk, 5)
    ]
    assert {report.report_type for report in context["reports"]} == {"offline", "oversold"}


def test_an_oversold_order_stays_counted_whatever_became_of_it(
    viewer: Client, outage: Scene
) -> None:
    made = make_outage(outage.run)
    Order.objects.filter(pk=outage.partial.pk).update(
        status=OrderStatus.CANCELLED, resolution=Resolution.CANCELLED
    )
    Order.objects.filter(pk=outage.nothing.pk).update(
        reservation_state="COMPLETELY_RESERVED", resolution=Resolution.RESERVED_AGAIN
    )
    figures = viewer.get(f"/outages/{made.pk}/").context["figures"]
    assert dict(figures.outcomes) == {
        "Completely Reserved": 2,
        "Partially Reserved": 1,
        "Nothing Reserved": 0,
        "Waiting": 1,
        "Needs review": 1,
        "Cancelled while waiting": 1,
    }
    assert figures.oversold == 2
    assert listed(viewer.get("/outages/")) == [(made.pk, Counts(6, 2))]


def test_only_orders_captured_offline_during_it_count(viewer: Client, outage: Scene) -> None:
    made = make_outage()
    for number, at in (
        ("before", made.lost_at - timedelta(seconds=3)),
        ("whose call was the first", made.lost_at - timedelta(seconds=1)),
        ("after", NOW - timedelta(minutes=8)),
    ):
        order = place(outage.site, number)
        Order.objects.filter(pk=order.pk).update(captured_at=at)
    Order.objects.filter(pk=outage.complete.pk).update(captured_offline=False)
    assert viewer.get(f"/outages/{made.pk}/").context["figures"].orders == 6


def test_the_course_adds_up(outage: Scene) -> None:
    made = make_outage(outage.run)
    points = course_of(made, now=NOW)
    assert len(points) == 25
    assert (points[0].at, points[-1].at) == (made.lost_at, made.drained_at)
    assert [(point.captured, point.drained) for point in points[:3]] == [(0, 0)] * 3
    # Captured within a quarter of an hour after ten minutes; settled 53 minutes later.
    assert [point.captured for point in points[4:8]] == [1, 3, 6, 6]
    assert (points[-2].drained, points[-1].drained, points[-1].waiting) == (0, 3, 3)
    for one, other in pairwise(points):
        assert one.captured <= other.captured
        assert one.drained <= other.drained


@pytest.mark.parametrize("length", [timedelta(0), timedelta(seconds=50), timedelta(days=400)])
def test_an_outage_of_any_length_has_a_course(outage: Scene, length: timedelta) -> None:
    start = outage.complete.captured_at
    made = make_outage()
    Outage.objects.filter(pk=made.pk).update(lost_at=start, drained_at=start + length)
    made.refresh_from_db()
    points = course_of(made, now=NOW)
    assert len(points) == 25
    assert points[-1].captured == viewer_count(made)


def viewer_count(outage: Outage) -> int:
    assert outage.drained_at is not None
    return Order.objects.filter(
        captured_at__gte=outage.lost_at - timedelta(seconds=2), captured_at__lt=outage.drained_at
    ).count()


def test_lines_of_the_chart() -> None:
    assert charts.polyline([0, 5, 10], highest=10) == "0.00,100.00 50.00,50.00 100.00,0.00"
    assert charts.polyline([3], highest=5) == "0.00,40.00"
    assert [charts.rounded_up(n) for n in (0, 1, 2, 3, 6, 10, 11, 4321)] == [
        1,
        1,
        2,
        5,
        10,
        10,
        20,
        5000,
    ]


def test_chart_has_a_table_and_the_page_keeps_to_the_policy(viewer: Client, outage: Scene) -> None:
    made = make_outage(outage.run)
    page = viewer.get(f"/outages/{made.pk}/").content.decode()
    assert '<polyline class="chart-captured" points="0.00,100.00 ' in page
    assert "<summary>Show as a table</summary>" in page
    assert (
        '2 Feb 2026, 11:52:00 UTC</time></th> <td class="number">6</td>'
        ' <td class="number">3</td> <td class="number">3</td>'
    ) in " ".join(page.split())
    assert "style=" not in page


def test_text_to_send(viewer: Client, outage: Scene) -> None:
    made = make_outage(outage.run)
    answer = viewer.get(f"/outages/{made.pk}/")
    assert answer.context["text"] == "\n".join(
        [
            f"Outage {made.pk} of Omnichannel Inventory",
            "",
            "Cause: OCI does not answer (OCI has left 3 or more calls in a row without an answer.)",
            "Lost: 2026-02-02 10:50:00.000 UTC",
            "Detected: 2026-02-02 10:50:03.000 UTC (after 3 s)",
            "OCI answered again: 2026-02-02 11:50:00.000 UTC",
            "Backlog reconciled: 2026-02-02 11:52:00.000 UTC (took 2 min 0 s)",
            "Length: 1 h 2 min",
            "",
            "Captured offline: 6 orders, 18 units, worth 171.00 EUR",
            "- Completely Reserved: 1",
            "- Partially Reserved: 1",
            "- Nothing Reserved: 1",
            "- Waiting: 1",
            "- Needs review: 1",
            "- Cancelled while waiting: 1",
            "Oversold: 2 of 6 orders (33.3 %)",
            "Value short: 47.50 EUR (units: 5)",
            "",
            "Reconciliations:",
            f"- Run {outage.run.pk}: Completed with shortages (took 1 min 35 s)",
            "",
            "Daily reports:",
            "- 2026-02-02 NorthShop, Offline: 6 orders",
            "- 2026-02-02 NorthShop, Oversold: 2 orders",
        ]
    )
    page = answer.content.decode()
    assert 'rows="16" readonly>\nOutage ' in page
    assert page.count("</textarea>") == 1


def test_reason_with_markup_stays_text(viewer: Client, db: None) -> None:
    made = make_outage()
    Outage.objects.filter(pk=made.pk).update(reason="</textarea><script>alert(1)</script>")
    page = viewer.get(f"/outages/{made.pk}/").content.decode()
    assert "<script>alert" not in page
    assert page.count("</textarea>") == 1


def test_open_outage_says_that_it_is_not_over(viewer: Client, outage: Scene) -> None:
    made = make_outage(over=False)
    answer = viewer.get(f"/outages/{made.pk}/")
    assert "Not over" in answer.content.decode()
    assert answer.context["to_reconcile"] == "–"
    assert "OCI has not recovered yet." in answer.context["text"]
    assert "Not over yet. It has lasted " in answer.context["text"]
    assert "Not over" in viewer.get("/outages/").content.decode()


def test_story_of_a_forced_outage_that_flaps(viewer: Client, db: None) -> None:
    made = make_outage(over=False)
    Outage.objects.filter(pk=made.pk).update(detected_at=made.lost_at, cause=OfflineCause.FORCED)
    ConnectionChange.objects.all().delete()
    states = ["ONLINE", "FORCED_OFFLINE", "OFFLINE", "OFFLINE", "RECOVERING", "OFFLINE"]
    for old, new in pairwise(states):
        ConnectionChange.objects.create(
            at=NOW, outage=made, old_state=old, new_state=new, actor="otto", reason="because"
        )
    story = viewer.get(f"/outages/{made.pk}/").context["story"]
    assert [(line.title, line.who, line.why) for line in story] == [
        (title, "otto", "because")
        for title in (
            "Forced offline",
            "Released; OCI is being checked",
            "The cause changed",
            "OCI answers again; the backlog is being reconciled",
            "Lost again",
        )
    ]


def test_open_outage_tells_how_probing_goes(viewer: Client, db: None) -> None:
    made = make_outage(over=False)
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    Connection.objects.update(good_probes=2, last_error="Connection refused.")
    last = viewer.get(f"/outages/{made.pk}/").context["story"][-1]
    assert (last.title, last.why) == (
        "Probing",
        "2 good answers in a row so far. Last fault: Connection refused.",
    )
    set_connection(ConnectionState.FORCED_OFFLINE, cause=OfflineCause.FORCED)
    story = viewer.get(f"/outages/{made.pk}/").context["story"]
    assert "Probing" not in [line.title for line in story]


def test_outage_without_orders(viewer: Client, db: None) -> None:
    made = make_outage()
    answer = viewer.get(f"/outages/{made.pk}/")
    assert answer.context["chart"] is None
    assert answer.context["figures"].oversold_percent == 0
    assert "Captured offline: 0 orders\n" in answer.context["text"]


def test_alerts_of_its_time_and_of_its_runs(viewer: Client, outage: Scene) -> None:
    made = make_outage(outage.run)
    assert viewer.get(f"/outages/{made.pk}/").context["alerts"] == []
    Outage.objects.filter(pk=made.pk).update(drained_at=NOW + timedelta(seconds=1))
    told = viewer.get(f"/outages/{made.pk}/").context["alerts"]
    assert {alert.descriptor for alert in told} == {
        "reconciliation_shortages",
        "reconciliation_running",
        "oci_offline",
    }


def test_reports_are_of_the_days_of_the_site(viewer: Client, outage: Scene) -> None:
    made = make_outage(outage.run)
    for days in (-1, 1):
        ReportDay.objects.create(
            site=outage.site,
            date=NOW.date() + timedelta(days=days),
            report_type=ReportType.OFFLINE,
            revision=1,
        )
    outage.site.time_zone = "Pacific/Auckland"
    outage.site.save(update_fields=["time_zone"])
    reports = viewer.get(f"/outages/{made.pk}/").context["reports"]
    # From 23:50 on 2 February in Auckland to the day after.
    assert [str(report.date) for report in reports] == ["2026-02-02", "2026-02-02", "2026-02-03"]


def test_banner_home_and_outage_lead_to_each_other(viewer: Client, outage: Scene) -> None:
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    made = Outage.objects.get()
    link = f'<a href="/outages/{made.pk}/">'
    assert f"{link}Open this outage</a>" in viewer.get("/orders/").content.decode()
    assert f"{link}this outage</a>" in viewer.get("/").content.decode()
    place(outage.site, "during", now=NOW + timedelta(hours=1))
    page = viewer.get(f"/outages/{made.pk}/").content.decode()
    assert f'href="/orders/?outage={made.pk}"' in page
    set_connection(ConnectionState.ONLINE)
    Outage.objects.update(is_open=False)
    home = viewer.get("/").content.decode()
    assert "this outage</a>" not in home
    assert f"{link}Outage {made.pk}</a>" in home


def test_pages_need_the_right_to_see_runs(client: Client, outage: Scene) -> None:
    made = make_outage(outage.run, over=False)
    set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    client.force_login(make_user("nina", "orders.view_order"))
    for path in ("/outages/", f"/outages/{made.pk}/"):
        assert client.get(path).status_code == 403
        assert client.post(path).status_code == 405
    assert "/outages/" not in client.get("/").content.decode()
    assert "/outages/" not in client.get(f"/orders/?outage={made.pk}").content.decode()


def test_person_without_further_rights_sees_less(client: Client, outage: Scene) -> None:
    made = make_outage(outage.run)
    client.force_login(make_user("rita", "orders.view_order", "reconciliation.view_run"))
    answer = client.get(f"/outages/{made.pk}/")
    assert (answer.context["reports"], answer.context["alerts"]) == ([], [])
    assert "/reports/" not in answer.content.decode()


def test_outage_that_does_not_exist(viewer: Client, db: None) -> None:
    for key in ("1", "9" * 40, "x"):
        assert viewer.get(f"/outages/{key}/").status_code == 404


def test_list_takes_a_bounded_number_of_queries(
    viewer: Client, outage: Scene, django_assert_max_num_queries: Any
) -> None:
    viewer.get("/outages/")
    for count in (3, 60):
        while Outage.objects.count() < count:
            make_outage()
        with django_assert_max_num_queries(24):
            assert len(listed(viewer.get("/outages/"))) == min(count, 25)


def test_page_takes_a_bounded_number_of_queries(
    viewer: Client, db: None, django_assert_max_num_queries: Any
) -> None:
    site, made = make_shop(), make_outage()
    viewer.get("/outages/")
    for count in (3, 60):
        while Order.objects.count() < count:
            place(site, f"N{Order.objects.count():02d}", items=[("MUG-01", 1)])
            run = make_run()
            Run.objects.filter(pk=run.pk).update(outage=made)
        with django_assert_max_num_queries(25):
            answer = viewer.get(f"/outages/{made.pk}/")
        assert answer.context["figures"].orders == count
