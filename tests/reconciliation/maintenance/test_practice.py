"""Practice outages: what refuses one, that it ends on time, and when it counts as practised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from orders import reasons
from orders.actors import person
from orders.models import Order, ReservationState, Site
from reconciliation import connection
from reconciliation.alerts import refresh
from reconciliation.alerts.channels import outbox
from reconciliation.maintenance import practice
from reconciliation.maintenance.practice import PracticeRefused, Why
from reconciliation.models import (
    Alert,
    CallHealth,
    Channel,
    Connection,
    ConnectionChange,
    Delivery,
    Outage,
    PlannedOutage,
    StockFeed,
)
from reconciliation.outages import planned
from reconciliation.queue import heartbeats
from tests.factories import capture, know_stock, make_site

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANNA = person("anna")


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
def shop(db: None) -> Site:
    heartbeats.beat(component=heartbeats.MONITOR, now=NOW)
    return make_site(stock={"A": 10}, at=at(-1))


def begin(minutes: int = 10, now: datetime = NOW) -> PlannedOutage:
    return practice.begin(minutes=minutes, actor=ANNA, now=now)


def whys(minutes: int = 10, now: datetime = NOW) -> dict[str, Any]:
    return {one.why: list(one.names) for one in practice.refusals(minutes=minutes, now=now)}


def come_back(minutes: float) -> None:
    """Let OCI answer until nothing waits and the connection is online."""
    for second in range(5):
        connection.note_good_probe(at(minutes) + timedelta(seconds=second))
    assert connection.mark_online_if_drained(at(minutes + 0.5))


def test_practice_begins_at_once_and_ends_on_time(shop: Site) -> None:
    window = begin()
    found = Connection.objects.get()
    assert (found.state, found.forced_by) == ("FORCED_OFFLINE", str(window))
    assert found.reason == "Practice until 12:10 UTC, begun by anna."
    assert (window.entered_at, window.ends_at, window.owner) == (NOW, at(10), "anna")
    planned.keep_times(at(9.9))
    assert practice.running() == window
    planned.keep_times(at(10))
    window.refresh_from_db()
    assert (window.ended_at, Connection.objects.get().state) == (at(10), "OFFLINE")
    come_back(10)
    outage = Outage.objects.get()
    assert (outage.is_practice, outage.is_open) == (True, False)


def test_a_person_ends_it_early_once(shop: Site) -> None:
    begin()
    assert practice.end(actor=ANNA, now=at(2))
    assert not practice.end(actor=ANNA, now=at(3))
    assert PlannedOutage.objects.get().ended_at == at(2)
    assert Connection.objects.get().state == "OFFLINE"


@pytest.mark.parametrize("minutes", [4, 31])
def test_length_is_bounded(shop: Site, minutes: int) -> None:
    assert whys(minutes) == {Why.LENGTH: []}
    assert whys(5) == whys(30) == {}


def test_each_reason_refuses_and_nothing_is_written(shop: Site) -> None:
    assert whys() == {}
    Site.objects.update(offline_capture=False)
    assert whys() == {Why.CAPTURE_OFF: ["shop"]}
    Site.objects.update(offline_capture=True, cap_offline_minutes=10)
    assert whys() == {Why.LIMIT: ["shop"]}
    assert whys(9) == {}
    Site.objects.update(cap_offline_minutes=None)
    make_site("other", list_id="empty")
    assert whys() == {Why.NO_STOCK: ["other"]}
    know_stock({"B": 1}, list_id="empty", at=at(-1))
    StockFeed.objects.create(pk="empty", records=1, p95_at=at(-120))
    assert whys() == {Why.OLD_STOCK: ["empty"]}
    StockFeed.objects.all().delete()
    assert whys(now=at(1)) == {Why.MONITOR: []}
    planned.plan(starts_at=at(8), ends_at=at(20), owner="Ops", note="Up", actor=ANNA, now=NOW)
    assert whys() == {Why.WINDOW: []}
    with pytest.raises(PracticeRefused) as refused:
        begin()
    assert [one.why for one in refused.value.refusals] == [Why.WINDOW]
    assert not PlannedOutage.objects.filter(is_practice=True).exists()
    assert Connection.objects.get().state == "ONLINE"
    assert whys(7) == {}


def test_real_outage_refuses(shop: Site) -> None:
    connection.force_offline(actor=ANNA, reason="Trouble", now=NOW)
    assert whys() == {Why.OUTAGE: []}
    Site.objects.all().delete()
    assert whys() == {Why.OUTAGE: [], Why.NO_SITE: []}


def test_second_practice_is_refused(shop: Site) -> None:
    begin()
    assert whys() == {Why.OUTAGE: [], Why.WINDOW: []}


def test_practice_after_which_oci_is_away_becomes_a_real_outage(shop: Site) -> None:
    begin()
    planned.keep_times(at(10))
    assert Outage.objects.get().is_practice
    CallHealth.objects.update_or_create(
        pk="read",
        defaults={"unanswered": 20, "failures": 20, "unanswered_since": at(10)},
    )
    Connection.objects.update(last_good_at=NOW)
    assert not connection.lose_if_unanswered(at(12))
    outage = Outage.objects.get()
    assert (outage.is_practice, outage.cause) == (False, "unreachable")
    assert practice.practised() == practice.Practised(False, False, False)


def test_forcing_it_again_before_it_is_over_makes_it_real(shop: Site) -> None:
    begin()
    practice.end(actor=ANNA, now=at(1))
    connection.force_offline(actor=ANNA, reason="Wrong stock.", now=at(2))
    outage = Outage.objects.get()
    assert (outage.is_practice, outage.reason) == (False, "Wrong stock.")


def test_practised_once_an_order_was_captured_and_reconciled(shop: Site) -> None:
    assert practice.practised() == practice.Practised(False, False, False)
    begin()
    assert practice.practised() == practice.Practised(True, False, False)
    practice.end(actor=ANNA, now=at(1))
    come_back(1)
    assert practice.practised() == practice.Practised(False, False, True)
    heartbeats.beat(component=heartbeats.MONITOR, now=at(20))
    begin(now=at(20))
    order = capture(shop, "1", [("A", 1)], at=at(21))
    assert order.captured_offline
    planned.keep_times(at(30))
    assert practice.practised() == practice.Practised(True, False, True)
    Order.objects.update(reservation_state=ReservationState.COMPLETE)
    come_back(30)
    assert practice.practised() == practice.Practised(False, True, False)


def told() -> list[str]:
    outbox.write_due(NOW)
    return sorted(
        Delivery.objects.values_list("alert__descriptor", flat=True).order_by("alert__descriptor")
    )


def test_nobody_is_notified_of_a_practice_unless_orders_are_refused(shop: Site) -> None:
    Channel.objects.create(
        name="mail", kind="email", target="a@example.test", least_priority="INFO"
    )
    begin()
    refresh.refresh_alerts(at(1), watching_since=at(1))
    alert = Alert.objects.get(descriptor="oci_offline")
    assert alert.message == (
        "Practice: Omnichannel Inventory was taken offline on purpose at 1 Mar 2026, 12:00"
        " UTC. No order is waiting."
    )
    assert told() == []
    # What happens to real orders needs a person, and says that a practice is the cause.
    Site.objects.update(offline_capture=False)
    refresh.refresh_alerts(at(2), watching_since=at(2))
    assert told() == ["orders_refused"]
    refused = Alert.objects.get(descriptor="orders_refused")
    assert refused.message.startswith("Practice: shop has refused orders")
    # A real outage that follows is told at once.
    practice.end(actor=ANNA, now=at(2))
    connection.force_offline(actor=ANNA, reason="Wrong stock.", now=at(3))
    refresh.refresh_alerts(at(3), watching_since=at(3))
    alert.refresh_from_db()
    assert alert.message.startswith("anna took Omnichannel Inventory offline")
    assert told() == ["oci_offline", "orders_refused"]


@pytest.mark.parametrize("early", [True, False])
def test_reason_is_read_in_the_reader_s_language(shop: Site, early: bool) -> None:
    begin()
    if early:
        practice.end(actor=ANNA, now=at(1))
    planned.keep_times(at(10))
    with translation.override("de"):
        words = [
            reasons.read(change.reason, change.reason_codes)
            for change in ConnectionChange.objects.order_by("pk")
        ]
    assert words == ["Übung bis 12:10 UTC, begonnen von anna.", "Übung beendet."]
