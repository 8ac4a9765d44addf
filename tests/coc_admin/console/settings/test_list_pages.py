"""Inventory lists: looked at, changed, made."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.test import Client

from coc_admin.console.settings.list_views import records_at_floor
from coc_admin.models import AuditEntry
from orders.models import InventoryList, Site
from tests import factories
from tests.coc_admin.console import scene
from tests.coc_admin.console.settings.conftest import SignIn
from tests.coc_admin.console.settings.inputs import inputs_of

PAGE = "/settings/lists/edit/NorthShop-stock/"


def test_list_of_lists_counts_skus_and_names_sites(
    operator: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        scene.make_shop(f"Shop{number}")
    operator.get("/settings/lists/")
    with django_assert_max_num_queries(14):
        answer = operator.get("/settings/lists/")
    rows = {list_.pk: (skus, sites) for list_, skus, sites in answer.context["rows"]}
    assert len(rows) == 6
    assert rows["NorthShop-stock"] == (3, ["NorthShop"])


def test_floors_are_changed_and_noted(operator: Client, site: Site) -> None:
    sent = inputs_of(operator.get(PAGE)) | {
        "offline_floor_units": "2.5",
        "offline_floor_percent": "50",
    }
    assert operator.post(PAGE, sent).status_code == 302
    list_ = InventoryList.objects.get(pk="NorthShop-stock")
    assert (list_.offline_floor_units, list_.offline_floor_percent) == (Decimal("2.5"), 50)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("list.changed", "list:NorthShop-stock")
    assert entry.detail["offline_floor_units"] == {"before": "0", "after": "2.5"}


def test_empty_floors_keep_nothing_back(operator: Client, site: Site) -> None:
    InventoryList.objects.update(offline_floor_units=3, offline_floor_percent=10)
    sent = inputs_of(operator.get(PAGE))
    sent |= {"offline_floor_units": "", "offline_floor_percent": ""}
    assert operator.post(PAGE, sent).status_code == 302
    list_ = InventoryList.objects.get(pk="NorthShop-stock")
    assert (list_.offline_floor_units, list_.offline_floor_percent) == (0, 0)


def test_loser_changes_nothing(operator: Client, site: Site) -> None:
    sent = inputs_of(operator.get(PAGE)) | {"name": "mine"}
    InventoryList.objects.update(offline_floor_percent=7)
    answer = operator.post(PAGE, sent)
    assert answer.status_code == 409
    assert [(c.was, c.now) for c in answer.context["clashes"]] == [("0", "7")]
    list_ = InventoryList.objects.get(pk="NorthShop-stock")
    assert (list_.name, list_.offline_floor_percent) == ("", 7)


def test_other_type_while_orders_wait_needs_to_be_confirmed(operator: Client, site: Site) -> None:
    scene.place(site, "A-1")
    sent = inputs_of(operator.get(PAGE)) | {"list_type": "location"}
    assert operator.post(PAGE, sent).status_code == 409
    assert InventoryList.objects.get(pk="NorthShop-stock").list_type == "group"
    assert operator.post(PAGE, sent | {"confirm": "on"}).status_code == 302
    assert InventoryList.objects.get(pk="NorthShop-stock").list_type == "location"


def test_skus_at_their_floor_are_counted(site: Site) -> None:
    list_ = site.inventory_list
    factories.know_stock({"A": 2, "B": 3, "C": 0}, list_id=list_.pk, safety=4)
    list_.offline_floor_units, list_.offline_floor_percent = Decimal(0), 50
    assert set(records_at_floor(list_).values_list("sku", flat=True)) == {"A", "C"}
    list_.offline_floor_units = Decimal(3)
    assert set(records_at_floor(list_).values_list("sku", flat=True)) == {"A", "B", "C"}


def test_shared_list_is_not_changed_by_those_who_see_some_of_its_sites(
    sign_in: SignIn, site: Site
) -> None:
    Site.objects.create(id="SouthShop", inventory_list=site.inventory_list)
    limited = sign_in("operator", "oda", sites=[site])
    page = limited.get(PAGE)
    assert page.status_code == 200
    assert "SouthShop" not in page.content.decode()
    assert limited.post(PAGE, inputs_of(page) | {"name": "mine"}).status_code == 404
    assert InventoryList.objects.get(pk="NorthShop-stock").name == ""
    scene.make_shop("EastShop")
    assert limited.get("/settings/lists/edit/EastShop-stock/").status_code == 404


def test_administrator_adds_a_list(administrator: Client, operator: Client) -> None:
    new = {"id": "dc-1", "list_type": "location", "name": "Depot"}
    assert operator.post("/settings/lists/new/", new).status_code == 403
    assert not InventoryList.objects.exists()
    assert administrator.post("/settings/lists/new/", new).status_code == 302
    made = InventoryList.objects.get(pk="dc-1")
    assert (made.list_type, made.name, made.offline_floor_units) == ("location", "Depot", 0)
    for wrong in ("dc-1", "x", "a b", "a/b"):
        answer = administrator.post("/settings/lists/new/", new | {"id": wrong})
        assert list(answer.context["form"].errors) == ["id"]
    assert InventoryList.objects.count() == 1
