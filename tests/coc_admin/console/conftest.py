"""People and an outage for the tests of the console."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.coc_admin.console import scene
from tests.factories import browser_of


@pytest.fixture
def viewer(db: None) -> Client:
    """Return a browser in which a viewer is signed in."""
    return _signed_in("vera", *scene.VIEWER)


@pytest.fixture
def merchandiser(db: None) -> Client:
    """Return a browser in which a merchandiser is signed in."""
    return _signed_in("mia", *scene.MERCHANDISER)


@pytest.fixture
def operator(db: None) -> Client:
    """Return a browser in which an operator is signed in."""
    return _signed_in("otto", *scene.OPERATOR)


def _signed_in(name: str, *permissions: str) -> Client:
    return browser_of(scene.make_user(name, *permissions))


@pytest.fixture
def outage(db: None) -> scene.Scene:
    """Return an outage with an order of each kind."""
    return scene.build_scene()
