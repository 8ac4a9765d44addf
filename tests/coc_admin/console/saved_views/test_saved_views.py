"""Saved views: their content, how they open, and that they belong to one person."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client

from coc_admin import saved_views
from coc_admin.edits import ChangeRefused
from coc_admin.models import Profile, SavedView
from orders.models import InventoryRecord, OrderItem
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import Scene
from tests.factories import browser_of


def vera() -> User:
    return User.objects.get(username="vera")


def post(client: Client, act: str, **values: object) -> Any:
    return client.post("/views/", {"act": act, **values})


def add(client: Client, name: str, *, query: str = "", listing: str = "desk") -> Any:
    return post(client, "add", name=name, query=query, listing=listing)


def words(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def keep(name: str, query: str = "", listing: str = "desk") -> SavedView:
    return saved_views.add(actor=vera(), listing=listing, name=name, query=query)


KEPT = {
    (
        "desk",
        "sku=MUG-01&sort=highest&cursor=x&order=7&of=3&view=9&site=",
    ): "sku=MUG-01&sort=highest",
    ("desk", "evil=1&assignee=me"): "assignee=me",
    ("desk_skus", "sort=most"): "sort=most",
    ("orders", "state=waiting&value_from=5&customer=ada&sort=lowest"): (
        "state=waiting&value_from=5&sort=lowest"
    ),
    ("orders", "q=ada%40example.com"): "",
    ("orders", "q=MUG-01"): "q=MUG-01",
    ("desk", "col=note&sort=highest&col=value&col=evil"): "col=value&col=note&sort=highest",
    ("orders", "col=export&col=site"): "col=site&col=export",
}


@pytest.mark.parametrize(("listing", "query"), KEPT)
def test_a_view_keeps_filter_and_sort_but_no_customer(
    viewer: Client, outage: Scene, listing: str, query: str
) -> None:
    answer = add(viewer, " My  list ", query=query, listing=listing)
    view = SavedView.objects.get()
    kept = KEPT[listing, query]
    assert (view.name, view.listing, view.query, view.user) == ("My list", listing, kept, vera())
    page = {"desk": "/desk/", "desk_skus": "/desk/skus/", "orders": "/orders/"}[listing]
    assert answer["Location"] == f"{page}?{kept}{'&' if kept else ''}view={view.pk}"
    opened = viewer.get(answer["Location"])
    assert opened.context["saved"].current == view
    assert opened.context["saved"].gone == []
    assert not opened.context["saved"].is_changed
    is_cut = "customer" in query or "ada" in query
    assert ("Views do not store customer data" in words(opened)) == is_cut


def test_the_open_view_shows_its_count_and_takes_changes(viewer: Client, outage: Scene) -> None:
    view = keep("Partly", "short=part")
    page = words(viewer.get(f"/desk/?short=part&view={view.pk}"))
    assert '<span class="wrap">Partly</span> <span class="text-secondary">1</span>' in page
    assert "Save the changes to this view" not in page
    changed = f"short=nothing&view={view.pk}"
    assert "Save the changes to this view" in words(viewer.get(f"/desk/?{changed}"))
    answer = post(viewer, "replace", key=view.pk, query=changed)
    assert answer["Location"] == f"/desk/?short=nothing&view={view.pk}"
    view.refresh_from_db()
    assert (view.name, view.query) == ("Partly", "short=nothing")


def test_the_twenty_first_view_and_a_taken_name_are_refused(viewer: Client, db: None) -> None:
    for number in range(SavedView.MOST - 1):
        keep(f"N{number}")
    answer = add(viewer, "N3", query="short=part")
    assert answer.status_code == 409
    assert "You already have a view “N3” of this list." in words(answer)
    assert 'value="short=part"' in words(answer)
    assert add(viewer, "N3", listing="orders").status_code == 302
    answer = add(viewer, "One more")
    assert answer.status_code == 409
    assert "You have 20 views, which is the limit." in words(answer)
    assert SavedView.objects.count() == SavedView.MOST
    assert post(viewer, "delete", key=SavedView.objects.get(name="N5").pk).status_code == 302
    assert add(viewer, "One more").status_code == 302


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\0b"])
def test_a_name_that_is_none_is_refused(viewer: Client, db: None, name: str) -> None:
    assert add(viewer, name).status_code == 400
    assert not SavedView.objects.exists()


def test_nonsense_is_refused(viewer: Client, db: None) -> None:
    assert add(viewer, "x", listing="nonsense").status_code == 400
    assert add(viewer, "x", listing="").status_code == 404
    assert add(viewer, "x", query="sku=" + "%C3%BC" * 250).status_code == 409
    for act in ("rename", "replace", "first", "usual", "delete"):
        assert post(viewer, act, key=999, name="x").status_code == 404
    assert post(viewer, "explode", key=1).status_code == 400


def test_a_view_is_renamed_made_first_and_deleted(viewer: Client, outage: Scene) -> None:
    one, two = keep("One", "short=part"), keep("Two", "sort=highest")
    assert viewer.get("/desk/?view=first")["Location"] == "/desk/"
    for view in (one, two):
        post(viewer, "first", key=view.pk)
        assert viewer.get("/desk/?view=first")["Location"].endswith(f"view={view.pk}")
    assert [v.name for v in SavedView.objects.filter(is_first=True)] == ["Two"]
    assert viewer.get("/orders/?view=first")["Location"] == "/orders/"
    assert viewer.get("/desk/").status_code == 200
    assert viewer.get("/desk/?view=first&sku=x").status_code == 200
    assert 'href="/desk/?view=first"' in words(viewer.get("/"))
    post(viewer, "usual", key=two.pk)
    assert not SavedView.objects.filter(is_first=True).exists()

    answer = post(viewer, "rename", key=one.pk, name="Two")
    assert answer.status_code == 409
    assert post(viewer, "rename", key=one.pk, name="Three").status_code == 302
    post(viewer, "delete", key=two.pk)
    assert [view.name for view in SavedView.objects.all()] == ["Three"]


def test_views_are_of_one_person_and_go_with_them(viewer: Client, outage: Scene) -> None:
    mine = keep("Mine", "short=part")
    scene.make_user("mia", *scene.MERCHANDISER)
    other = browser_of(User.objects.get(username="mia"))
    for act in ("rename", "replace", "first", "usual", "delete"):
        assert post(other, act, key=mine.pk, name="x").status_code == 404
    opened = other.get(f"/desk/?short=part&view={mine.pk}")
    assert opened.status_code == 200
    assert opened.context["saved"].current is None
    assert "Mine" not in words(opened)
    assert "Mine" not in words(other.get("/views/"))
    assert add(other, "Mine").status_code == 302
    vera().delete()
    assert [view.user.username for view in SavedView.objects.all()] == ["mia"]


def test_a_view_of_what_is_gone_opens_and_says_so(viewer: Client, outage: Scene) -> None:
    made, otto = scene.make_outage(minutes_ago=58), scene.make_user("otto", *scene.OPERATOR)
    query = f"site=NorthShop&sku=JUG-03&assignee={otto.pk}"
    view = keep("All of it", query)
    there = viewer.get(f"/desk/?{query}&outage={made.pk}&view={view.pk}")
    assert there.context["saved"].gone == []
    query += f"&outage={made.pk + 1}"
    address = f"/desk/?{query}&view={view.pk}"
    Profile.objects.create(user=vera(), every_site=False).sites.set(["South Shop & Co"])
    OrderItem.objects.filter(sku="JUG-03").update(sku="JUG-04")
    InventoryRecord.objects.filter(sku="JUG-03").update(sku="JUG-04")
    otto.delete()
    answer = viewer.get(address)
    assert answer.status_code == 200
    assert answer.context["saved"].gone == [
        "Site NorthShop no longer exists, or you do not have access to it. All your sites are"
        " shown.",
        f"Outage {made.pk + 1} no longer exists.",
        "The assignee of this view no longer exists.",
        "No product has the SKU JUG-03 any more.",
    ]
    assert "This view refers to something that no longer exists." in words(answer)
    assert "is gone" not in words(viewer.get(f"/desk/?{query}"))


def test_the_table_itself_holds_the_bounds(outage: Scene, viewer: Client) -> None:
    keep("One")
    saved_views.make_first(actor=vera(), key=SavedView.objects.get().pk)
    common: dict[str, Any] = {"user": vera(), "listing": "desk"}
    for wrong in (
        {"name": "One", "place": 2},
        {"name": "Two", "place": 1},
        {"name": "Two", "place": 21},
        {"name": "Two", "place": 0},
        {"name": "Two", "place": 2, "is_first": True},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            SavedView.objects.create(**common, **wrong)
    with pytest.raises(ChangeRefused):
        keep("One")
