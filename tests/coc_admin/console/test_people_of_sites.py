"""A person who may see some sites sees only these, and no trace of the others."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.models import Profile
from orders.models import InventoryRecord, Order, Site
from reconciliation.models import (
    AttemptOutcome,
    ConnectionState,
    EntryState,
    Run,
    RunState,
    Scope,
    Trigger,
)
from tests.coc_admin.console import scene
from tests.factories import browser_of


@pytest.fixture
def south(outage: scene.Scene) -> Order:
    """Return a waiting order of the other site, worth 95.00, of a SKU of its own list."""
    site = Site.objects.get(pk="South Shop & Co")
    return scene.place(site, "S-1", items=[("MUG-01", 10)], minutes_ago=20)


def limited(*sites: str, name: str = "lena") -> Client:
    """Return a browser of an operator who sees these sites alone."""
    user = scene.make_user(name, *scene.OPERATOR)
    Profile.objects.create(user=user, every_site=False).sites.set(sites)
    return browser_of(user)


@pytest.fixture
def northerner(outage: scene.Scene) -> Client:
    return limited("NorthShop")


def numbers(answer: Any) -> list[str]:
    return [order.order_no for order, *_ in answer.context["rows"]]


def test_lists_hold_orders_of_ones_own_sites(
    northerner: Client, outage: scene.Scene, south: Order
) -> None:
    answer = northerner.get("/orders/")
    assert len(numbers(answer)) == 6
    assert answer.context["number"] == 6
    page = answer.content.decode()
    assert "S-1" not in page
    assert "South Shop" not in page
    exported = b"".join(northerner.get("/orders/export.csv").streaming_content).decode()
    assert len(exported.splitlines()) == 7
    assert "South Shop" not in exported


def test_home_counts_ones_own_sites(viewer: Client, outage: scene.Scene, south: Order) -> None:
    scene.set_connection(ConnectionState.OFFLINE)
    Site.objects.filter(pk=south.site_id).update(offline_capture=False)
    status = viewer.get("/").context["status"]
    assert (status.waiting.orders, str(status.waiting.value["EUR"])) == (2, "123.5000")
    answer = limited("NorthShop").get("/")
    status = answer.context["status"]
    assert (status.waiting.orders, str(status.waiting.value["EUR"])) == (1, "28.5000")
    page = answer.content.decode()
    assert "South Shop" not in page
    assert "/connection/force-offline/" not in page
    assert "(units: 3, worth 28.50 EUR)" in page


def test_somebody_without_a_site_sees_nothing(outage: scene.Scene, south: Order) -> None:
    client = limited()
    assert client.get("/").context["status"].waiting.orders == 0
    assert numbers(client.get("/orders/")) == []
    assert client.get("/runs/").context["rows"] == []
    assert client.get("/inventory/").context["page"].rows == []
    assert client.get(f"/orders/{outage.waiting.pk}/").status_code == 404
    answer = client.post("/runs/new/", {"reason": "because"})
    assert answer.status_code == 409
    assert Run.objects.count() == 1


def test_a_number_of_another_site_is_searched_like_one_that_does_not_exist(
    northerner: Client, outage: scene.Scene
) -> None:
    # The other site's order has a number that is a SKU here: its existence must not be disclosed.
    foreign = scene.place(Site.objects.get(pk="South Shop & Co"), "MUG-01")
    before = numbers(northerner.get("/orders/?q=MUG-01"))
    Order.objects.filter(pk=foreign.pk).update(order_no="gone")
    assert numbers(northerner.get("/orders/?q=MUG-01")) == before
    assert len(before) == 6
    hidden, missing = northerner.get("/orders/?q=gone"), northerner.get("/orders/?q=none")
    assert hidden.status_code == 200
    words = "gone", "none"
    assert plain(hidden, *words) == plain(missing, *words)


def plain(answer: Any, *words: str) -> str:
    """Return a page without the words looked for and without what is new in each answer.

    Pages that are compared go without the same words: the key of an order may be a number that
    stands elsewhere on both, such as 10.
    """
    page = answer.content.decode()
    for word in words:
        # Not a part of another number, such as a version.
        page = re.sub(rf"(?<![\d.]){re.escape(word)}(?![\d.])", "…", page)
    return "\n".join(line for line in page.splitlines() if "csrf" not in line)


@pytest.mark.parametrize("path", ["/orders/", "/orders/export.csv", "/reports/", "/runs/new/"])
def test_a_site_in_the_address_that_is_not_ones_own_is_none(
    northerner: Client, south: Order, path: str
) -> None:
    foreign = northerner.get(path, {"site": "South Shop & Co"})
    missing = northerner.get(path, {"site": "Nowhere"})
    assert foreign.status_code == missing.status_code
    if not foreign.streaming:
        assert "S-1" not in foreign.content.decode()
        # Links and the form of the columns repeat the address.
        words = "South+Shop+%26+Co", "South Shop &amp; Co", "Nowhere"
        assert plain(foreign, *words) == plain(missing, *words)


def test_remedies_of_another_sites_order_change_nothing(
    northerner: Client, outage: scene.Scene, south: Order
) -> None:
    before = Order.objects.values().get(pk=south.pk)
    for what in ("cancel", "settle", "reopen", "end-review"):
        answer = northerner.post(
            f"/orders/{south.pk}/{what}/", {"reason": "because", "reference": "PO 1"}
        )
        assert answer.status_code == 404
    assert Order.objects.values().get(pk=south.pk) == before


def test_stock_of_a_shared_list_tells_of_ones_own_orders(outage: scene.Scene) -> None:
    east = Site.objects.create(id="EastShop", inventory_list_id="NorthShop-stock", currency="EUR")
    scene.place(east, "E-1", items=[("JUG-03", 7)])
    scene.place(outage.site, "N-1", items=[("JUG-03", 2)])
    jug = InventoryRecord.objects.get(inventory_list="NorthShop-stock", sku="JUG-03")
    answer = limited("NorthShop").get(f"/inventory/{jug.pk}/")
    makeup = answer.context["makeup"]
    assert (makeup.waiting, makeup.waiting_orders) == (2, 1)
    assert [hold.order.order_no for hold in answer.context["holds"].rows] == ["N-1"]
    told = {m.hold and m.hold.order.order_no for m in answer.context["movements"].rows}
    assert told == {None, "N-1"}
    assert "E-1" not in answer.content.decode()
    lists = limited("South Shop & Co", name="sam").get("/inventory/").context["lists"]
    assert [one.pk for one in lists] == ["South-stock"]


@pytest.fixture
def shared_run(outage: scene.Scene, south: Order) -> Run:
    """Return a run over both sites, short only at the north, with a person's explanation."""
    Run.objects.filter(pk=outage.run.pk).update(
        trigger=Trigger.PERSON, actor="mia", reason="for the south"
    )
    scene.answer(outage.run, south, 10, outcome=AttemptOutcome.COMPLETE)
    return Run.objects.get(pk=outage.run.pk)


def test_a_run_over_several_sites_is_counted_over_ones_own(
    viewer: Client, shared_run: Run, south: Order
) -> None:
    (_run, counts), *_ = viewer.get("/runs/").context["rows"]
    assert counts[EntryState.COMPLETE] == 2
    client = limited("South Shop & Co")
    for path in ("/runs/", "/"):
        answer = client.get(path)
        (run, counts), *_ = answer.context["rows" if path == "/runs/" else "runs"]
        assert counts == {EntryState.COMPLETE: 1}
        # It was short elsewhere, which must not be shown here.
        assert run.state == RunState.COMPLETED
        assert "mia" not in answer.content.decode()
    answer = client.get(f"/runs/{shared_run.pk}/")
    assert [entry.order_id for entry, _ in answer.context["entries"]] == [south.pk]
    assert (answer.context["faults"], answer.context["progress"].total) == ([], 1)
    page = answer.content.decode()
    assert "mia" not in page
    assert "for the south" not in page
    assert Run.objects.get(pk=shared_run.pk).state == RunState.SHORTAGES


def test_a_run_with_nothing_of_theirs_is_not_there(outage: scene.Scene) -> None:
    client = limited("South Shop & Co")
    assert client.get("/runs/").context["rows"] == []
    assert client.get("/").context["runs"] == []
    assert client.get(f"/runs/{outage.run.pk}/").status_code == 404
    answer = client.get(f"/runs/new/?scope=run_failures&run={outage.run.pk}")
    missing = client.get("/runs/new/?scope=run_failures&run=987654")
    assert (answer.status_code, missing.status_code) == (400, 400)
    assert answer.context["form"].errors == missing.context["form"].errors


def test_everything_waiting_is_what_waits_at_ones_own_sites(
    northerner: Client, outage: scene.Scene, south: Order
) -> None:
    would = northerner.get("/runs/new/").context["would"]
    assert [row.order.pk for row in would.rows] == [outage.waiting.pk]
    assert (would.orders, would.units) == (1, 3)
    northerner.post("/runs/new/", {"reason": "new delivery", "site": ""})
    run = Run.objects.latest("pk")
    assert run.scope_data == {"site": "NorthShop"}
    assert northerner.get(f"/runs/{run.pk}/").status_code == 200
    assert limited("South Shop & Co", name="sam").get(f"/runs/{run.pk}/").status_code == 404


def test_somebody_of_two_sites_reruns_both(outage: scene.Scene, south: Order) -> None:
    third = scene.make_shop("Third")
    scene.place(third, "T-1")
    client = limited("NorthShop", "South Shop & Co")
    client.post("/runs/new/", {"reason": "new delivery"})
    run = Run.objects.latest("pk")
    assert run.scope_data == {"sites": ["NorthShop", "South Shop & Co"]}
    assert client.get(f"/runs/{run.pk}/").status_code == 200


def test_earlier_orders_of_other_sites_go_along_unseen(outage: scene.Scene) -> None:
    """A narrower rerun includes them (promise 4); others who may not see them do not learn it."""
    east = Site.objects.create(id="EastShop", inventory_list_id="NorthShop-stock", currency="EUR")
    scene.place(east, "E-0", items=[("JUG-03", 7)], minutes_ago=50)
    scene.place(outage.site, "N-1", items=[("JUG-03", 2)], minutes_ago=5)
    answer = limited("NorthShop").get("/runs/new/?scope=sku&sku=JUG-03")
    would = answer.context["would"]
    assert [row.order.order_no for row in would.rows] == ["N-1"]
    assert (would.orders, would.units, would.value) == (1, 2, {"EUR": 19})
    assert "E-0" not in answer.content.decode()


def test_chosen_orders_of_another_site_are_none(northerner: Client, south: Order) -> None:
    answer = northerner.get(f"/runs/new/?scope=orders&order={south.pk}")
    missing = northerner.get("/runs/new/?scope=orders&order=987654")
    assert answer.status_code == missing.status_code == 200
    words = str(south.pk), "987654"
    assert plain(answer, *words) == plain(missing, *words)
    answer = northerner.post(
        "/runs/new/", {"scope": "orders", "order": south.pk, "reason": "because"}
    )
    assert answer.status_code == 409
    assert Run.objects.count() == 1


def test_a_run_of_others_under_way_is_not_led_to(northerner: Client, south: Order) -> None:
    active = Run.objects.create(
        trigger=Trigger.PERSON,
        actor="sam",
        scope=Scope.MISSING,
        scope_data={"site": "South Shop & Co"},
        state=RunState.RUNNING,
        created_at=scene.NOW,
    )
    page = northerner.get("/runs/new/").content.decode()
    assert f"/runs/{active.pk}/" not in page
    assert "A reconciliation is already running" in page
    answer = northerner.post("/runs/new/", {"reason": "because"})
    assert answer.status_code == 409
    assert f"/runs/{active.pk}/" not in answer.content.decode()


def test_forcing_offline_is_for_those_who_see_every_site(
    northerner: Client, operator: Client
) -> None:
    for path in ("/connection/force-offline/", "/connection/release/"):
        assert northerner.post(path, {"reason": "because"}).status_code == 403
        assert operator.get(path).status_code == 200


def test_outages_count_ones_own_sites(outage: scene.Scene, south: Order) -> None:
    made = scene.make_outage(outage.run)
    client = limited("South Shop & Co")
    ((_, counts),) = client.get("/outages/").context["rows"]
    assert (counts.captured, counts.oversold) == (1, 0)
    answer = client.get(f"/outages/{made.pk}/")
    assert (answer.context["figures"].orders, answer.context["runs"]) == (1, [])
    page = answer.content.decode()
    assert "NorthShop" not in page
    assert "Captured offline: 1 order, 10 units" in answer.context["text"]


def test_the_back_office_is_not_offered(northerner: Client) -> None:
    User.objects.filter(username="lena").update(is_superuser=True)
    assert "/admin/" not in northerner.get("/").content.decode()
    assert northerner.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
