"""The back office: what can be done there, and what cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from coc_admin.accounts import tokens
from coc_admin.accounts.roles import make_roles
from coc_admin.models import ApiToken, AuditEntry
from orders.models import InventoryList, Site
from tests.coc_admin.console import scene

pytestmark = pytest.mark.django_db

BACKEND = "django.contrib.auth.backends.ModelBackend"
SITE = {
    "name": "The shop",
    "inventory_list": "NorthShop-stock",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
    "offline_capture": "on",
    "unknown_sku_policy": "refuse",
    "cap_units_per_order": "",
    "cap_total_value": "",
    "cap_offline_minutes": "",
}


def staff(role: str) -> Client:
    make_roles(apps)
    user = User.objects.create_user(role, password="a long password", is_staff=True)
    user.groups.set([Group.objects.get(name=role)])
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


@pytest.fixture
def site() -> Site:
    return scene.make_shop()


@pytest.fixture
def administrator() -> Client:
    return staff("administrator")


@pytest.fixture
def operator() -> Client:
    return staff("operator")


@pytest.fixture
def superuser() -> Iterator[Client]:
    client = Client()
    root = User.objects.create_superuser("root", password="a long password")
    client.force_login(root, backend=BACKEND)
    return client


def test_only_these_are_in_the_back_office(client: Client) -> None:
    client.get("/healthz")  # the URLs are read by the first request
    found = {f"{m._meta.app_label}.{m._meta.model_name}" for m in admin.site._registry}
    assert found == {
        "auth.group",
        "auth.user",
        "coc_admin.apitoken",
        "orders.inventorylist",
        "orders.site",
    }


class TestTokens:
    NEW = {"name": "storefront", "scopes": ["orders:write", "orders:read"]}

    def test_a_new_token_is_shown_once(self, site: Site, administrator: Client) -> None:
        answer = administrator.post("/admin/coc_admin/apitoken/add/", {**self.NEW, "site": site.pk})

        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        shown = re.findall(rb"coc_[A-Za-z0-9_-]{43}", answer.content)
        assert len(shown) == 1
        token = shown[0].decode()
        found = tokens.authenticate(f"Bearer {token}", now=timezone.now())
        assert found is not None
        assert (found.name, found.site, found.scopes) == (
            "storefront",
            site,
            ["orders:read", "orders:write"],
        )
        for path in ("", f"{found.pk}/change/", f"{found.pk}/history/"):
            page = administrator.get(f"/admin/coc_admin/apitoken/{path}")
            assert page.status_code == 200
            assert token.encode() not in page.content
            assert found.token_hash.encode() not in page.content
            assert b"storefront" in page.content

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"scopes": []}, b"This field is required"),
            ({"scopes": ["everything"]}, b"is not one of the available choices"),
            ({"name": "taken"}, b"already"),
            ({"name": ""}, b"This field is required"),
            ({"site": "nowhere"}, b"not one of the available choices"),
        ],
    )
    def test_what_makes_no_sense_is_not_made(
        self, site: Site, administrator: Client, change: dict[str, Any], why: bytes
    ) -> None:
        tokens.make(name="taken", site=site, scopes=["orders:read"])

        answer = administrator.post(
            "/admin/coc_admin/apitoken/add/", {**self.NEW, "site": site.pk, **change}
        )

        assert answer.status_code == 200
        assert why in answer.content
        assert not re.search(rb"coc_[A-Za-z0-9_-]{43}", answer.content)
        assert ApiToken.objects.count() == 1

    def test_one_that_exists_is_never_changed(self, site: Site, administrator: Client) -> None:
        tokens.make(name="a", site=site, scopes=["orders:read"])
        before = ApiToken.objects.values().get()

        administrator.post(
            f"/admin/coc_admin/apitoken/{before['id']}/change/",
            {"name": "b", "scopes": ["orders:write"], "token_hash": "0" * 64, "site": site.pk},
        )

        assert ApiToken.objects.values().get() == before

    def test_revoking(self, site: Site, administrator: Client) -> None:
        token = tokens.make(name="a", site=site, scopes=["orders:read"])
        kept = tokens.make(name="b", site=site, scopes=["orders:read"])
        row = ApiToken.objects.get(name="a")

        answer = administrator.post(
            "/admin/coc_admin/apitoken/",
            {"action": "revoke", "_selected_action": [row.pk]},
            follow=True,
        )

        assert b"1 token is revoked" in answer.content
        assert tokens.authenticate(f"Bearer {token}", now=timezone.now()) is None
        assert tokens.authenticate(f"Bearer {kept}", now=timezone.now()) is not None
        assert (
            b"Revoked." in administrator.get(f"/admin/coc_admin/apitoken/{row.pk}/history/").content
        )

    def test_operators_have_nothing_to_do_with_them(self, site: Site, operator: Client) -> None:
        tokens.make(name="a", site=site, scopes=["orders:read"])
        for path in ("", "add/", f"{ApiToken.objects.get().pk}/change/"):
            assert operator.get(f"/admin/coc_admin/apitoken/{path}").status_code == 403
        answer = operator.post("/admin/coc_admin/apitoken/add/", {**self.NEW, "site": site.pk})
        assert answer.status_code == 403
        assert ApiToken.objects.count() == 1


class TestSites:
    def test_an_operator_changes_caps(self, site: Site, operator: Client) -> None:
        page = operator.get(f"/admin/orders/site/{site.pk}/change/")
        assert b"Most units of one order while selling offline." in page.content

        answer = operator.post(
            f"/admin/orders/site/{site.pk}/change/",
            {
                **SITE,
                "cap_units_per_order": "12.5",
                "cap_total_value": "1000",
                "offline_capture": "",
            },
        )

        assert answer.status_code == 302
        site.refresh_from_db()
        assert site.cap_units_per_order == Decimal("12.500")
        assert site.cap_total_value == Decimal(1000)
        assert site.cap_offline_minutes is None
        assert site.time_zone == "Europe/Berlin"
        assert site.offline_capture is False
        page = operator.get(f"/admin/orders/site/{site.pk}/change/")
        assert b'value="12.500"' in page.content

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"time_zone": "Mars/Base"}, "time_zone"),
            ({"time_zone": "../../etc/passwd"}, "time_zone"),
            ({"currency": "euro"}, "currency"),
            ({"cap_units_per_order": "-1"}, "cap_units_per_order"),
            ({"cap_units_per_order": "0.0001"}, "cap_units_per_order"),
            ({"cap_units_per_order": "1e999999"}, "cap_units_per_order"),
            ({"cap_units_per_order": "nan"}, "cap_units_per_order"),
            ({"cap_total_value": "9" * 30}, "cap_total_value"),
            ({"cap_offline_minutes": "-1"}, "cap_offline_minutes"),
            ({"inventory_list": "nowhere"}, "inventory_list"),
        ],
    )
    def test_a_value_that_makes_no_sense_changes_nothing(
        self, site: Site, operator: Client, change: dict[str, str], field: str
    ) -> None:
        before = Site.objects.values().get()

        answer = operator.post(f"/admin/orders/site/{site.pk}/change/", {**SITE, **change})

        assert answer.status_code == 200
        assert list(answer.context["adminform"].form.errors) == [field]
        assert Site.objects.values().get() == before

    def test_the_time_zone_stays_once_there_are_orders(self, site: Site, operator: Client) -> None:
        scene.place(site, "1")

        operator.post(f"/admin/orders/site/{site.pk}/change/", {**SITE, "name": "New"})

        site.refresh_from_db()
        assert (site.name, site.time_zone) == ("New", "UTC")

    def test_the_id_is_given_once_and_nothing_is_deleted(
        self, site: Site, superuser: Client
    ) -> None:
        superuser.post(f"/admin/orders/site/{site.pk}/change/", {**SITE, "id": "Other"})
        assert list(Site.objects.values_list("pk", flat=True)) == ["NorthShop"]
        for path in (f"site/{site.pk}", f"inventorylist/{site.inventory_list_id}"):
            assert (
                superuser.post(f"/admin/orders/{path}/delete/", {"post": "yes"}).status_code == 403
            )
        assert (Site.objects.count(), InventoryList.objects.count()) == (1, 1)

    def test_an_administrator_adds_a_list_and_a_site(self, administrator: Client) -> None:
        answer = administrator.post(
            "/admin/orders/inventorylist/add/",
            {
                "id": "NorthShop-stock",
                "list_type": "group",
                "offline_floor_units": "2",
                "offline_floor_percent": "10",
                "use_bundle_inventory_only": "on",
            },
        )
        assert answer.status_code == 302
        list_ = InventoryList.objects.get()
        assert (list_.offline_floor_units, list_.use_bundle_inventory_only) == (Decimal(2), True)
        answer = administrator.post("/admin/orders/site/add/", {**SITE, "id": "NorthShop"})
        assert answer.status_code == 302
        assert Site.objects.get().zone.key == "Europe/Berlin"

    def test_an_operator_adds_none(self, site: Site, operator: Client) -> None:
        answer = operator.post("/admin/orders/site/add/", {**SITE, "id": "Another"})
        assert answer.status_code == 403
        assert Site.objects.count() == 1

    def test_stock_and_orders_are_not_there(self, superuser: Client) -> None:
        for model in ("inventoryrecord", "movement", "hold", "order", "orderitem", "orderevent"):
            assert superuser.get(f"/admin/orders/{model}/").status_code == 404


def test_what_is_done_here_is_in_the_audit_log(administrator: Client, site: Site) -> None:
    administrator.post(f"/admin/orders/site/{site.pk}/change/", SITE)
    site.refresh_from_db()
    assert site.currency == "EUR"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == (
        "administrator",
        "back_office.changed",
        f"site:{site.pk}",
    )
    assert "Time zone" in str(entry.detail)
