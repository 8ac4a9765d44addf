"""The back office shows every row that is no secret, and changes none."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.accounts import tokens
from coc_admin.back_office import APPS, HIDDEN_FIELDS, HIDDEN_MODELS
from coc_admin.models import ApiToken
from orders.models import Order, Site
from tests.coc_admin.console import scene
from tests.factories import browser_of

pytestmark = pytest.mark.django_db

SECRET = re.compile(r"password|secret|token|hash|webhook|target|^key$|body")
# Fields with such a name that hold no secret.
HARMLESS = {
    "coc_admin.AuditEntry.target",
    "orders.CaptureTrace.payload_hash",
    "orders.CustomerMessage.body",
    "orders.CustomerMessage.token",
    "orders.CustomerMessage.webhook",
    "orders.CustomerMessage.webhook_error",
    "orders.CustomerMessage.webhook_error_codes",
    "orders.MessageTemplate.body",
    "orders.Order.payload_hash",
    "reconciliation.MaintenanceJob.key",
    "reconciliation.ReservationDocument.body",
}


@pytest.fixture
def root() -> Client:
    return browser_of(User.objects.create_superuser("root", password="a long password"))


def test_every_model_is_shown_but_those_that_repeat_customers_data() -> None:
    ours = {model._meta.label for app in APPS for model in apps.get_app_config(app).get_models()}
    assert {model._meta.label for model in admin.site._registry} == ours - HIDDEN_MODELS
    assert ours >= HIDDEN_MODELS


def test_every_field_that_may_hold_a_secret_is_hidden() -> None:
    shown = {
        f"{model._meta.label}.{name}"
        for model, page in admin.site._registry.items()
        for name in page.get_fields(None)  # type: ignore[arg-type]
    }
    assert shown.isdisjoint(HIDDEN_FIELDS)
    assert {name for name in shown if SECRET.search(name.rpartition(".")[2])} == HARMLESS


def test_pages_of_every_model_open(root: Client) -> None:
    scene.build_scene()
    opened = 0
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert root.get(path).status_code == 200, path
        row = model._default_manager.first()
        if row is not None:
            assert root.get(f"{path}{row.pk}/change/").status_code == 200, path
            opened += 1
    assert opened > 15


def test_a_row_is_found_by_its_whole_key(root: Client) -> None:
    scene.build_scene()
    order = Order.objects.order_by("pk")[3]
    found = root.get("/admin/orders/order/", {"q": str(order.pk)}).context["cl"].result_list
    assert list(found) == [order]
    for nothing in ("0", "x", "9" * 40):
        answer = root.get("/admin/orders/order/", {"q": nothing})
        assert list(answer.context["cl"].result_list) == []


def test_nothing_can_be_added_changed_or_deleted(root: Client) -> None:
    site = scene.make_shop()
    before = list(Site.objects.values())
    change = f"/admin/orders/site/{site.pk}/change/"
    assert root.get(change).status_code == 200
    for path in (change, f"/admin/orders/site/{site.pk}/delete/", "/admin/orders/site/add/"):
        assert root.post(path, {"id": "x", "name": "x", "post": "yes"}).status_code == 403, path
    root.post("/admin/orders/site/", {"action": "delete_selected", "_selected_action": site.pk})
    assert list(Site.objects.values()) == before


def test_secrets_are_not_on_its_pages(root: Client) -> None:
    token = tokens.make(name="till", site=scene.make_shop(), scopes=["orders:write"])
    row = ApiToken.objects.get()
    for path in ("", f"{row.pk}/change/"):
        page = root.get(f"/admin/coc_admin/apitoken/{path}").content.decode()
        assert "till" in page
        assert row.token_hash not in page
        assert token not in page
    user = User.objects.get()
    assert user.password.encode() not in root.get(f"/admin/auth/user/{user.pk}/change/").content


def test_only_a_superuser_enters() -> None:
    user = scene.make_user("otto", *scene.OPERATOR)
    client = browser_of(user)
    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/login/").status_code == 403
    assert "/admin/" not in client.get("/", follow=True).content.decode()
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    assert client.get("/admin/").status_code == 200
    assert 'href="/admin/"' in client.get("/", follow=True).content.decode()
