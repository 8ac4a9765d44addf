"""Planned outages: they begin and end on time, whatever happens to the monitor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import translation

from orders.actors import person
from orders.models import InventoryList, ListType, Site
from orders.reasons import read
from reconciliation import connection
from reconciliation.models import Connection, ConnectionChange, Outage, PlannedOutage
from reconciliation.outages import planned

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANNA = person("anna")


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def plan(start: float = 10, end: float = 70, now: float = 0) -> PlannedOutage:
    return planned.plan(
        starts_at=at(start), ends_at=at(end), owner="Ops", note="Update", actor=ANNA, now=at(now)
    )


def state() -> str:
    return Connection.objects.get().state


def test_window_begins_and_ends_on_time() -> None:
    window = plan()
    planned.keep_times(at(9.9))
    assert state() == "ONLINE"
    planned.keep_times(at(10))
    planned.keep_times(at(69.9))
    found = Connection.objects.get()
    assert (found.state, found.forced_by) == ("FORCED_OFFLINE", str(window))
    assert found.reason == "Planned outage (Ops): Update"
    planned.keep_times(at(70))
    assert state() == "OFFLINE"
    window.refresh_from_db()
    assert (window.entered_at, window.ended_at, window.end_reason) == (at(10), at(70), "")
    assert Outage.objects.count() == 1


def test_reasons_of_a_window_are_shown_in_the_readers_language() -> None:
    plan()
    planned.keep_times(at(10))
    planned.keep_times(at(70))
    rows = [Outage.objects.get(), *ConnectionChange.objects.order_by("pk")]
    assert [row.reason for row in rows] == [
        "Planned outage (Ops): Update",
        "Planned outage (Ops): Update",
        "The planned outage has ended (Ops): Update",
    ]
    with translation.override("de"):
        assert [read(row.reason, row.reason_codes) for row in rows] == [
            "Geplanter Ausfall (Ops): Update",
            "Geplanter Ausfall (Ops): Update",
            "Der geplante Ausfall ist beendet (Ops): Update",
        ]


def test_reason_of_a_person_who_ends_a_window_stays_in_their_words() -> None:
    window = plan()
    planned.keep_times(at(10))
    planned.end(window.pk, actor=ANNA, reason="  Done.  ", now=at(20))
    last = ConnectionChange.objects.latest("pk")
    assert (last.reason, last.reason_codes) == ("Done.", None)


def test_window_that_no_monitor_saw_does_not_begin_late() -> None:
    window = plan()
    planned.keep_times(at(80))
    window.refresh_from_db()
    assert (state(), window.entered_at, window.ended_at) == ("ONLINE", None, at(80))


def test_late_monitor_joins_the_window() -> None:
    plan()
    planned.keep_times(at(30))
    assert state() == "FORCED_OFFLINE"


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [(60, 80, "overlap"), (0, 11, "overlap"), (90, 90, "order"), (-10, 5, "past")],
)
def test_window_is_refused(start: float, end: float, why: str) -> None:
    plan()
    with pytest.raises(planned.WindowRefused) as refusal:
        plan(start, end)
    assert (refusal.value.why, PlannedOutage.objects.count()) == (why, 1)
    plan(70, 90)
    assert PlannedOutage.objects.count() == 2


def test_early_end_releases_the_connection_once() -> None:
    window = plan()
    planned.keep_times(at(10))
    assert planned.end(window.pk, actor=ANNA, reason="Done", now=at(20))
    assert not planned.end(window.pk, actor=ANNA, reason="Again", now=at(21))
    planned.keep_times(at(22))
    window.refresh_from_db()
    assert (state(), window.ended_at, window.end_reason) == ("OFFLINE", at(20), "Done")


def extend(window: PlannedOutage, end: float, *, now: float = 0, seen: float = 70) -> None:
    planned.extend(window.pk, ends_at=at(end), seen=at(seen), now=at(now))


def test_extended_window_ends_at_its_new_end() -> None:
    window = plan()
    extend(window, 80)
    planned.keep_times(at(10))
    extend(window, 90, now=75, seen=80)
    planned.keep_times(at(89))
    assert state() == "FORCED_OFFLINE"
    planned.keep_times(at(90))
    window.refresh_from_db()
    assert (state(), window.ends_at, window.ended_at) == ("OFFLINE", at(90), at(90))


def test_running_window_past_its_end_can_be_extended_until_the_monitor_ends_it() -> None:
    window = plan()
    planned.keep_times(at(10))
    with pytest.raises(planned.WindowRefused, match="past"):
        extend(window, 72, now=73)
    extend(window, 80, now=73)
    planned.keep_times(at(74))
    assert state() == "FORCED_OFFLINE"


@pytest.mark.parametrize(
    ("end", "now", "seen", "why"),
    [
        (70, 0, 70, "shorter"),
        (69, 0, 70, "shorter"),
        (91, 0, 70, "overlap"),
        (80, 0, 71, "moved"),
        (80, 70, 70, "over"),
    ],
)
def test_extension_is_refused(end: float, now: float, seen: float, why: str) -> None:
    window = plan()
    plan(90, 95)
    with pytest.raises(planned.WindowRefused) as refusal:
        extend(window, end, now=now, seen=seen)
    assert refusal.value.why == why
    window.refresh_from_db()
    assert window.ends_at == at(70)
    extend(window, 90, now=69)
    window.refresh_from_db()
    assert window.ends_at == at(90)


def test_window_that_is_over_is_not_extended() -> None:
    window = plan()
    planned.end(window.pk, actor=ANNA, reason="Moved", now=at(5))
    with pytest.raises(planned.WindowRefused, match="over"):
        extend(window, 80, now=6)


def test_cancelled_window_does_not_begin() -> None:
    planned.end(plan().pk, actor=ANNA, reason="Moved", now=at(5))
    planned.keep_times(at(10))
    assert state() == "ONLINE"


def test_hold_of_an_operator_outlasts_the_window() -> None:
    plan()
    connection.force_offline(actor=ANNA, reason="Trouble", now=at(5))
    planned.keep_times(at(10))
    planned.keep_times(at(70))
    found = Connection.objects.get()
    assert (found.state, found.forced_by) == ("FORCED_OFFLINE", "anna")


def test_release_by_hand_ends_the_window_and_is_not_undone() -> None:
    window = plan()
    planned.keep_times(at(10))
    assert planned.release(actor=ANNA, reason=" Needed ", now=at(15)) == [window]
    assert planned.release(actor=ANNA, reason="Again", now=at(16)) is None
    planned.keep_times(at(16))
    window.refresh_from_db()
    assert (state(), window.state, window.ended_at) == ("OFFLINE", "over", at(15))
    assert (window.ended_by, window.end_reason) == ("anna", "Needed")


def test_release_without_a_reason_ends_nothing() -> None:
    window = plan()
    planned.keep_times(at(10))
    with pytest.raises(connection.ReasonRequired):
        planned.release(actor=ANNA, reason=" ", now=at(15))
    window.refresh_from_db()
    assert (state(), window.ended_at) == ("FORCED_OFFLINE", None)


def test_release_of_an_operators_hold_ends_the_window_that_runs_and_no_coming_one() -> None:
    window, coming = plan(), plan(100, 110)
    connection.force_offline(actor=ANNA, reason="Trouble", now=at(5))
    planned.keep_times(at(10))
    assert planned.release(actor=ANNA, reason="Repaired", now=at(15)) == [window]
    coming.refresh_from_db()
    assert (state(), coming.state) == ("OFFLINE", "planned")


def test_command_that_releases_ends_the_window(capsys: pytest.CaptureFixture[str]) -> None:
    window = plan()
    planned.keep_times(at(10))
    call_command("coc_connection", "release", reason="Needed")
    window.refresh_from_db()
    assert (state(), window.state, window.end_reason) == ("OFFLINE", "over", "Needed")
    assert f"Ended {window} (Ops: Update)." in capsys.readouterr().out


def test_adjoining_window_takes_over() -> None:
    plan()
    other = plan(70, 90)
    planned.keep_times(at(10))
    planned.keep_times(at(70))
    assert (state(), Connection.objects.get().forced_by) == ("FORCED_OFFLINE", str(other))


def test_effects_name_the_sites_that_refuse_orders() -> None:
    stock = InventoryList.objects.create(pk="shop", list_type=ListType.GROUP)
    for pk, minutes, takes in [("a", 60, True), ("b", 59, True), ("c", None, False)]:
        Site.objects.create(
            pk=pk, inventory_list=stock, cap_offline_minutes=minutes, offline_capture=takes
        )
    assert planned.effects(starts_at=at(10), ends_at=at(70)) == [
        planned.Effect("b", at(69), 59),
        planned.Effect("c", at(10), None),
    ]
