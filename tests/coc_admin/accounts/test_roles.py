"""Roles: groups that the migration makes, with the permissions that the pages ask for."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from coc_admin.accounts.roles import make_roles, permissions_of_roles
from coc_admin.demo.prepare import ROLES
from tests.coc_admin.console import scene
from tests.coc_admin.pages import PAGES

pytestmark = pytest.mark.django_db


def granted() -> dict[str, set[str]]:
    return {
        group.name: {
            f"{one.content_type.app_label}.{one.codename}"
            for one in group.permissions.select_related("content_type")
        }
        for group in Group.objects.order_by("pk")
    }


@pytest.fixture
def roles() -> dict[str, set[str]]:
    """Return the roles as they are; a test that empties the database may have run before."""
    make_roles(apps)
    return granted()


def test_the_roles_are_there_with_every_permission(roles: dict[str, set[str]]) -> None:
    assert roles == {name: set(wanted) for name, wanted in permissions_of_roles().items()}
    assert list(roles) == ["viewer", "merchandiser", "operator", "administrator"]
    assert tuple(roles) == ROLES


def test_each_role_may_do_what_the_one_before_may(roles: dict[str, set[str]]) -> None:
    assert roles["viewer"] == set(scene.VIEWER)
    assert roles["merchandiser"] == set(scene.MERCHANDISER)
    assert roles["operator"] > set(scene.OPERATOR) > roles["merchandiser"]
    assert roles["administrator"] > roles["operator"]


def test_every_page_of_the_console_is_open_to_some_role(roles: dict[str, set[str]]) -> None:
    asked = {
        view.console_permission
        for view in (pattern.callback for pattern in PAGES)
        if hasattr(view, "console_permission")
    }
    assert asked
    assert asked <= roles["administrator"]


def test_nobody_writes_orders_or_stock_by_hand(roles: dict[str, set[str]]) -> None:
    for permissions in roles.values():
        for model in ("inventoryrecord", "hold", "movement", "order", "orderitem", "orderevent"):
            assert f"orders.add_{model}" not in permissions
            assert f"orders.delete_{model}" not in permissions
        assert "orders.change_inventoryrecord" not in permissions


def test_making_them_again_changes_nothing_and_takes_nothing_away(
    roles: dict[str, set[str]],
) -> None:
    extra = Permission.objects.get(codename="view_outage")
    Group.objects.get(name="viewer").permissions.add(extra)
    before = granted()
    counts = Group.objects.count(), Permission.objects.count()

    make_roles(apps)

    assert granted() == before
    assert (Group.objects.count(), Permission.objects.count()) == counts
