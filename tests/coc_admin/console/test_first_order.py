"""The command that places a first order: with a new token, and in a list without orders."""

from __future__ import annotations

import shlex

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from coc_admin.console.orders import first_order
from orders.models import InventoryRecord, Order
from tests.coc_admin.console import scene

TITLE = "Place a first order"
TOKEN_PAGE = "/settings/tokens/new/"


@pytest.fixture
def administrator(db: None) -> Client:
    user = scene.make_user("anna")
    user.groups.set(Group.objects.all())
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def run(command: str) -> tuple[int, str]:
    """Play a curl command against the API; return status and address."""
    words = shlex.split(command.replace("\\\n", ""))
    assert words[:2] == ["curl", "-i"]
    address, body = words[2], words[-1]
    bearer = next(word for word in words if word.startswith("Authorization: "))
    answer = Client().post(
        address.removeprefix("http://testserver"),
        data=body,
        content_type="application/json",
        headers={"authorization": bearer.removeprefix("Authorization: ")},
    )
    return answer.status_code, address


def test_the_page_of_a_new_token_shows_a_command_that_places_an_order(
    administrator: Client,
) -> None:
    site = scene.make_shop()
    answer = administrator.post(
        TOKEN_PAGE, {"name": "storefront", "site": [site.pk], "scopes": ["orders:write"]}
    )
    assert TITLE in answer.content.decode()
    assert run(answer.context["first_order"]) == (
        201,
        f"http://testserver/api/v1/sites/{site.pk}/orders",
    )
    assert Order.objects.get().order_no == "TRIAL-1"


def test_a_token_that_may_not_place_orders_has_no_command(administrator: Client) -> None:
    site = scene.make_shop()
    answer = administrator.post(
        TOKEN_PAGE, {"name": "oms", "site": [site.pk], "scopes": ["orders:read"]}
    )
    assert answer.context["first_order"] == ""
    assert TITLE not in answer.content.decode()


def test_the_list_shows_it_until_there_is_an_order(administrator: Client) -> None:
    assert administrator.get("/orders/").context["first_order"] == ""
    site = scene.make_shop()
    page = administrator.get("/orders/")
    assert TITLE in page.content.decode()
    assert f"Bearer {first_order.PLACEHOLDER}" in page.context["first_order"]
    scene.place(site, "1")
    assert TITLE not in administrator.get("/orders/?state=review").content.decode()


def test_who_may_not_make_tokens_is_not_asked_to(viewer: Client) -> None:
    scene.make_shop()
    assert TITLE not in viewer.get("/orders/").content.decode()


def test_without_stock_there_is_no_command(administrator: Client) -> None:
    scene.make_shop()
    InventoryRecord.objects.update(snapshot_ato=0, ato=0)
    assert TITLE not in administrator.get("/orders/").content.decode()
