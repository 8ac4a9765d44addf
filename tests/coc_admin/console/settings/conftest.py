"""People with the roles as they are made, and a shop, for the tests of the settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client

from coc_admin.accounts.roles import make_roles
from coc_admin.models import Profile
from orders.models import Site
from tests.coc_admin.console import scene

BACKEND = "django.contrib.auth.backends.ModelBackend"

SignIn = Callable[..., Client]


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """Return a function that gives a browser with somebody of a role, limited to `sites` if any."""
    make_roles(apps)

    def signed_in(role: str, name: str = "", sites: list[Site] | None = None) -> Client:
        client = Client()
        client.force_login(make_person(role, name or role, sites=sites), backend=BACKEND)
        return client

    return signed_in


def make_person(role: str, name: str, *, sites: list[Site] | None = None) -> User:
    """Create a person with one of the roles ("" for none)."""
    user = User.objects.create_user(name, password="a long password")
    if role:
        user.groups.add(Group.objects.get(name=role))
    if sites is not None:
        Profile.objects.create(user=user, every_site=False).sites.set(sites)
    return user


@pytest.fixture
def operator(sign_in: SignIn) -> Client:
    """Return a browser in which an operator is signed in."""
    return sign_in("operator")


@pytest.fixture
def administrator(sign_in: SignIn) -> Client:
    """Return a browser in which an administrator is signed in."""
    return sign_in("administrator")


@pytest.fixture
def site(db: None) -> Site:
    """Return a site with stock and no orders."""
    return scene.make_shop()
