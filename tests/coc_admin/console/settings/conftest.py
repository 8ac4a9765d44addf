"""People with the roles as they are made, and a shop, for the tests of the settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from django.test import Client

from coc_admin.accounts.roles import make_roles
from orders.models import Site
from tests.coc_admin.console import scene
from tests.factories import browser_of
from tests.factories import make_person as make_person

SignIn = Callable[..., Client]


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """Return a function that returns a browser for a role, limited to `sites` if any."""
    make_roles(apps)

    def signed_in(role: str, name: str = "", sites: list[Site] | None = None) -> Client:
        return browser_of(make_person(role, name or role, sites=sites))

    return signed_in


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
