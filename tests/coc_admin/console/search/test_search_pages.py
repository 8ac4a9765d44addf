"""The search: grouped answers, numbers that were pasted, and nothing of another site."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from coc_admin.models import Profile
from orders import privacy
from orders.actors import person
from orders.models import Order, Site
from tests.coc_admin.console import scene
from tests.factories import browser_of


def groups(answer: Any) -> dict[str, list[str]]:
    return {
        group.name: [hit.label for hit in group.hits] for group in answer.context["answer"].groups
    }


def signed_in(name: str, *permissions: str, sites: tuple[str, ...] | None = None) -> Client:
    user = scene.make_user(name, *permissions)
    if sites is not None:
        Profile.objects.create(user=user, every_site=False).sites.set(sites)
    return browser_of(user)


def administrator() -> Client:
    user = scene.make_user("anna")
    user.groups.set(Group.objects.all())
    return browser_of(user)


def test_a_fragment_is_answered_in_groups(viewer: Client, outage: scene.Scene) -> None:
    Order.objects.filter(pk=outage.partial.pk).update(
        customer={"customerName": "Theo Lindner", "email": "theo@lindner.test"}
    )
    answer = viewer.get("/search/?q=lindn")
    found = groups(answer)
    assert found == {"orders": [outage.partial.order_no], "customers": ["Theo Lindner"]}
    page = answer.content.decode()
    assert f'href="/orders/{outage.partial.pk}/" data-hit' in page
    assert 'href="/orders/?customer=theo%40lindner.test" data-hit' in page
    assert "theo@lindner.test · 1 order<" in page
    assert groups(viewer.get("/live/search/?q=lindn")) == found
    assert b"<html" not in viewer.get("/live/search/?q=lindn").content


def test_skus_runs_outages_pages_and_actions_are_found(
    viewer: Client, operator: Client, outage: scene.Scene
) -> None:
    assert groups(viewer.get("/search/?q=mug"))["skus"][0] == "MUG-01"
    run = outage.run.pk
    assert groups(viewer.get(f"/search/?q=run+{run}"))["runs"] == [f"Run {run}"]
    assert "runs" not in groups(viewer.get("/search/?q=run+999999999999999999999"))
    assert groups(viewer.get("/search/?q=desk"))["pages"] == ["Oversold desk"]
    assert "actions" not in groups(viewer.get("/search/?q=force"))
    assert groups(operator.get("/search/?q=force"))["actions"] == ["Force offline"]
    assert list(groups(viewer.get("/search/"))) == ["pages"]


def test_only_who_manages_people_finds_them(viewer: Client, outage: scene.Scene) -> None:
    assert "people" not in groups(viewer.get("/search/?q=vera"))
    assert groups(administrator().get("/search/?q=vera"))["people"] == ["vera"]


def test_a_whole_number_opens_its_order(viewer: Client, outage: scene.Scene) -> None:
    answer = viewer.get(f"/search/?q={outage.partial.order_no}")
    assert answer.status_code == 302
    assert answer["Location"] == f"/orders/{outage.partial.pk}/"
    Order.objects.filter(pk=outage.waiting.pk).update(
        site=Site.objects.get(pk="South Shop & Co"), order_no=outage.partial.order_no
    )
    both = groups(viewer.get(f"/search/?q={outage.partial.order_no}"))["orders"]
    assert both == [outage.partial.order_no] * 2


@pytest.mark.parametrize("address", ["/search/", "/live/search/"])
def test_nothing_of_another_site_is_found(outage: scene.Scene, address: str) -> None:
    foreign = scene.place(Site.objects.get(pk="South Shop & Co"), "ZEBRA-77")
    Order.objects.filter(pk=foreign.pk).update(
        customer={"customerName": "Zora Quint", "email": "zora@quint.test"}
    )
    own = signed_in("noor", *scene.VIEWER, sites=("NorthShop",))
    theirs = signed_in("suna", *scene.VIEWER, sites=("South Shop & Co",))
    for text in ("ZEBRA-77", "ebra", "quint", "zora@", "South-stock"):
        answer = own.get(address, {"q": text})
        assert answer.status_code == 200
        assert groups(answer) == {}, text
        assert b"Zora" not in answer.content
    assert groups(theirs.get(address, {"q": "quint"}))["orders"] == ["ZEBRA-77"]
    pasted = own.get("/search/", {"q": "ZEBRA-77 0000012342"}).context["pasted"]
    assert ([order.order_no for order in pasted.orders], pasted.missing) == (
        ["0000012342"],
        ["ZEBRA-77"],
    )
    nobody = signed_in("nele", *scene.VIEWER, sites=())
    assert groups(nobody.get(address, {"q": "stoneware"})) == {}


def test_an_erased_customer_is_not_found(viewer: Client, outage: scene.Scene) -> None:
    assert "customers" in groups(viewer.get("/search/?q=ada+reed"))
    everyone = Order.objects.values_list("pk", flat=True)
    privacy.erase(order_ids=everyone, actor=person("pia"), reason="asked for", now=scene.NOW)
    assert groups(viewer.get("/search/?q=ada+reed")) == {}


def test_more_than_are_shown_lead_to_the_filtered_list(viewer: Client, outage: scene.Scene) -> None:
    site = Site.objects.get(pk="NorthShop")
    for number in range(9):
        scene.place(site, f"MANY-{number}", items=[("MUG-01", 1)])
    page = viewer.get("/search/?q=many-").content.decode()
    assert 'href="/orders/?q=many-" data-hit' in page
    rows = viewer.get("/orders/?q=many-").context["rows"]
    assert len(rows) == 9


def test_pasted_numbers_are_found_or_not_and_can_be_chosen(
    viewer: Client, outage: scene.Scene
) -> None:
    orders = [outage.partial, outage.waiting]
    text = f"{orders[0].order_no},\n{orders[1].order_no};  000-nothing"
    answer = viewer.get("/search/", {"q": text})
    pasted = answer.context["pasted"]
    assert (pasted.orders, pasted.missing, pasted.left_out) == (orders, ["000-nothing"], 0)
    assert "2 found, 1 not" in answer.content.decode()
    assert b"2 found, 1 not" in viewer.get("/live/search/", {"q": text}).content
    keys = [order.pk for order in orders]
    chosen = viewer.post(
        _choose(answer),
        {"do": "keep", "shown": keys, "order": keys},
        follow=True,
    )
    assert "2 orders chosen" in " ".join(chosen.content.decode().split())
    words = viewer.get("/search/", {"q": "none such", "numbers": "1"}).context["pasted"]
    assert words.missing == ["none", "such"]
    many = viewer.get("/search/", {"q": " ".join(f"x{n}" for n in range(210))})
    assert many.context["pasted"].left_out == 10


def _choose(answer: Any) -> str:
    page = answer.content.decode()
    return str(page.split('<form method="post" action="')[-1].split('"')[0])


def test_the_number_of_queries_is_bounded(
    viewer: Client, outage: scene.Scene, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(24):
        viewer.get("/live/search/?q=ada")
    with django_assert_max_num_queries(24):
        viewer.get("/search/?q=0000012342+0000012343")
