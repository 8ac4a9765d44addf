"""Rows that are put back are the rows that the product's functions make."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection

from coc_admin.accounts.roles import permissions_of_roles
from tests import large_keys
from tests.coc_admin.console import scene
from tests.fuzzing import rows, undone

pytestmark = pytest.mark.django_db


def test_the_scene_that_is_put_back_is_the_one_that_is_made() -> None:
    if connection.vendor == "sqlite":
        # Tests that committed have used keys up; the kept rows were made before.
        large_keys.begin()
    with undone():
        made, fresh = scene.make_scene(), rows()
    kept, again = scene.build_scene(), rows()

    assert {label: len(found) for label, found in again.items()} == {
        label: len(found) for label, found in fresh.items()
    }
    assert [order.order_no for order in (made.waiting, made.review)] == [
        order.order_no for order in (kept.waiting, kept.review)
    ]
    if connection.vendor == "sqlite":
        # PostgreSQL gives each number once, rolled back or not. All of these note the time of day.
        differ = {label for label, found in again.items() if found != fresh[label]}
        assert differ == {"orders.InventoryList", "orders.ProductText", "orders.Site"}


def test_a_scene_beside_other_rows_is_made_anew() -> None:
    scene.make_shop("EastShop")

    made = scene.build_scene()

    assert made.site.pk == "NorthShop"
    made.waiting.refresh_from_db()


@pytest.mark.django_db(transaction=True)
def test_a_test_that_commits_may_change_what_migrations_have_made() -> None:
    Group.objects.all().delete()
    Permission.objects.filter(codename="view_order").delete()


def test_the_roles_are_there_again_after_a_test_that_commits() -> None:
    told = {group.name: group.permissions.count() for group in Group.objects.all()}
    assert told == {role: len(may) for role, may in permissions_of_roles().items()}
