"""Shortages after several runs and reruns: one number, wherever somebody reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest
from django.test import Client

from coc_admin.models import Profile
from orders.models import Order, Site
from orders.settlement import settle_outside
from reconciliation.alerts.channels import outbox
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.models import Alert, Channel, ChannelKind, Delivery, Priority, Scope
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.console import scene
from tests.engine import MIA, Engine
from tests.factories import browser_of

pytestmark = pytest.mark.django_db


def client_of(name: str, *sites: str) -> Client:
    """Return a browser of somebody who sees these sites, or every one."""
    user = scene.make_user(name, *scene.OPERATOR)
    Profile.objects.create(user=user, every_site=not sites).sites.set(sites)
    return browser_of(user)


def counted(messages: Iterable[str]) -> int:
    """Add up what alerts say of shortages."""
    found = re.findall(r"(\d+) orders? (?:is|are) oversold", "\n".join(messages))
    return sum(int(number) for number in found)


def numbers_of_pages(client: Client) -> dict[str, int]:
    home = client.get("/")
    inbox = client.get("/alerts/?descriptor=reconciliation_shortages")
    return {
        "home": home.context["status"].oversold,
        "home alerts": counted(alert.message for alert in home.context["alerts"]),
        "desk": client.get("/desk/").context["number"],
        "orders": client.get("/orders/?state=oversold").context["number"],
        "inbox": counted(alert.message for alert in inbox.context["page"].rows),
        "alert pages": sum(
            counted([client.get(f"/alerts/{alert.pk}/").context["alert"].message])
            for alert in inbox.context["page"].rows
        ),
    }


class Readers:
    """People and tokens of every site and of one, and a channel of each."""

    def __init__(self, sites: list[Site]) -> None:
        self.every = client_of("vera")
        self.of_site = {site.pk: client_of(f"p-{site.pk}", site.pk) for site in sites}
        self.apis = {site.pk: api_for(site) for site in sites}
        self.channels = {}
        for site in sites:
            channel = Channel.objects.create(
                name=site.pk,
                kind=ChannelKind.WEBHOOK,
                target="https://hooks.example.com/x",
                least_priority=Priority.INFO,
                every_site=False,
            )
            channel.sites.set([site])
            self.channels[site.pk] = channel

    def numbers(self, engine: Engine) -> dict[str, set[int]]:
        """Return all numbers that are read, by site; more than one of a site is a fault."""
        refresh_alerts(engine.clock(), watching_since=engine.clock())
        Delivery.objects.all().delete()
        outbox.write_due(engine.clock())
        read = {"": set(numbers_of_pages(self.every).values())}
        for pk, client in self.of_site.items():
            api = self.apis[pk]
            told = Delivery.objects.filter(channel=self.channels[pk])
            read[pk] = {
                *numbers_of_pages(client).values(),
                api.get("status").json()["oversold"],
                counted(row["message"] for row in api.get("alerts").json()["alerts"]),
                counted(one.content["message"] for one in told),
            }
        metrics = self.every.get("/metrics").content.decode()
        found = re.search(r"^coc_orders_oversold (\S+)$", metrics, re.MULTILINE)
        read[""].add(int(float(found[1] if found else "-1")))
        return read


def test_each_order_counts_once_however_often_it_was_run_again(
    engine: Engine, settings: Any
) -> None:
    north = engine.site({"MUG": 50}, "north")
    south = engine.site({"MUG": 50}, "south")
    readers = Readers([north, south])
    first = [engine.capture(north, f"N{number}", [("MUG", 2)]) for number in range(6)]
    engine.capture(south, "S0", [("MUG", 2)])
    engine.at_oci({"MUG": 3})
    engine.reconcile()
    # The first order got two, the second one of two: five short in the north, one in the south.
    assert readers.numbers(engine) == {"": {6}, "north": {5}, "south": {1}}

    # A second outage, and its run.
    engine.capture(north, "N6", [("MUG", 2)])
    engine.capture(south, "S1", [("MUG", 2)])
    engine.reconcile()
    assert readers.numbers(engine) == {"": {8}, "north": {6}, "south": {2}}

    # Everything again, with stock for one order more: the one alert is about the later run.
    engine.at_oci({"MUG": 4})
    rerun = engine.reconcile(Scope.OVERSOLD)
    assert readers.numbers(engine) == {"": {7}, "north": {5}, "south": {2}}
    still = Alert.objects.get(state="open", descriptor="reconciliation_shortages")
    assert (still.context, still.data["run"]) == ("", rerun.pk)

    # Some again: they count for the last run alone.
    some = [first[2].pk, first[3].pk]
    engine.reconcile(Scope.ORDERS, orders=some)
    assert readers.numbers(engine) == {"": {7}, "north": {5}, "south": {2}}

    # One is settled outside, and one site's failures are run again.
    settle_outside(
        order_id=first[2].pk, reference="PO 7", actor=MIA, reason="Bought.", now=engine.clock()
    )
    assert readers.numbers(engine) == {"": {6}, "north": {4}, "south": {2}}
    engine.reconcile(Scope.OVERSOLD, site="south")
    assert readers.numbers(engine) == {"": {6}, "north": {4}, "south": {2}}
    engine.at_oci({"MUG": 50})
    engine.reconcile(Scope.OVERSOLD)
    assert readers.numbers(engine) == {"": {0}, "north": {0}, "south": {0}}
    assert not Order.objects.oversold().exists()
